import pytest

from pom_cli.checks.whois.suffixes import ascii_name, registrable


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("example.com", "example.com"),
        ("www.shop.example.com", "example.com"),
        ("WWW.Example.COM.", "example.com"),
        ("makenot.work", "makenot.work"),
        ("www.example.co.uk", "example.co.uk"),
        ("a.b.example.com.au", "example.com.au"),
        ("www.city.kawasaki.jp", "city.kawasaki.jp"),  # an exception to the rule *.kawasaki.jp
        ("www.x.y.kawasaki.jp", "x.y.kawasaki.jp"),
        ("www.ck", "www.ck"),
        ("shop.other.ck", "shop.other.ck"),
        ("me.github.io", "github.io"),  # the list's private section is not about registries
        ("bucket.s3.amazonaws.com", "amazonaws.com"),
        ("bücher.example.de", "example.de"),
        ("www.bücher.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("例子.中国", "xn--fsqu00a.xn--fiqs8s"),
        ("host.newtld", "host.newtld"),
        ("_dmarc.example.org", "example.org"),
    ],
)
def test_the_registrable_domain_is_one_label_more_than_the_public_suffix(host: str, domain: str) -> None:
    assert registrable(host) == domain


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "intranet",
        "127.0.0.1",
        "203.0.113.7",
        "2001:db8::1",
        "::1",
        "fe80::1%eth0",
        "co.uk",
        "com",
        "",
        ".",
        "printer.local",
        "shop.test",
        "db.internal",
        "x.example",
        "x.invalid",
        "abc.onion",
        "1.2.0.192.in-addr.arpa",
        "x.y.lan",
        "other.ck",
        "a..b.com",
        "a b.com",
        "-".join(["x"] * 40) + ".com",
    ],
)
def test_addresses_suffixes_and_names_of_no_registry_have_none(host: str) -> None:
    assert registrable(host) is None


def test_names_are_compared_in_their_ascii_form() -> None:
    assert ascii_name("BÜCHER.example.") == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "a b.com", "x" * 64 + ".com", "ex\nample.com", ".".join(["abc"] * 70)]
)
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        ascii_name(name)
