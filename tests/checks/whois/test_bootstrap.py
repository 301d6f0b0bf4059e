import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from web_server import HANG, WebServer, answer
from web_server import json as json_answer

from pom_cli.checks.whois import bootstrap, cache
from pom_cli.net.deadline import Deadline

NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)


def registry(**extra: str) -> str:
    """A bootstrap registry (RFC 9224, section 3) with enough top-level domains to be believed."""
    services = [[[f"tld{number}"], [f"https://rdap.nic.tld{number}/"]] for number in range(200)]
    services += [[[tld], [url]] for tld, url in extra.items()]
    return json.dumps({"version": "1.0", "publication": "2026-11-01T00:00:00Z", "services": services})


@pytest.mark.parametrize(
    ("tld", "url"),
    [
        ("com", "https://rdap.verisign.com/com/v1/"),
        ("uk", "https://rdap.nominet.uk/uk/"),
        ("work", "https://rdap.nic.work/"),
        ("dev", "https://pubapi.registry.google/rdap/"),
        ("info", "https://rdap.identitydigital.services/rdap/"),
        ("kg", "http://rdap.cctld.kg/"),
        ("xn--kpry57d", "https://ccrdap.twnic.tw/taiwan/"),
        ("de", "https://rdap.denic.de/"),  # not in IANA's registry
        ("jp", None),
        ("#", None),
        ("zz", None),
    ],
)
def test_the_bundled_table_knows_where_rdap_is(tld: str, url: str | None) -> None:
    assert bootstrap.base_url(tld, {}) == url


def test_a_fetched_registry_is_kept_and_goes_before_the_bundled_one(tmp_path: Path) -> None:
    with WebServer() as server:
        server.on("/dns.json", json_answer(registry(com="https://rdap.example.net/com/")))
        bootstrap.refresh(str(tmp_path), NOW, Deadline.after(5), server.url("/dns.json"), trusted=True)
    known = cache.load(str(tmp_path))
    assert bootstrap.base_url("com", known) == "https://rdap.example.net/com/"
    assert bootstrap.base_url("tld7", known) == "https://rdap.nic.tld7/"
    assert bootstrap.base_url("uk", known) == "https://rdap.nominet.uk/uk/"
    assert not bootstrap.due(known, NOW + timedelta(days=6))
    assert bootstrap.due(known, NOW + timedelta(days=8))


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"services": [[1]]}', '{"services": 7}', "[" * 100_000, "x" * 2_000_000]
)
def test_a_registry_that_cannot_be_read_leaves_the_older_copy(tmp_path: Path, body: str) -> None:
    cache.change(str(tmp_path), lambda known: known.update(rdap={"servers": {"com": "https://old.example.net/"}}))
    with WebServer() as server:
        server.on("/dns.json", json_answer(body))
        bootstrap.refresh(str(tmp_path), NOW, Deadline.after(5), server.url("/dns.json"), trusted=True)
    known = cache.load(str(tmp_path))
    assert bootstrap.base_url("com", known) == "https://old.example.net/"
    assert not bootstrap.due(known, NOW + timedelta(hours=11))
    assert bootstrap.due(known, NOW + timedelta(hours=13))


def test_a_registry_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with WebServer() as server:
        server.on("/dns.json", [HANG])
        bootstrap.refresh(str(tmp_path), NOW, Deadline.after(0.3), server.url("/dns.json"), trusted=True)
        server.on("/dns.json", answer(500))
        bootstrap.refresh(str(tmp_path), NOW, Deadline.after(5), server.url("/dns.json"), trusted=True)
    assert cache.load(str(tmp_path))["rdap"] == {"tried_at": "2026-11-24T06:40:00Z"}


def test_https_goes_before_http_and_what_is_no_url_is_left_out() -> None:
    body = json.loads(registry())
    body["services"] += [
        [["Both"], ["http://plain.example.net/", "https://safe.example.net/"]],
        [["odd"], ["ftp://x/", 7, "https://[::bad/"]],
    ]
    servers = bootstrap.parse(json.dumps(body).encode())
    assert servers["both"] == "https://safe.example.net/" and "odd" not in servers
