import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from registry_server import WhoisServer, domain_object, not_found, rdap
from web_server import HANG, WebServer

from pom_cli import checks
from pom_cli.checks import Site, whois
from pom_cli.checks.whois import Settings, judge, look, parse
from pom_cli.checks.whois.answer import Ending, Observation, RegistryAnswer
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Past, Status
from pom_cli.toml.table import Table

NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)
SITE = Site("shop", "https://www.shop.co.uk", "https", "www.shop.co.uk", 443, timedelta(minutes=5), data_dir="/data")
SETTINGS = Settings("shop.com")
FAILED = RegistryAnswer("rdap", Ending.FAILED, "connection refused", answered=False)
UNPUBLISHED = RegistryAnswer("whois", Ending.NO_DATE, "it publishes no date")
FREE = RegistryAnswer("rdap", Ending.FREE, "the registry has no such domain")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dated(expires: str, source: str = "rdap", **more: Any) -> RegistryAnswer:
    return RegistryAnswer(source, Ending.DATED, expires=at(expires), **more)


def past(**detail: Any) -> Mapping[str, Past]:
    return {"": Past(detail=detail)}


def judged(seen: Observation, before: Mapping[str, Past] | None = None, now: datetime = NOW, **more: Any) -> Finding:
    (finding,) = judge(seen, replace(SETTINGS, **more), before or {}, now)
    assert json.dumps(dict(finding.detail), allow_nan=False)
    assert set(finding.verdicts) == set(whois.RUNBOOK)
    return finding


def verdict(finding: Finding, alert: str = "whois-expiry") -> tuple[Status, str]:
    return finding.verdicts[alert].status, finding.verdicts[alert].summary


def settings_of(data: Mapping[str, Any], site: Site = SITE) -> tuple[Settings, list[str]]:
    table = Table(data, "targets.shop.whois", [])
    settings = parse(table, site)
    table.finish()
    return settings, table.problems


def test_it_has_what_the_engine_asks_of_a_kind() -> None:
    assert checks.load("whois") is whois
    assert tuple(whois.RUNBOOK) == ("whois-expiry", "whois-unknown")
    assert (dict(whois.COVERED), whois.INTERVAL, whois.NETWORK) == ({}, timedelta(hours=1), True)
    assert whois.subjects(SETTINGS) == ("",)
    assert SETTINGS.budget == 30.0


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("shop.com", True),
        ("www.shop.co.uk", True),
        ("127.0.0.1", False),
        ("2001:db8::1", False),
        ("localhost", False),
        ("intranet", False),
        ("db.internal", False),
        ("co.uk", False),
    ],
)
def test_a_bare_url_is_looked_up_where_its_host_stands_under_a_registered_domain(host: str, wanted: bool) -> None:
    assert whois.adhoc(replace(SITE, host=host)) is wanted


def test_the_smallest_table_has_every_default() -> None:
    settings, problems = settings_of({})
    assert problems == []
    assert settings == Settings("shop.co.uk", data_dir="/data")
    assert settings.warn == timedelta(days=30)


