"""Pure: previous state + finding → new state; states of one target → the condition of each kind of alert."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from pom_cli.checks import KINDS
from pom_cli.messages.procedures import plural
from pom_cli.model import OPERATIONAL, SEVERITY, UNKNOWN, Condition, Finding, Key, State, Verdict, worst
from pom_cli.text import listed
from pom_cli.times import holds


def advance(previous: State | None, finding: Finding, at: datetime, now: datetime | None = None) -> State:
    """The state after `finding` at `at`. What was seen before the newest known moment changes nothing.

    A known moment that lies in the future of `now` (usually `at`: a slow run is some time past it) is void, and what
    began then has begun by now.
    """
    if previous and at < previous.checked_at and holds(previous.checked_at, now or at):
        return previous
    status = finding.status
    known, known_since = (previous.known, previous.known_since) if previous else (None, None)
    if status is not UNKNOWN and status is not known:
        known, known_since = status, at
    known_since = min(known_since, at) if known_since else None
    if previous and previous.status is status:
        since = min(previous.since, at)
    else:
        # An unknown between two equal statuses does not begin a new one.
        since = known_since if known_since and status is not UNKNOWN else at
    return State(
        status=status,
        since=since,
        checked_at=at,
        summary=finding.summary,
        known=known,
        known_since=known_since,
        latency_ms=finding.latency_ms,
        detail=finding.detail,
        verdicts=merge(previous.verdicts if previous else {}, finding.verdicts),
        answered=finding.answered,
        # Only a good answer can tell; whatever comes between leaves a drift as it was.
        drifting=finding.drifting
        if finding.drifting or status is OPERATIONAL
        else bool(previous and previous.drifting),
    )


def merge(before: Mapping[str, Verdict], now: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The newest known verdict for each kind of alert: an unknown one leaves what was known before."""
    return {**before, **{alert: verdict for alert, verdict in now.items() if verdict.status is not UNKNOWN}}


def without_network(finding: Finding, why: str) -> Finding:
    """The finding of a monitor whose own network is down: it could not tell anything."""
    unknown = Verdict(UNKNOWN, why)
    return replace(
        finding,
        status=UNKNOWN,
        summary=why,
        latency_ms=None,
        verdicts=dict.fromkeys(finding.verdicts, unknown),
        detail={**finding.detail, "offline": True, "seen": finding.summary},
    )


def condition(target: str, alert: str, states: Mapping[Key, State]) -> Condition:
    """The condition of this alert over all its verdicts: the worst one, and the failing subjects.

    A verdict from another kind of check counts only if it is worse than those of the alert's own kind.
    """
    every = {key: state.verdicts[alert] for key, state in states.items()}
    status = worst(verdict.status for verdict in every.values())
    own = {key: verdict for key, verdict in every.items() if alert in KINDS[key.kind]}
    enough = bool(own) and worst(verdict.status for verdict in own.values()) is status
    verdicts = own if enough else {key: verdict for key, verdict in every.items() if verdict.status is status}
    bad = {key: verdict for key, verdict in verdicts.items() if verdict.status is not OPERATIONAL}
    listed_too = {name for verdict in bad.values() for name in verdict.subjects}
    days = [verdict.days_left for verdict in (bad or verdicts).values() if verdict.days_left is not None]
    return Condition(
        target=target,
        alert=alert,
        status=status,
        summary=_summary(bad or verdicts, len(verdicts), plural(alert)),
        subjects=tuple(sorted(listed_too | ({key.subject for key in bad if key in own} - {""}))),
        days_left=min(days, default=None),
    )


def _summary(verdicts: Mapping[Key, Verdict], total: int, nouns: str) -> str:
    ranked = sorted(verdicts.items(), key=lambda item: (-SEVERITY[item[1].status], item[0].subject))
    if total <= 1 or not ranked:
        return "".join(verdict.summary for _, verdict in ranked)
    if all(verdict.status is OPERATIONAL for _, verdict in ranked):
        return f"all {total} {nouns} OK"
    return f"{len(ranked)} of {total}: " + listed(f"{key.subject}: {verdict.summary}" for key, verdict in ranked)
