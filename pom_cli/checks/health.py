"""health: one GET that must answer as expected within one deadline, and its latency against what is usual."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pom_cli.checks import Site, drift, expect, http_settings
from pom_cli.checks.drift import Drift, Rule, assess, describe
from pom_cli.checks.expect import Expected, Mismatch, differs
from pom_cli.checks.outcome import (
    Outcome,
    asks_patience,
    figures,
    status_of,
    summarize,
    verdicts,
    where,
    without_query,
)
from pom_cli.checks.steps import (
    CERTIFICATE_FAULT,
    LOGS,
    WEB_SERVER_RESTART,
    WEB_SERVER_STATUS,
    Section,
    Step,
    host_facts,
)
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Past, State, Verdict
from pom_cli.net.client import Client
from pom_cli.net.faults import EXPIRED, WRONG_HOST, Fault
from pom_cli.text import clean, listed
from pom_cli.toml.address import is_loopback, origin
from pom_cli.toml.table import Table

if TYPE_CHECKING:
    from pom_cli.net.deadline import Deadline
    from pom_cli.net.exchange import Answer

HELP = "an HTTP request that must answer as expected, and its latency"
COVERED: Mapping[str, Callable[[State], bool]] = {}  # health is what explains the others
INTERVAL = None
NETWORK = True
_NAMES = 20  # of a certificate, in a detail
_EXCERPT = 200  # bytes of a bad answer's body that are kept to be shown


HINTS = (
    ("path", '"/api/health"', "default: the url itself"),
    ("timeout", '"10s"', "for the whole request"),
    ("attempts", "2", "a bad answer is asked again before it counts"),
    ("expect", '{ status = "operational" }', 'the JSON body must contain this; or expect_text = "…"'),
    ("expect_status", "[200]", "default: any 2xx"),
    ("max_latency", '"2s"', "slower is degraded"),
)
RUNBOOK = {
    "health": Section(
        "Health Status Change (Operational -> Error/Unreachable)",
        "Email alert with target status change.",
        (
            Step("Verify manually:", ("curl -v {health_url}",)),
            *CERTIFICATE_FAULT,
            Step("If Unreachable: check network ({vpn}, firewall, DNS resolution)", when=(UNREACHABLE,)),
            Step("If Unreachable: check network (firewall, DNS resolution)", when=(UNREACHABLE,), lacking="vpn"),
            Step(
                "If Error (5xx): SSH into the target server, check application logs",
                (LOGS,),
                when=(ERROR,),
                lacking="certificate",
            ),
            Step(
                "If Degraded (2xx but unexpected body): check application state, database connectivity",
                when=(DEGRADED,),
            ),
            # A health alert covers `tls-failed`: where no HTTPS came about at all, its mail is the only one.
            *(
                replace(step, having="unsecured", lacking="certificate")
                for step in (WEB_SERVER_STATUS, WEB_SERVER_RESTART)
            ),
            Step(
                "Restart the service if needed:",
                ("ssh {ssh} {sudo:whole}systemctl restart {unit:remote}",),
                lacking="certificate",
            ),
        ),
        facts=lambda _subject, known: host_facts("", known),
    ),
    "latency-drift": Section(
        "Latency Drift",
        "Sustained response time increase (>2x the 7-day baseline).",
        (
            Step("Check server load:", ("ssh {ssh} top -bn1 | head -5",)),
            Step(
                "Check PostgreSQL:",
                ("""ssh {ssh} "psql -c 'SELECT count(*) FROM pg_stat_activity;' {database:"}\"""",),
            ),
            Step(
                "Check for slow queries:",
                (
                    r'ssh {ssh} "psql -c \"SELECT query, calls, mean_exec_time FROM pg_stat_statements '
                    r'ORDER BY mean_exec_time DESC LIMIT 5;\" {database:"}"',
                ),
            ),
            Step("Check disk I/O:", ("ssh {ssh} iostat -x 1 3",)),
            Step("If database-related: consider VACUUM ANALYZE on affected tables"),
        ),
    ),
}


@dataclass(frozen=True)
class Settings:
    """What to ask and what must come back."""

    url: str
    client: Client = field(default_factory=Client)
    expected: Expected = field(default_factory=Expected)
    drift: Rule | None = field(default_factory=Rule)  # None: not watched

    @property
    def budget(self) -> float:
        return self.client.budget(self.client.timeout_s)


@dataclass(frozen=True)
class Seen:
    """The last attempt: an answer, with the beginning of its body alone, or the fault for which none came."""

    outcome: Outcome
    mismatch: Mismatch | None = None  # how the answer differs from what is expected
    attempts: int = 1
    skew_s: int | None = None  # the server's clock less ours, where the answer tells
    names: tuple[str, ...] = ()  # in the certificate, if that is the fault


def adhoc(site: Site) -> bool:
    return True


def parse(table: Table, site: Site) -> Settings:
    """The Settings from a target's `health` table."""
    client = http_settings.requesting(table, site)
    expected = http_settings.readable(table, client, expect.parse(table))
    return Settings(http_settings.url(table, site), client, expected, drift.parse(table))