def test_every_key_is_read() -> None:
    settings, problems = settings_of(
        {
            "domain": "BÜCHER.example.",
            "warn": "45d",
            "rdap": "https://rdap.nic.example/v1/",
            "server": "whois.nic.example",
            "expires_on": date(2027, 3, 1),
            "timeout": "10s",
        }
    )
    assert problems == []
    assert settings == Settings(
        "xn--bcher-kva.example",
        timedelta(days=45),
        "https://rdap.nic.example/v1/",
        ("whois.nic.example", 43),
        date(2027, 3, 1),
        10.0,
        "/data",
    )


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"domain": "com"}, "domain: 'com' is not a domain like \"example.com\""),
        ({"domain": "shop com"}, "domain: 'shop com' is not a domain like \"example.com\""),
        ({"domain": 7}, 'domain: 7 is not a domain like "example.com"'),
        ({"warn": "soon"}, "warn: 'soon' is not a duration like \"30d\""),
        (
            {"rdap": "http://rdap.example.com/"},
            "rdap: 'http://rdap.example.com/' is not an https URL (http only for an address of this machine)",
        ),
        ({"server": "a b"}, 'server: \'a b\' is not a host like "whois.nic.work" or "127.0.0.1:4343"'),
        ({"server": "x:0"}, 'server: \'x:0\' is not a host like "whois.nic.work" or "127.0.0.1:4343"'),
        ({"expires_on": "2027-03-01"}, "expires_on: '2027-03-01' is not a date like 2027-03-01 (without quotes)"),
        ({"timeout": "1h"}, "timeout: '1h' is not between 100ms and 5m"),
        ({"expire_on": date(2027, 3, 1)}, "expire_on: unknown key (its value: 2027-03-01); did you mean 'expires_on'?"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(data: dict[str, Any], problem: str) -> None:
    assert settings_of(data)[1] == [f"targets.shop.whois.{problem}"]


def test_a_host_of_no_registry_needs_a_domain() -> None:
    site = replace(SITE, host="10.0.0.7")
    told = "the domain to look up, for 10.0.0.7 stands under none that a registry knows"
    assert settings_of({}, site)[1] == [f"targets.shop.whois.domain: missing; it must be {told}"]
    assert settings_of({"domain": "shop.com"}, site)[1] == []


def test_a_private_name_is_looked_up_where_a_registry_is_named_for_it() -> None:
    site = replace(SITE, host="www.shop.internal")
    assert settings_of({}, site)[1] != []
    settings, problems = settings_of({"server": "127.0.0.1:4343"}, site)
    assert (settings.domain, settings.server, problems) == ("shop.internal", ("127.0.0.1", 4343), [])


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost/rdap", "http://[::1]:81/"])
def test_plain_http_is_for_this_machine_alone(url: str) -> None:
    assert settings_of({"rdap": url})[1] == []


@pytest.mark.parametrize(
    ("expires", "status", "days", "summary"),
    [
        ("2027-03-01T10:00:00", OPERATIONAL, 97, "expires 2027-03-01, 97 days left (RDAP)"),
        ("2026-12-24T06:40:01", OPERATIONAL, 30, "expires 2026-12-24, 30 days left (RDAP)"),
        ("2026-12-24T06:40:00", DEGRADED, 30, "expires 2026-12-24, 30 days left (RDAP)"),
        ("2026-11-25T07:00:00", DEGRADED, 1, "expires 2026-11-25, 1 day left (RDAP)"),
        ("2026-11-24T06:40:01", DEGRADED, 0, "expires 2026-11-24, 0 days left (RDAP)"),
        ("2026-11-24T06:40:00", ERROR, 0, "expired 2026-11-24, 0 days ago (RDAP)"),
        ("2026-11-23T06:00:00", ERROR, -2, "expired 2026-11-23, 1 day ago (RDAP)"),
        ("2025-11-24T06:40:00", ERROR, -365, "expired 2025-11-24, 365 days ago (RDAP)"),
    ],
)
def test_the_date_counts_down(expires: str, status: Status, days: int, summary: str) -> None:
    finding = judged(Observation((dated(expires),)))
    assert (finding.status, finding.summary) == (status, summary)
    assert verdict(finding) == (status, summary)
    assert finding.verdicts["whois-expiry"].days_left == finding.detail["days_left"] == days
    assert verdict(finding, "whois-unknown")[0] is OPERATIONAL
    assert finding.answered


def test_the_detail_tells_what_the_registry_said() -> None:
    answer = dated("2027-03-01T10:00:00", "whois", registrar="Example", statuses=("ok",), dnssec=True)
    assert judged(Observation((FAILED, answer))).detail == {
        "domain": "shop.com",
        "source": "whois",
        "registrar": "Example",
        "statuses": ["ok"],
        "dnssec": True,
        "expires_at": "2027-03-01T10:00:00Z",
        "days_left": 97,
        "registry_date": "2027-03-01T10:00:00Z",
        "last_good_at": "2026-11-24T06:40:00Z",
    }


def test_a_domain_that_is_not_registered_is_an_error() -> None:
    finding = judged(Observation((FREE,)))
    assert (finding.status, finding.summary) == (ERROR, "shop.com is not registered (RDAP)")
    assert verdict(finding) == (ERROR, "shop.com is not registered (RDAP)")
    assert verdict(finding, "whois-unknown")[0] is OPERATIONAL


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ("pendingDelete", ERROR, "is being deleted"),
        ("redemption period", ERROR, "is being deleted"),
        ("redemptionPeriod https://icann.org/epp#redemptionPeriod", ERROR, "is being deleted"),
        ("pending restore", ERROR, "is being restored"),
        ("pendingRestore", ERROR, "is being restored"),
        ("clientHold", ERROR, "is on hold"),
        ("client hold", ERROR, "is on hold"),
        ("serverHold (https://icann.org/epp#serverHold)", ERROR, "is on hold"),
        ("ok, server_hold", ERROR, "is on hold"),
        ("inactive", DEGRADED, "is inactive"),
    ],
)
def test_a_domain_in_trouble_is_so_whatever_its_date(said: str, status: Status, words: str) -> None:
    finding = judged(Observation((dated("2027-03-01T10:00:00", statuses=("ok", said)),)))
    assert finding.status is status
    assert finding.summary == f"{words} ({said}), expires 2027-03-01, 97 days left (RDAP)"
    assert verdict(finding) == (status, finding.summary)
    dateless = judged(Observation((replace(UNPUBLISHED, statuses=(said,)),)))
    assert (dateless.status, verdict(dateless)[0]) == (status, status)
    assert dateless.summary == f"{words} ({said}); no expiry date: WHOIS: it publishes no date"


