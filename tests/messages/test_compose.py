"""One message for all notices of a run: its subject, its body, its bounds."""

import email.policy
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli import __version__
from pom_cli.config.runbook import Tools
from pom_cli.messages import runbook, tools
from pom_cli.messages.compose import LIMIT, SUBJECT, compose, delayed, payload, rank
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNREACHABLE, Mail, Notice, Status

NOW = datetime(2026, 11, 24, 6, 45, 17, tzinfo=UTC)
FACTS = {
    "url": "https://makenot.work",
    "health_url": "https://makenot.work/api/health",
    "host": "makenot.work",
    "port": 443,
    "ssh": "root@100.120.174.96",
    "unit": "makenotwork",
    "database": "makenotwork",
    "domain": "makenot.work",
    "instance": "hetzner",
    "pom_here": "pom",
    **tools.facts(Tools()),
}


def facts(_notice: Notice) -> Mapping[str, Any]:
    return FACTS


def nothing(_notice: Notice) -> Mapping[str, Any]:
    return {}


def notice(target: str = "makenotwork", alert: str = "health", reason: str = "new", **more: Any) -> Notice:
    over = reason == "recovered"
    words = {
        "id": "1",
        "before": UNREACHABLE if over else OPERATIONAL,
        "now": OPERATIONAL if over else UNREACHABLE,
        "since": NOW - timedelta(minutes=5),
        "at": NOW,
        "summary": "connection refused",
    }
    return Notice(target=target, alert=alert, reason=reason, **{**words, **more})


def subject(*notices: Notice, instance: str = "hetzner") -> str:
    return compose(notices, instance, facts, NOW)[0]


def body(*notices: Notice, known: Any = facts) -> str:
    return compose(notices, "hetzner", known, NOW)[1]


def test_the_subject_leads_with_instance_target_and_what_happened() -> None:
    assert subject(notice()) == "[PoM hetzner] makenotwork unreachable: connection refused"
    assert subject(notice(reason="recovered")) == "[PoM hetzner] makenotwork operational again"


def test_the_instances_own_alert_has_no_target() -> None:
    assert subject(notice("", "monitoring-offline")) == "[PoM hetzner] offline: this monitor's own network is down"


def test_the_subject_of_several_is_the_worst_and_their_number() -> None:
    assert (
        subject(notice("blog", reason="recovered"), notice("shop", "dns", now=ERROR), notice())
        == "[PoM hetzner] makenotwork unreachable: connection refused (+2 more)"
    )


def test_problems_rank_by_what_they_are_now_then_reason_then_name_and_recoveries_last() -> None:
    wanted = [
        notice("b", now=UNREACHABLE),
        notice("a", now=UNREACHABLE, reason="reminder", before=UNREACHABLE),
        notice("a", "cors", now=ERROR),
        notice("a", "dns", now=ERROR),
        notice("b", "dns", now=ERROR),
        notice("a", "dns", now=ERROR, reason="worse", before=DEGRADED),
        notice("a", "dns", now=ERROR, reason="changed", before=ERROR),
        notice("a", "tls-expiry", now=DEGRADED),
        notice("a", reason="recovered"),
        notice("b", reason="recovered"),
    ]
    assert rank(reversed(wanted)) == wanted


def test_a_problem_comes_with_its_steps_filled_in() -> None:
    text = body(notice())
    assert text.startswith("makenotwork health: Unreachable, was Operational\nSince: ")
    assert (
        "\n\nWhat to do:\n"
        "1. Verify manually:\n"
        "    curl -v https://makenot.work/api/health\n"
        "2. If Unreachable: check network (Tailscale, firewall, DNS resolution)\n"
        "3. Restart the service if needed:\n"
        "    ssh root@100.120.174.96 systemctl restart makenotwork\n\n"
    ) in text