def facts(settings: Settings) -> Mapping[str, Any]:
    return {"health_url": settings.url}


def subjects(settings: Settings) -> tuple[str, ...]:
    return ("",)


def look(settings: Settings) -> Seen:
    """Ask until an answer is good, at most `attempts` times; the last one counts."""
    attempt, seen = 1, _ask(settings)
    while attempt < settings.client.attempts and _may_be_better(seen, settings.expected):
        time.sleep(settings.client.pause_s)
        attempt, seen = attempt + 1, _ask(settings)
    return replace(seen, attempts=attempt)


def _may_be_better(seen: Seen, expected: Expected) -> bool:
    good = status_of(seen.outcome, seen.mismatch, expected) is OPERATIONAL
    return not good and not asks_patience(seen.outcome)


def _ask(settings: Settings) -> Seen:
    from pom_cli.checks.tls import presented
    from pom_cli.net.dates import skew_s
    from pom_cli.net.http import fetch
    from pom_cli.net.net import Deadline, NoAnswer
    from pom_cli.net.redirects import Policy, place

    client = settings.client
    if obstacle := client.obstacle():
        return Seen(obstacle)
    deadline = Deadline.after(client.timeout_s)
    try:
        answer = fetch(
            settings.url,
            client.headers,
            deadline,
            verify=client.verify,
            ca_file=client.ca_file,
            identity=client.identity,
            at=client.connect_to,
            method=client.method,
            content=client.body,
            policy=Policy(final=settings.expected.status),
        )
    except NoAnswer as error:
        return Seen(error.fault, names=presented.names(settings.url, error.fault, deadline))
    skew, told = skew_s(answer.headers, time.time()), differs(answer, settings.expected)
    if status_of(answer, told, settings.expected) is OPERATIONAL and not is_loopback(place(answer.url)[0].host):
        told = _dead_beside(answer, deadline)
    return Seen(replace(answer, body=answer.body[:_EXCERPT]), told, skew_s=skew)


def _dead_beside(answer: "Answer", deadline: "Deadline") -> Mismatch | None:
    """Which other address of the host does not answer: clients go on to the next one, so the site works and needs
    attention."""
    from pom_cli.net.race import dead

    for address in answer.others:
        if fault := dead(address, deadline):
            silent = "answer within" in fault.reason
            words = ("does not answer", "does") if silent else (f"fails ({fault.reason})", "answers")
            return Mismatch(f"{address.ip} {words[0]}; {answer.address} {words[1]}")
    return None


