"""health: one GET that must answer as expected within one deadline, and its latency against what is usual."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pom_cli import expect
from pom_cli.checks import Site
from pom_cli.drift import Rule, assess, describe
from pom_cli.exchange import Answer
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Past, Status, Verdict
from pom_cli.net import Fault
from pom_cli.table import Table, http_url
from pom_cli.text import clean

ALERTS = ("health", "latency-drift")
COVERED: dict[str, tuple[Status, ...]] = {}  # health is what explains the others
INTERVAL = None
NETWORK = True
_EXCERPT = 200  # bytes of a bad answer's body that are kept to be shown


@dataclass(frozen=True)
class Settings:
    """What to ask and what must come back. Times are in seconds."""

    url: str
    timeout_s: float = 10.0
    attempts: int = 2
    pause_s: float = 2.0  # before a bad answer is asked again
    expected: expect.Expected = field(default_factory=expect.Expected)
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    ca_file: str | None = None
    drift: Rule | None = field(default_factory=Rule)

    @property
    def budget(self) -> float:
        return self.attempts * self.timeout_s + (self.attempts - 1) * self.pause_s


@dataclass(frozen=True)
class Seen:
    """The last attempt: a fault where no answer came, else an answer with the beginning of its body alone."""

    attempts: int
    fault: Fault | None = None
    answer: Answer | None = None
    mismatch: str | None = None  # how the body differs from what is expected


def default(site: Site) -> bool:
    return True


def adhoc(site: Site) -> bool:
    return True


def parse(table: Table, site: Site) -> Settings:
    """The Settings from a target's `health` table."""
    return Settings(
        url=_url(table, site),
        timeout_s=table.duration("timeout", timedelta(seconds=10), "10s", low="100ms", high="5m").total_seconds(),
        attempts=table.integer("attempts", 2, 1, 10),
        expected=expect.parse(table),
        headers=table.read("headers", {}, _headers, 'a table of HTTP headers like { Accept = "text/html" }'),
        verify=site.verify,
        ca_file=site.ca_file,
        drift=_drift(table),
    )


def subjects(settings: Settings) -> tuple[str, ...]:
    return ("",)


def look(settings: Settings) -> Seen:
    """Ask until an answer is good, at most `attempts` times; the last one counts."""
    for attempt in range(1, settings.attempts + 1):
        seen = _ask(settings, attempt)
        if status_of(seen, settings) is OPERATIONAL or attempt == settings.attempts:
            return seen
        time.sleep(settings.pause_s)
    raise AssertionError("the last attempt returns")


def _ask(settings: Settings, attempt: int) -> Seen:
    from pom_cli.http import fetch
    from pom_cli.net import Deadline, NoAnswer

    expected = settings.expected
    try:
        answer = fetch(
            settings.url,
            settings.headers,
            Deadline.after(settings.timeout_s),
            verify=settings.verify,
            ca_file=settings.ca_file,
            final=expected.status,
        )
    except NoAnswer as error:
        return Seen(attempt, fault=error.fault)
    told = expect.mismatch(answer.body, answer.truncated, expected) if expected.of_body else None
    return Seen(attempt, answer=replace(answer, body=answer.body[:_EXCERPT]), mismatch=told)