@pytest.mark.parametrize(
    ("phase", "url", "told"),
    [
        ("connect", "https://makenot.work/api/health", True),
        ("tls", "https://makenot.work/api/health", True),
        ("body", "https://makenot.work/api/health", False),
        ("connect", "http://makenot.work/api/health", False),
        (None, "https://makenot.work/api/health", False),
    ],
)
def test_a_health_alert_goes_on_with_caddy_where_no_https_came_about(phase: str | None, url: str, told: bool) -> None:
    text = body(notice(facts={"phase": phase, "url": url}))
    assert ("    ssh root@100.120.174.96 systemctl status caddy\n" in text) is told


def test_the_last_lines_say_how_to_acknowledge_it_who_wrote_it_and_where_to_look_further() -> None:
    ack = "\n\nAcknowledge (no more reminders until it recovers):\n    ssh hetzner pom ack makenotwork\n"
    assert body(notice()).endswith(f"{ack}\nPoM {__version__}. More: pom status, pom incidents\n")
    for told in (notice("", "monitoring-offline"), notice(reason="recovered")):
        assert "Acknowledge" not in body(told)
    elsewhere = body(notice(), known=lambda _: {**FACTS, "pom_here": "pom --config /srv/pom.toml"})
    assert "    ssh hetzner pom --config /srv/pom.toml ack makenotwork\n" in elsewhere
    assert elsewhere.endswith("More: pom --config /srv/pom.toml status, pom --config /srv/pom.toml incidents\n")


def test_each_target_has_its_line_that_acknowledges_and_each_only_one() -> None:
    text = body(notice(), notice(alert="dns"), notice("shop"))
    assert "    ssh hetzner pom ack makenotwork\n    ssh hetzner pom ack shop\n" in text
    assert text.count("pom ack makenotwork") == 1


def test_where_it_was_seen_from_is_said_once() -> None:
    assert body(notice()).count("\nFrom: hetzner at 2026-11-24 06:45:17 UTC") == 1
    assert "\nFrom: hetzner\n" in body(notice(since=NOW)), "it began just then"
    assert body(notice(), notice("shop")).count("From: hetzner") == 1


def test_a_certificates_fault_gets_the_certificates_steps() -> None:
    seen = {"certificate": "wrong host", "names": ["other.example.com"], "phase": "tls", "url": "https://makenot.work"}
    for alert in ("health", "tls-failed"):
        text = body(notice(alert=alert, now=ERROR, facts=seen))
        assert "It is issued for other.example.com; it should be for makenot.work\n" in text
        assert "verify cert paths in /etc/caddy/Caddyfile" in text and "systemctl restart" not in text


def test_a_refused_token_gets_its_own_steps() -> None:
    seen = {"doubt": "token", "error": "it refuses our token"}
    peer = {"env_here": "/etc/pom/env", "instance": "hetzner", "env": "/etc/pom/env"}
    text = body(notice("astra", "peer-missing", facts=seen), known=lambda _: peer)
    assert "If a token is refused" in text and "If PoM is down" not in text


def test_the_registrar_that_was_seen_goes_before_the_usual_one() -> None:
    told = notice(alert="whois-expiry", now=DEGRADED, facts={"registrar": "Gandi SAS"}, days_left=16)
    assert "Renew domain with registrar (Gandi SAS for makenot.work)" in body(told)


def test_a_label_is_for_people_and_the_name_for_commands() -> None:
    known = {**FACTS, "label": "Make Not Work"}
    line, text = compose([notice()], "hetzner", lambda _: known, NOW)
    assert line == "[PoM hetzner] Make Not Work unreachable: connection refused"
    assert text.startswith("Make Not Work (makenotwork) health: Unreachable") and "pom ack makenotwork" in text


def test_a_recovery_has_no_steps() -> None:
    text = body(
        notice(
            "",
            "monitoring-offline",
            "recovered",
            facts={"started_at": NOW - timedelta(hours=1), "ended_at": NOW - timedelta(minutes=5)},
        )
    )
    assert "What to do" not in text and "\nStart: 2026-11-24 05:45:17" in text and "\nEnd: 2026-11-24 06:40:17" in text


