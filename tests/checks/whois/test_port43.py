from collections.abc import Iterable

import pytest
from registry_samples import DATED
from registry_server import WhoisServer
from web_server import HANG, RESET, Step

from pom_cli.checks.whois import port43
from pom_cli.checks.whois.answer import Ending, RegistryAnswer
from pom_cli.checks.whois.port43 import ask_whois, decode, fetch
from pom_cli.checks.whois.servers import known_server, query
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import NoAnswer


def ask(server: WhoisServer, domain: str = "shop.zz", seconds: float = 10) -> RegistryAnswer:
    return ask_whois(domain, server.place, Deadline.after(seconds))


def test_registries_of_many_forms_are_asked_and_read() -> None:
    samples = {sample.domain: sample for sample in DATED}
    assert len(samples) >= 40
    with WhoisServer() as server:
        for domain, sample in samples.items():
            server.on(domain, sample.text.replace("\n", "\r\n"))
            answer = ask(server, domain)
            assert (domain, f"{answer.expires:%Y-%m-%d}") == (domain, sample.expires)
    assert server.questions == list(samples)


def test_an_answer_in_pieces_is_put_together() -> None:
    with WhoisServer() as server:
        server.on("shop.zz", [b"Domain: shop.zz\nExp", 0.05, b"ires: 2027-", 0.05, b"03-01\n"])
        assert ask(server).ending is Ending.DATED


@pytest.mark.parametrize(
    ("script", "reason", "answered"),
    [
        ([b"Domain: shop.zz\nExpires: 2027-03-01\n", HANG], "in the middle of its answer (36 bytes)", True),
        ([b"Domain: shop.zz\nExpires: 2027-03-01\n", 0.2, RESET], "connection reset in the middle", True),
        ([HANG], "no answer within 0.5 s", False),
        ([RESET], "connection reset", False),
        ([b""], "its answer is empty", True),
        ([b"Expires: 2027-03-01\n" * 20_000], "its answer is larger than 256 KiB", True),
    ],
)
def test_an_answer_that_is_cut_short_is_never_read(script: Iterable[Step], reason: str, answered: bool) -> None:
    with WhoisServer() as server:
        server.on("shop.zz", script)
        answer = ask(server, seconds=0.5)
    assert (answer.ending, answer.expires) == (Ending.FAILED, None)
    assert reason in answer.reason
    assert answer.answered is answered


def test_a_closed_port_and_a_name_that_is_not_there_are_failures() -> None:
    with WhoisServer() as server:
        port = server.port
    answer = ask_whois("shop.zz", ("127.0.0.1", port), Deadline.after(5))
    assert (answer.ending, answer.reason, answer.answered) == (Ending.FAILED, "connection refused", False)


def test_a_server_that_nobody_configured_may_not_be_private() -> None:
    with WhoisServer() as server, pytest.raises(NoAnswer, match="leads to the private address"):
        fetch("127.0.0.1", server.port, "shop.zz", Deadline.after(5))
    assert server.questions in ([], [""])  # connected, and nothing was asked


@pytest.fixture
def iana(monkeypatch: pytest.MonkeyPatch) -> Iterable[WhoisServer]:
    """whois.iana.org on loopback; there is no other way to lead the discovery here."""
    with WhoisServer() as server:
        monkeypatch.setattr(port43, "IANA", "127.0.0.1")
        monkeypatch.setattr(port43, "PORT", server.port)
        monkeypatch.setattr(port43, "is_private", lambda address: False)
        yield server


def test_iana_names_the_server_of_a_top_level_domain_that_the_table_has_not(iana: WhoisServer) -> None:
    iana.on("zz", "% IANA WHOIS server\n\nrefer:        127.0.0.1\n\ndomain:       ZZ\nwhois:        127.0.0.1\n")
    iana.on("shop.zz", "Domain: shop.zz\nExpires: 2027-03-01\n")
    assert ask_whois("shop.zz", None, Deadline.after(5)).ending is Ending.DATED
    assert iana.questions == ["zz", "shop.zz"]


def test_a_registry_without_a_whois_server_is_unknown(iana: WhoisServer) -> None:
    iana.on("zz", "% IANA WHOIS server\n\ndomain:       ZZ\n\nwhois:\n\nstatus:       ACTIVE\n")
    answer = ask_whois("shop.zz", None, Deadline.after(5))
    assert (answer.ending, answer.reason) == (Ending.FAILED, "the registry has no WHOIS server")


def test_a_referral_to_a_private_address_is_not_followed(iana: WhoisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port43, "is_private", lambda address: len(iana.questions) > 0 and "zz" in iana.questions[0])
    iana.on("zz", "refer: 127.0.0.1\n")
    answer = ask_whois("shop.zz", None, Deadline.after(5))
    assert answer.reason == "127.0.0.1 leads to the private address 127.0.0.1"


def test_each_server_is_asked_in_its_own_way() -> None:
    assert query("whois.denic.de", "shop.de") == "-T dn,ace shop.de"
    assert query("whois.jprs.jp", "shop.jp") == "shop.jp/e"
    assert query("whois.verisign-grs.com", "shop.com") == "domain shop.com"
    assert query("127.0.0.1", "shop.de") == "shop.de"
    assert known_server("de") == "whois.denic.de" and known_server("cz") == "whois.nic.cz"
    assert known_server("info") is None  # its registry ended the service


@pytest.mark.parametrize("encoding", ["utf-8", "iso2022_jp"])
def test_answers_in_japanese_are_read(encoding: str) -> None:
    text = "[有効期限]  2027/05/31"
    assert decode(text.encode(encoding)) == text


def test_no_byte_is_an_error() -> None:
    assert decode(bytes(range(256))).startswith("\x00")
    assert decode("Größe".encode("latin-1")) == "Größe"