def judge(seen: Seen, settings: Settings, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """One Finding, with verdicts on `health` and `latency-drift`; unknown where it says nothing about one."""
    if isinstance(seen.outcome, Fault):
        return [_silence(seen.outcome, seen, settings)]
    finding = _answered(seen.outcome, seen, settings)
    if finding.status is not OPERATIONAL:
        return [finding]
    return [_with_drift(finding, round(seen.outcome.total_ms), past.get("", Past()), settings.drift)]


def _silence(fault: Fault, seen: Seen, settings: Settings) -> Finding:
    certificate = _certificate(fault, seen.names)
    summary = _misnamed(settings.url, certificate) or summarize(seen.outcome, seen.mismatch, settings.expected)
    summary = settings.client.masked(summary)
    return Finding(
        subject="",
        status=fault.status,
        summary=summary,
        verdicts={
            **verdicts("health", fault, fault.status, summary),
            "latency-drift": Verdict(UNKNOWN, summary),
        },
        detail={**where(fault), **certificate, "url": without_query(settings.url), "attempts": seen.attempts},
        answered=fault.blame == "certificate",
    )


def _certificate(fault: Fault, names: Sequence[str]) -> dict[str, Any]:
    """What `detail` holds of a certificate at fault, in the words of the tls kind."""
    if fault.blame != "certificate":
        return {}
    reason = {EXPIRED: "expired", WRONG_HOST: "wrong host"}.get(fault.reason, fault.reason)
    return {"certificate": reason, "names": [clean(name, 100) for name in names[:_NAMES]]}


def _misnamed(url: str, certificate: Mapping[str, Any]) -> str:
    """`certificate does not match shop.example (issued for other.example)`, if that is the fault."""
    if certificate.get("certificate") != "wrong host":
        return ""
    names = certificate["names"]
    issued = f" (issued for {listed(names)})" if names else ""
    return f"certificate does not match {origin(url)[1]}{issued}"


def _answered(answer: "Answer", seen: Seen, settings: Settings) -> Finding:
    status = status_of(seen.outcome, seen.mismatch, settings.expected)
    summary = settings.client.masked(summarize(seen.outcome, seen.mismatch, settings.expected))
    detail = {**figures(answer), "url": settings.client.masked(without_query(answer.url)), "attempts": seen.attempts}
    if seen.skew_s is not None:
        detail["clock_skew_s"] = seen.skew_s
    if status is not OPERATIONAL and answer.body:
        detail["excerpt"] = clean(settings.client.masked(answer.body.decode("utf-8", "replace")))
    return Finding(
        subject="",
        status=status,
        summary=summary,
        verdicts={**verdicts("health", answer, status, summary), "latency-drift": Verdict(UNKNOWN, summary)},
        latency_ms=round(answer.total_ms),
        detail=detail,
    )


def _with_drift(good: Finding, latency_ms: int, before: Past, rule: Rule | None) -> Finding:
    """A good finding, made degraded where it is good and slow. Only `latency-drift` speaks of that."""
    found = assess(latency_ms, before, rule) if rule else Drift(False)
    verdict = _speed(found, before, rule)
    finding = replace(good, verdicts={**good.verdicts, "latency-drift": verdict}, usual_ms=found.baseline_ms)
    slow = before.drifting if found.drifting is None else found.drifting
    if not slow:
        return finding
    medians = {"median_ms": found.median_ms, "baseline_ms": found.baseline_ms} if found.drifting else {}
    return replace(finding, status=DEGRADED, summary=verdict.summary, detail={**good.detail, **medians}, drifting=True)


def _speed(found: Drift, before: Past, rule: Rule | None) -> Verdict:
    if rule is None:
        return Verdict(OPERATIONAL, "latency drift is not watched")
    if found.drifting is None:
        return Verdict(UNKNOWN, "slower than usual" if before.drifting else "too few answers to tell")
    if found.drifting:
        return Verdict(DEGRADED, describe(found))
    anew = before.drifting and found.baseline_ms is None
    return Verdict(OPERATIONAL, "slow for so long that it is the usual now" if anew else "response time back to normal")