def test_the_steps_are_for_what_fails() -> None:
    text = body(
        notice(alert="route", subjects=("/login", "/docs")),
        notice(alert="dns", subjects=("www.makenot.work CNAME",)),
        notice(alert="tls-failed", subjects=("shop.example.com:8443",)),
        notice(alert="cors", facts={"url": "https://makenot.work/api"}),
    )
    assert "    curl -sI https://makenot.work/login\n    curl -sI https://makenot.work/docs\n" in text
    assert "    dig www.makenot.work CNAME +short\n" in text
    assert "    openssl s_client -connect shop.example.com:8443 -servername shop.example.com\n" in text
    assert "    curl -si -X OPTIONS https://makenot.work/api" not in text  # the origin is not known
    assert "    pom check cors makenotwork\n" in text


def test_several_notices_are_counted_told_worst_first_and_then_what_to_do() -> None:
    text = body(notice("blog", reason="recovered"), notice("shop", "dns", now=ERROR), notice())
    assert text.startswith("2 problems, 1 recovery (worst first)\n\n")
    places = [
        text.index(part)
        for part in (
            "makenotwork health: Unreachable, was Operational",
            "shop dns: Error, was Operational",
            "blog health: Operational, was Unreachable",
            "What to do about makenotwork health:",
            "What to do about shop dns:",
        )
    ]
    assert places == sorted(places)


def test_steps_that_are_the_same_are_printed_once() -> None:
    text = body(notice("a", "latency-drift"), notice("b", "latency-drift"), known=nothing)
    assert "\nWhat to do about a latency-drift, b latency-drift:\n" in text
    assert text.count("Check server load") == 1
    crowd = body(*(notice(f"t{n}", "latency-drift") for n in range(6)), known=nothing)
    assert "What to do about t0 latency-drift, t1 latency-drift, t2 latency-drift, 3 more:" in crowd.replace("\n", " ")
    assert "Steps for" not in crowd


def test_hundreds_of_notices_stay_readable() -> None:
    many = [notice(f"site-{n:03}") for n in range(300)]
    text = body(*many)
    assert text.startswith("300 problems (worst first)")
    assert text.count("\nSince: ") == 10
    assert "\n\nAlso:\n- site-010 unreachable: connection refused\n" in text
    assert "- site-209 unreachable" in text and "site-210" not in text
    assert "\nand 90 more: see pom alerts\n" in text
    assert "1. Verify manually:" in text and "more: pom runbook ALERT TARGET\n" in text
    assert len(text.encode()) <= LIMIT


def test_where_room_is_short_the_least_important_steps_go_first_and_are_counted() -> None:
    long = "/" + "x" * 400
    many = [
        notice(f"site-{n}", "route", subjects=tuple(f"{long}{n}{m}" for m in range(5)), summary="y" * 200)
        for n in range(10)
    ]
    text = body(*many)
    printed = [n for n in range(10) if f"What to do about site-{n} route" in text]
    assert 0 < len(printed) < 10 and printed == list(range(len(printed)))
    assert f"\nSteps for {10 - len(printed)} more: pom runbook ALERT TARGET\n" in text
    assert len(text.encode()) <= LIMIT


def test_sentences_and_commands_stay_whole_for_the_reader_to_wrap() -> None:
    text = body(notice(alert="health", now=DEGRADED))
    assert "If Degraded (2xx but unexpected body): check application state, database connectivity\n" in text
    assert "ORDER BY mean_exec_time DESC LIMIT 5" in body(notice(alert="latency-drift"))


def test_a_target_that_a_shell_would_split_is_quoted() -> None:
    assert """    ssh hetzner 'pom ack '"'"'a b; id'"'"''\n""" in body(notice("a b; id"))


def test_the_payload_names_the_instance_and_all_notices_worst_first() -> None:
    over = notice("blog", reason="recovered")
    assert payload([over, notice()], "hetzner") == {
        "instance": "hetzner",
        "notices": [notice().as_json(), over.as_json()],
    }
    assert payload([notice()], "hetzner")["notices"][0]["from"] == "operational"