@pytest.mark.parametrize("said", ["ok", "clientTransferProhibited", "client delete prohibited", "active", "addPeriod"])
def test_other_statuses_are_no_trouble(said: str) -> None:
    assert judged(Observation((dated("2027-03-01T10:00:00", statuses=(said,)),))).status is OPERATIONAL


def test_an_inactive_domain_that_has_expired_is_an_error() -> None:
    assert judged(Observation((dated("2026-11-23T06:00:00", statuses=("inactive",)),))).status is ERROR


def test_an_answer_of_an_earlier_run_keeps_its_instant() -> None:
    finding = judged(Observation((dated("2027-03-01T10:00:00", at=at("2026-11-24T00:00:00"), asked=False),)))
    assert finding.summary == "expires 2027-03-01, 97 days left (RDAP)"
    assert finding.detail["last_good_at"] == "2026-11-24T00:00:00Z"


def test_the_last_good_date_counts_down_while_look_ups_fail() -> None:
    before = past(
        expires_at="2027-03-01T10:00:00Z", source="rdap", registrar="Example", last_good_at="2026-11-23T06:40:00Z"
    )
    finding = judged(Observation((FAILED, UNPUBLISHED)), before)
    reason = "RDAP: connection refused; WHOIS: it publishes no date"
    assert finding.status is OPERATIONAL
    assert finding.summary == f"expires 2027-03-01, 97 days left (last known); {reason}"
    assert finding.detail["source"] == "last known"
    assert finding.detail["last_good_at"] == "2026-11-23T06:40:00Z"
    assert finding.detail["failing_since"] == "2026-11-24T06:40:00Z"
    assert (finding.detail["registrar"], finding.detail["reason"]) == ("Example", reason)
    later = judged(Observation((FAILED,)), {"": Past(detail=finding.detail)}, at("2027-02-10T10:00:00"))
    assert (later.status, later.detail["days_left"]) == (DEGRADED, 19)
    assert judged(Observation((FAILED,)), {"": Past(detail=later.detail)}, at("2027-03-02T10:00:00")).status is ERROR


def test_the_memory_stands_in_for_a_past_that_was_lost() -> None:
    finding = judged(Observation((FAILED,), last=at("2027-03-01T10:00:00")))
    assert (finding.status, finding.detail["expires_at"]) == (OPERATIONAL, "2027-03-01T10:00:00Z")


def test_a_date_read_again_ends_the_failing() -> None:
    before = past(registry_date="2027-03-01T10:00:00Z", failing_since="2026-11-01T00:00:00Z", reason="x")
    finding = judged(Observation((dated("2027-03-01T10:00:00"),)), before)
    assert "failing_since" not in finding.detail and "reason" not in finding.detail