def judge(seen: Seen, settings: Settings, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """One Finding, with verdicts on `health` and `latency-drift`."""
    status, summary = status_of(seen, settings), summarize(seen, settings)
    silent = Verdict(UNKNOWN, summary)
    finding = Finding(
        subject="",
        status=status,
        summary=summary,
        verdicts={"health": Verdict(status, summary), "latency-drift": silent},
        latency_ms=round(seen.answer.total_ms) if seen.answer else None,
        detail=_detail(seen, status),
        answered=seen.fault is None or seen.fault.blame == "certificate",
    )
    if status is not OPERATIONAL or settings.drift is None:
        return [finding]
    return [_with_drift(finding, past.get("", Past()), settings.drift)]


def _with_drift(good: Finding, past: Past, rule: Rule) -> Finding:
    """A good finding, degraded where it is good and slow."""
    assert good.latency_ms is not None  # noqa: S101 - a good finding has an answer
    found = assess(good.latency_ms, past, rule)
    if found.drifting is None and past.drifting:
        return replace(good, status=DEGRADED, drifting=True)
    if found.drifting is None:
        return good
    if not found.drifting:
        verdict = Verdict(OPERATIONAL, "as fast as usual")
        return replace(good, verdicts={**good.verdicts, "latency-drift": verdict}, usual_ms=found.baseline_ms)
    summary = describe(found)
    return replace(
        good,
        status=DEGRADED,
        summary=summary,
        verdicts={**good.verdicts, "latency-drift": Verdict(DEGRADED, summary)},
        detail={**good.detail, "median_ms": found.median_ms, "baseline_ms": found.baseline_ms},
        drifting=True,
        usual_ms=found.baseline_ms,
    )


def status_of(seen: Seen, settings: Settings) -> Status:
    """The status of one attempt, drift left aside."""
    if seen.fault:
        return seen.fault.status
    assert seen.answer is not None  # noqa: S101 - an attempt ends in a fault or in an answer
    code, listed = seen.answer.status, settings.expected.status
    if seen.answer.flaw or not (200 <= code < 300 or code in listed):
        return ERROR
    return DEGRADED if seen.mismatch or (listed and code not in listed) else OPERATIONAL


def summarize(seen: Seen, settings: Settings) -> str:
    """The fact first. A good answer's is always the same, for summaries are stored once each."""
    if seen.fault:
        return f"{seen.fault.reason} ({seen.fault.phase})" if "within" in seen.fault.reason else seen.fault.reason
    assert seen.answer is not None  # noqa: S101 - as above
    answer, listed = seen.answer, settings.expected.status
    told = answer.flaw or answer.unfollowed
    if (not told and 200 <= answer.status < 300) or answer.status in listed:
        told = told or seen.mismatch
        if listed and answer.status not in listed:
            told = f"{' or '.join(map(str, listed))} is expected"
    return f"{answer.status}, but {told}" if told else phrase(answer)


def phrase(answer: Answer) -> str:
    """`503 Service Unavailable`: the standard's words for a status, else the server's own."""
    from http import HTTPStatus

    try:
        return f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        return f"{answer.status} {clean(answer.reason, 40)}".strip()


def _detail(seen: Seen, status: Status) -> dict[str, Any]:
    if seen.fault:
        return {"attempts": seen.attempts, "phase": seen.fault.phase}
    assert seen.answer is not None  # noqa: S101 - as above
    answer = seen.answer
    times = {
        "dns_ms": answer.dns_ms,
        "connect_ms": answer.connect_ms,
        "tls_ms": answer.tls_ms,
        "first_byte_ms": answer.first_byte_ms,
    }
    detail: dict[str, Any] = {
        "http_status": answer.status,
        "url": clean(answer.url),
        "address": answer.address,
        **{name: round(ms) for name, ms in times.items() if ms is not None},
        "attempts": seen.attempts,
    }
    if status is not OPERATIONAL and answer.body:
        detail["excerpt"] = clean(answer.body.decode("utf-8", "replace"))
    return detail


def _url(table: Table, site: Site) -> str:
    """`url`, or `path` on the target's own origin, or the target's url."""
    if "path" not in table.data:
        return table.url("url", site.url)
    parts = urlsplit(site.url)

    def at_origin(value: Any) -> str:
        if not isinstance(value, str) or not value.startswith("/"):
            raise ValueError(value)
        return http_url(f"{parts.scheme}://{parts.netloc}{value}")

    found = table.read("path", site.url, at_origin, 'a path like "/api/health"')
    if "url" in table.data:
        table.known.add("url")
        table.problem("url", "possible beside path; give one of them")
    return found


def _headers(value: Any) -> dict[str, str]:
    from pom_cli.exchange import is_header

    if not isinstance(value, dict) or not all(isinstance(v, str) and is_header(k, v) for k, v in value.items()):
        raise ValueError
    return dict(value)


def _drift(table: Table) -> Rule | None:
    if isinstance(table.data.get("drift", True), bool):
        return Rule() if table.boolean("drift", True) else None
    own = table.table("drift")
    rule = Rule(
        factor=own.number("factor", 2.0, 1.1, 100.0),
        floor_ms=own.duration("floor", timedelta(milliseconds=50), "50ms", high="1h") / timedelta(milliseconds=1),
        samples=own.integer("samples", 100, 6, 100_000),
    )
    own.finish()
    return rule