anything = st.text(max_size=300)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
seen = st.dictionaries(
    st.sampled_from(
        ["http_status", "phase", "address", "latency_ms", "url", "error", "certificate", "names", "doubt", "deployed"]
    ),
    anything | st.integers() | st.none() | st.floats(),
)


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    subjects = tuple(draw(st.lists(anything, max_size=8)))
    told = {
        "views": draw(st.lists(anything, max_size=7)),
        "subject_summaries": {name: draw(anything) for name in subjects},
    }
    times = draw(st.dictionaries(st.sampled_from(["last_good", "started_at"]), instants | st.none()))
    return Notice(
        id=draw(anything),
        target=draw(anything),
        alert=draw(st.sampled_from(runbook.ALERTS) | anything),
        reason=draw(st.sampled_from(["new", "worse", "changed", "reminder", "escalated", "recovered"])),
        before=draw(st.sampled_from(Status)),
        now=draw(st.sampled_from(Status)),
        since=draw(instants),
        at=draw(instants),
        summary=draw(anything),
        subjects=subjects,
        days_left=draw(st.none() | st.integers(-400, 4000)),
        facts=draw(seen) | told | times,
    )


def is_safe(text: str) -> bool:
    return not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)


@pytest.mark.slow
@given(st.lists(notices(), min_size=1, max_size=3), anything)
def test_the_subject_is_one_short_line_that_a_mail_header_takes(told: list[Notice], instance: str) -> None:
    line, _ = compose(told, instance, facts, NOW)
    assert line.startswith("[PoM") and len(line) <= SUBJECT
    assert len(line.splitlines()) == 1 and is_safe(line)
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["Subject"] = line
    assert mail["Subject"] == line and len(mail.items()) == 1


@pytest.mark.slow
@given(st.lists(notices(), min_size=1, max_size=3), st.dictionaries(st.sampled_from(list(FACTS)), anything))
def test_no_text_from_outside_gets_a_control_character_into_the_body(told: list[Notice], known: Any) -> None:
    _, text = compose(told, "hetzner", lambda _notice: known, NOW)
    assert is_safe(text.replace("\n", "")) and len(text.encode()) <= LIMIT
    assert text.endswith("\n") and "\n\n\n" not in text


names = st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True)


@pytest.mark.slow
@given(st.lists(st.tuples(names, st.sampled_from(runbook.ALERTS), notices()), min_size=1, max_size=10))
def test_every_notice_of_up_to_ten_is_told_by_target_and_alert(told: list[tuple[str, str, Notice]]) -> None:
    _, text = compose([replace(one, target=name, alert=alert) for name, alert, one in told], "hetzner", facts, NOW)
    words = " ".join(text.split())
    assert all(f"{name} {alert}: " in words for name, alert, _ in told)


@pytest.mark.parametrize("filler", ["x", "→", "😀", "'", "a b ", "'; rm -rf / #"])
def test_the_body_is_bounded_whatever_it_is_filled_with(filler: str) -> None:
    much = filler * (3000 // len(filler))
    stuffed = notice(
        much,
        "route",
        summary=much,
        subjects=tuple(f"/{n}{filler * (450 // len(filler))}" for n in range(50)),
        facts={"views": [much] * 9, "error": much, "url": much, "address": much, "phase": much},
    )
    for count in (1, 10, 250):
        line, text = compose([stuffed] * count, much, facts, NOW)
        assert len(text.encode()) <= LIMIT and len(line) <= SUBJECT
        assert ": Unreachable, was" in text and f"PoM {__version__}. " in text


@pytest.mark.parametrize(
    ("minutes", "tried", "late"), [(0.5, True, False), (3, True, True), (3, False, False), (5, False, True)]
)
def test_the_time_that_a_run_took_to_look_is_no_delay_of_its_mail(minutes: float, tried: bool, late: bool) -> None:
    mail = Mail("m-1", "ops@example.com", "subject", "body", written_at=NOW, tried=tried)
    body = delayed(mail, NOW + timedelta(minutes=minutes)).body
    assert body.startswith(f"Delayed by {minutes} min: written at ") is late