def test_without_any_date_it_is_unknown() -> None:
    finding = judged(Observation((FAILED, replace(UNPUBLISHED, source="whois"))))
    assert (finding.status, finding.answered) == (UNKNOWN, True)
    assert finding.summary == "no expiry date: RDAP: connection refused; WHOIS: it publishes no date"
    assert verdict(finding)[0] is UNKNOWN
    assert verdict(finding, "whois-unknown")[0] is OPERATIONAL
    assert "expires_at" not in finding.detail
    assert not judged(Observation((FAILED,))).answered


@pytest.mark.parametrize(("known", "status"), [("2027-03-01T10:00:00Z", OPERATIONAL), (None, UNKNOWN)])
def test_no_date_for_seven_days_is_an_alert_of_its_own(known: str | None, status: Status) -> None:
    before = past(registry_date=known, failing_since="2026-11-17T06:40:00Z")
    early = judged(Observation((UNPUBLISHED,)), before, NOW - timedelta(seconds=1))
    late = judged(Observation((UNPUBLISHED,)), before)
    assert (early.status, late.status) == (status, status)
    assert verdict(early, "whois-unknown")[0] is OPERATIONAL
    assert verdict(late, "whois-unknown") == (
        DEGRADED,
        "no expiry date could be read for 7 days: WHOIS: it publishes no date",
    )


def test_a_declared_date_counts_down_where_the_registry_publishes_none() -> None:
    finding = judged(Observation((UNPUBLISHED,)), expires_on=date(2027, 3, 1))
    assert finding.summary == "expires 2027-03-01, 96 days left (declared); WHOIS: it publishes no date"
    assert (finding.status, finding.detail["source"]) == (OPERATIONAL, "declared")
    late = judged(
        Observation((UNPUBLISHED,)),
        {"": Past(detail=finding.detail)},
        NOW + timedelta(days=80),
        expires_on=date(2027, 3, 1),
    )
    assert (late.status, verdict(late, "whois-unknown")[0]) == (DEGRADED, OPERATIONAL)
    assert judged(Observation((UNPUBLISHED,)), expires_on=date(2026, 11, 20)).status is ERROR


def test_the_registry_s_own_date_goes_before_the_declared_one() -> None:
    finding = judged(Observation((dated("2028-03-01T10:00:00"),)), expires_on=date(2027, 3, 1))
    assert finding.detail["expires_at"] == "2028-03-01T10:00:00Z"
    kept = judged(Observation((FAILED,)), {"": Past(detail=finding.detail)}, expires_on=date(2027, 3, 1))
    assert (kept.detail["expires_at"], kept.detail["source"]) == ("2028-03-01T10:00:00Z", "last known")


def test_a_declared_date_is_no_registry_s_date_to_compare_with() -> None:
    before = past(expires_at="2029-03-01T00:00:00Z", source="declared")
    assert judged(Observation((dated("2027-03-01T10:00:00"),)), before).detail["expires_at"] == "2027-03-01T10:00:00Z"


LAST = past(registry_date="2028-03-01T10:00:00Z", expires_at="2028-03-01T10:00:00Z", source="rdap")


def test_a_nearer_date_is_believed_when_a_second_read_agrees() -> None:
    finding = judged(Observation((dated("2027-03-01T10:00:00"),), (dated("2027-03-01T00:00:00", "whois"),)), LAST)
    assert finding.summary == "expires 2027-03-01, 97 days left (RDAP)"


@pytest.mark.parametrize("again", [(), (FAILED,), (dated("2027-06-01T00:00:00", "whois"),), (FREE,)])
def test_a_nearer_date_that_nothing_confirms_is_not_believed_at_once(again: tuple[RegistryAnswer, ...]) -> None:
    seen = Observation((dated("2027-03-01T10:00:00"),), again)
    finding = judged(seen, LAST)
    assert finding.detail["expires_at"] == "2028-03-01T10:00:00Z"
    assert finding.summary.endswith(
        "the registry now says the nearer date 2027-03-01, which a second read has not confirmed"
    )
    assert finding.detail["doubt"] == "2027-03-01T10:00:00Z"
    # The next run reads the same: that is a second read too.
    assert judged(seen, {"": Past(detail=finding.detail)}).detail["expires_at"] == "2027-03-01T10:00:00Z"


