from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.idn import to_ascii
from pom_cli.toml.address import host, host_port, http_url, is_loopback, split_url, typed_url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com/",
        "HTTPS://Example.COM:8443/a/b?c=d&e",
        "https://example.com.",
        "https://a_b.example.com",
        "https://localhost",
        "http://127.0.0.1:9100/x",
        "http://[::1]",
        "http://[2001:db8::7]:8080/a",
        "https://bücher.example/käse",
        "https://example.com/a@b",
    ],
)
def test_a_url_that_can_be_asked_stays_as_it_is(url: str) -> None:
    assert http_url(url) == url


@pytest.mark.parametrize(
    "value",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https:example.com",
        "https://",
        "https:///path",
        "https://user@example.com",
        "https://user:pass@example.com",
        "https://:pass@example.com",
        "https://@example.com",
        "https://example.com/#top",
        "https://example.com#",
        "https://example.com/a b",
        " https://example.com",
        "https://example.com\n",
        "https://exam\tple.com",
        'https://example.com/"',
        "https://example.com/<x>",
        "https://example.com\\evil.example",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:-1",
        "https://example.com:port",
        "https://example.com:٣",
        "https://a..b",
        "https://.example.com",
        "https://-oProxyCommand.example.com",
        "https://" + "a" * 64 + ".example.com",
        "https://" + "a.b." * 70 + "example",
        "https://256.1.1.1",
        "https://127.1",
        "https://0x7f000001",
        "https://1.2.3.4.5",
        "https://[::1",
        "https://[::g]",
        "https://[1.2.3.4]",
        "https://[fe80::1%25eth0]",
        "https://exa%6dple.com",
        "https://exa{m}ple.com",
        "https://ex\u2028ample.com",
        "https://\U0001f4a9\u202e.example",
        "https://" + "ü" * 70 + ".example",
        17,
        True,
        None,
        ["https://example.com"],
    ],
)
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        http_url(value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("example.com:443", ("example.com", 443)),
        ("Example.COM:1", ("example.com", 1)),
        ("1.1.1.1:65535", ("1.1.1.1", 65535)),
        ("[::1]:53", ("::1", 53)),
        ("[2001:DB8::1]:53", ("2001:db8::1", 53)),
        ("bücher.example:80", ("xn--bcher-kva.example", 80)),
    ],
)
def test_a_host_with_its_port(text: str, found: tuple[str, int]) -> None:
    assert host_port(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("example.com", ("example.com", 53)),
        ("1.1.1.1:5353", ("1.1.1.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("fe80::1%eth0", ("fe80::1%eth0", 53)),
    ],
)
def test_the_port_may_be_absent_where_there_is_a_default(text: str, found: tuple[str, int]) -> None:
    assert host_port(text, 53) == found


@pytest.mark.parametrize(
    "value",
    ["", ":53", "host:", "host:0", "host:65536", "host:-1", "host:٣", "host:5 3", "a:b:c", "[::1", "::1]", "[]:53",
     "[::1]53", "host name:53", "1.1.1.256:53", "host:53\n", "-host:53", 53, None, ("host", 53)],
)  # fmt: skip
@pytest.mark.parametrize("default", [None, 53])
def test_what_is_no_host_with_a_port_is_refused(value: Any, default: int | None) -> None:
    with pytest.raises(ValueError):
        host_port(value, default)


@pytest.mark.parametrize("text", ["host", "1.1.1.1", "::1", "[::1]"])
def test_without_a_default_the_port_must_be_there(text: str) -> None:
    with pytest.raises(ValueError, match="port"):
        host_port(text)


@given(st.text())
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    for read in (http_url, host_port, host, to_ascii, split_url):
        for form in (text, f"https://{text}", f"https://example.com{text}", f"{text}:80"):
            try:
                read(form)
            except ValueError:
                continue


@given(st.text(max_size=40))
def test_a_host_that_is_taken_is_safe_on_a_command_line(text: str) -> None:
    try:
        name = host(text)
    except ValueError:
        return
    assert name.isascii() and name.isprintable() and not name.startswith("-") and " " not in name


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("shop.localhost", True),
        ("localhost.example.com", False),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("example.com", False),
        ("1example.com", False),
    ],
)
def test_this_machine_is_known_by_address_and_name(name: str, local: bool) -> None:
    assert is_loopback(name) is local


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com/x", "https://example.com/x"),
        ("example.com", "https://example.com"),
        ("example.com/x?y=1", "https://example.com/x?y=1"),
        ("example.com:8443", "https://example.com:8443"),
        ("example.com:80", "http://example.com:80"),
        ("127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("localhost", "http://localhost"),
    ],
)
def test_a_bare_host_is_the_url_that_a_person_means(text: str, url: str) -> None:
    assert typed_url(text) == url


@pytest.mark.parametrize("text", ["", "a b", "ops@example.com", "ftp://example.com", "example.com:0"])
def test_what_can_be_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        typed_url(text)