def test_a_slip_that_the_second_read_does_not_repeat_is_forgotten() -> None:
    finding = judged(Observation((dated("2027-03-01T10:00:00"),), (dated("2028-03-01T10:00:00"),)), LAST)
    assert finding.summary == "expires 2028-03-01, 463 days left (RDAP)"
    assert "doubt" not in finding.detail


@pytest.mark.parametrize("expires", ["2028-02-29T12:00:00", "2028-03-01T00:00:00", "2029-03-01T10:00:00"])
def test_a_renewal_or_a_day_s_difference_is_believed_at_once(expires: str) -> None:
    assert judged(Observation((dated(expires),)), LAST).detail["expires_at"] == f"{expires}Z"


def test_a_domain_with_a_good_date_is_not_gone_on_one_word() -> None:
    finding = judged(Observation((FREE,)), LAST)
    assert finding.status is OPERATIONAL and finding.detail["doubt"] == "none"
    assert judged(Observation((FREE,), (replace(FREE, source="whois"),)), LAST).status is ERROR
    assert judged(Observation((FREE,)), {"": Past(detail=finding.detail)}).status is ERROR


def test_a_rate_limit_is_unknown_and_says_until_when() -> None:
    until = NOW + timedelta(hours=1)
    limited = RegistryAnswer("rdap", Ending.LIMITED, "HTTP 429", until=until)
    finding = judged(Observation((limited,)))
    assert (finding.status, finding.summary) == (UNKNOWN, "no expiry date: RDAP: rate-limited (HTTP 429)")
    assert finding.detail["not_before"] == "2026-11-24T07:40:00Z"


@pytest.mark.parametrize("detail", [{}, {"expires_at": 7}, {"expires_at": "soon"}, {"failing_since": [], "doubt": 1}])
def test_a_past_that_makes_no_sense_is_none(detail: dict[str, Any]) -> None:
    assert judged(Observation((FAILED,)), {"": Past(detail=detail)}).status is UNKNOWN


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def port43() -> Iterator[WhoisServer]:
    with WhoisServer() as server:
        yield server


def checked(settings: Settings, before: Finding | None = None) -> Finding:
    known = {"": Past(detail=before.detail)} if before else {}
    return judge(look(settings), settings, known, NOW)[0]


def test_a_whole_check_over_rdap_and_port_43(web: WebServer, port43: WhoisServer, tmp_path: Path) -> None:
    settings = Settings("shop.com", rdap=web.url("/"), server=port43.place, data_dir=str(tmp_path), timeout_s=5)
    web.on("/domain/shop.com", rdap(domain_object("shop.com")), rdap("", 500), rdap({}, 429), not_found())
    port43.on("shop.com", "Domain: shop.com\nExpires: 2027-03-01\n", "Too many requests\n", "No match for shop.com\n")
    good = checked(settings)
    assert good.summary == "expires 2027-03-01, 97 days left (RDAP)"
    assert good.detail["registrar"] == "Example Registrar, LLC"
    (tmp_path / "registry.json").unlink()
    whois_ = checked(settings, good)
    assert whois_.summary == "expires 2027-03-01, 96 days left (WHOIS)"
    (tmp_path / "registry.json").unlink()
    limited = checked(settings, whois_)
    assert limited.summary.startswith(
        "expires 2027-03-01, 96 days left (last known); RDAP: rate-limited (HTTP 429); WHOIS"
    )
    assert checked(settings, limited).summary.endswith(
        "RDAP: rate-limited (asked us to wait); WHOIS: rate-limited (asked us to wait)"
    )
    (tmp_path / "registry.json").unlink()
    gone = checked(settings)
    assert (gone.status, gone.summary) == (ERROR, "shop.com is not registered (RDAP)")


def test_a_hung_registry_ends_with_a_reason(web: WebServer, port43: WhoisServer) -> None:
    web.on("/domain/shop.com", [HANG])
    port43.on("shop.com", [HANG])
    finding = checked(Settings("shop.com", rdap=web.url("/"), server=port43.place, timeout_s=0.6))
    assert finding.status is UNKNOWN and not finding.answered
    assert "no answer within 0.6 s" in finding.summary
