"""Notices become one message: a subject that leads with the worst, and a body that can be read on a phone at night.

Pure. Whatever came from outside goes through `clean`: nothing here can put a header in a mail.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pom_cli import __version__
from pom_cli.checks import kind_of
from pom_cli.frozen import dataclass
from pom_cli.messages import runbook
from pom_cli.messages.runbook import wrapped
from pom_cli.messages.subject import headline
from pom_cli.messages.wording import block, name, recovered, when
from pom_cli.model import SEVERITY, Mail, Notice
from pom_cli.text import clean
from pom_cli.times import short

Facts = Callable[[Notice], Mapping[str, Any]]


@dataclass(frozen=True)
class _Told:
    """A notice with what is known for its steps."""

    notice: Notice
    known: Mapping[str, Any]


_Group = tuple[tuple[str, ...], list[_Told]]  # steps, and the problems that they are for

SUBJECT = 150  # characters
LIMIT = 20_000  # bytes of body
DETAILED = 10  # notices in full, with what to do
LISTED = 200  # further ones that get a line each
_ACKS = 5  # targets with a line that acknowledges their alerts
_PROMPT = timedelta(minutes=1)  # a mail that arrives by a later try within it is not late
# Nor is one that leaves at the first try: it bears the time at which its run began, which may look so long
# (TimeoutStartSec). After that the run has died before it could send it.
_LOOKING = timedelta(minutes=4)
_NOTES = 400  # bytes kept for the lines that say what was left out
_RULE = "\n\n" + "-" * 24 + "\n\n"
_REASONS = ("new", "worse", "escalated", "changed", "reminder", "recovered")


def compose(
    notices: Sequence[Notice], instance: str, facts: Facts, now: datetime, trouble: str = ""
) -> tuple[str, str]:
    """Subject and body of the one message that carries all notices of a run: at least one.

    `facts` returns what is known of a notice's target; what was seen is in the notice's own facts. `trouble` is what
    is wrong with PoM's own database, "" for nothing.
    """
    ranked = [_Told(notice, _known(notice, facts(notice))) for notice in rank(notices)]
    instance = clean(instance, 30)
    return _subject(ranked, instance), _body(ranked, instance, now, trouble)


def payload(notices: Sequence[Notice], instance: str) -> dict[str, Any]:
    """The same for programs: what the webhook posts."""
    return {"instance": instance, "notices": [notice.as_json() for notice in rank(notices)]}


def trial(instance: str, now: datetime) -> tuple[str, str]:
    """Subject and body of the message that `pom alerts test` sends."""
    here = clean(instance, 30)
    body = f"This is a test message from PoM {__version__} on {here}, sent at {when(now)}.\n"
    return f"[PoM {here}] test message", body + "If you can read this, alerts will reach you too.\n"


def delayed(mail: Mail, now: datetime) -> Mail:
    """A mail that could not go out when it was written begins with that: its "just now" was then."""
    if mail.written_at is None or now - mail.written_at < (_PROMPT if mail.tried else _LOOKING):
        return mail
    waited = f"Delayed by {short(now - mail.written_at)}: written at {when(mail.written_at)}"
    return replace(mail, body=f"{waited}\n\n{mail.body}")


def rank(notices: Iterable[Notice]) -> list[Notice]:
    """Worst first: problems by what they are now, then recoveries; among equals the newest reason, then the name."""
    return sorted(notices, key=_rank)


def _rank(notice: Notice) -> tuple[bool, int, int, str, str]:
    reason = _REASONS.index(notice.reason) if notice.reason in _REASONS else len(_REASONS)
    return recovered(notice), -SEVERITY[notice.now], reason, notice.target, notice.alert


def _subject(ranked: Sequence[_Told], instance: str) -> str:
    more = f" (+{len(ranked) - 1} more)" if len(ranked) > 1 else ""
    return clean(f"[PoM {instance}] {_headline(ranked[0])}", SUBJECT - len(more)) + more


def _headline(told: _Told) -> str:
    return headline(told.notice, told.known)


def _body(ranked: Sequence[_Told], instance: str, now: datetime, trouble: str) -> str:
    """Notices in full up to half the room; the worst one's steps; a line for each other; then the other steps."""
    alone, origin = len(ranked) == 1, _origin(ranked, instance)
    end = _end(ranked, "" if alone else origin, trouble)
    room = LIMIT - _NOTES - _size(end)
    blocks = (block(told.notice, told.known, now, origin if alone else "") for told in ranked[:DETAILED])
    full = _fitting(blocks, LIMIT // 2)
    room -= sum(map(_size, full))
    groups = _todo(ranked[:DETAILED])
    advice = [_advice(group, alone) for group in groups]
    first = _fitting(advice[:1], room)
    room -= sum(map(_size, first))
    lines = _fitting((wrapped(f"- {_headline(told)}") for told in ranked[len(full) :][:LISTED]), room, 1)
    room -= sum(_size(line, 1) for line in lines)
    steps = first + (_fitting(advice[1:], room) if first else [])
    parts = [*full, *_listing(lines, len(ranked) - len(full)), *steps, *_unadvised(ranked, groups, len(steps))]
    if alone:
        return "\n\n".join([*parts, end]) + "\n"
    return _RULE.join([_tally(ranked), *parts]) + f"\n\n{end}\n"


def _fitting(parts: Iterable[str], room: int, joint: int = len(_RULE)) -> list[str]:
    """The parts from the front that fit into this number of bytes, with what is between two of them."""
    fitting = []
    for part in parts:
        room -= _size(part, joint)
        if room < 0:
            break
        fitting.append(part)
    return fitting


def _size(part: str, joint: int = len(_RULE)) -> int:
    return len(part.encode()) + joint


def _tally(ranked: Sequence[_Told]) -> str:
    ended = sum(recovered(told.notice) for told in ranked)
    counts = [(len(ranked) - ended, "problem", "problems"), (ended, "recovery", "recoveries")]
    words = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
    return f"{words} (worst first)"


def _listing(lines: Sequence[str], count: int) -> list[str]:
    """The notices that get a line each, as one part of the body, and how many got none."""
    unlisted = [f"and {count - len(lines)} more: see pom alerts"] if count > len(lines) else []
    return ["\n".join(["Also:", *lines, *unlisted])] if count else []


def _todo(ranked: Sequence[_Told]) -> list[_Group]:
    """The steps for each problem, worst first; problems that have the same ones are together."""
    groups: dict[tuple[str, ...], list[_Told]] = {}
    for told in ranked:
        if not recovered(told.notice) and (steps := runbook.steps(told.notice.alert, told.known)):
            groups.setdefault(steps, []).append(told)
    return list(groups.items())


def _known(notice: Notice, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the runbook's steps are filled in with: the target's facts, and what was seen."""
    seen = notice.facts
    fault, names = seen.get("certificate"), seen.get("names")
    misnamed = names if fault == "wrong host" and isinstance(names, list) else []
    found = {
        "registrar": seen.get("registrar"),
        "certificate": fault,
        "certificate_names": ", ".join(map(str, misnamed[:5])),
        "untrusted": "yes" if fault and fault not in ("wrong host", "expired", "not yet valid") else "",
    }
    known = {"cors_url": seen.get("url"), **facts, **{key: text for key, text in found.items() if text}}
    known |= {"status": notice.now, "target": notice.target, "doubt": seen.get("doubt") or ""}
    if seen.get("doubt") == "token":
        known["refused"] = "yes"  # so it runs, and there is a way to it
    if notice.subjects:
        known["subjects"] = {kind_of(notice.alert): notice.subjects}
    if seen.get("phase") in ("connect", "tls") and str(seen.get("url", "")).startswith("https:"):
        known["unsecured"] = "yes"
    return known


def _advice(group: _Group, alone: bool) -> str:
    steps, several = group
    names = [name(told.notice, told.known) for told in several[:3]]
    more = [f"{len(several) - 3} more"] if len(several) > 3 else []
    about = "" if alone else f" about {', '.join(names + more)}"
    return wrapped(f"What to do{about}:", indent="") + "\n" + runbook.numbered(steps)


def _unadvised(ranked: Sequence[_Told], groups: Sequence[_Group], printed: int) -> list[str]:
    """How many problems had to do without their steps here."""
    advised = sum(len(several) for _, several in groups[:printed])
    problems = [told.notice for told in ranked if not recovered(told.notice) and told.notice.alert in runbook.ALERTS]
    left = len(problems) - advised
    return [f"Steps for {left} more: pom runbook ALERT TARGET"] if left > 0 else []


def _origin(ranked: Sequence[_Told], instance: str) -> str:
    """Where it was seen from, and when, unless that is when it began or ended."""
    notices = [told.notice for told in ranked]
    given = [one.facts.get("ended_at") or one.at if recovered(one) else one.since for one in notices]
    new = all(one.at == instant for one, instant in zip(notices, given, strict=True))
    return f"From: {instance}" if new else f"From: {instance} at {when(notices[0].at)}"


def _end(ranked: Sequence[_Told], origin: str, trouble: str) -> str:
    """How to acknowledge it, who wrote this, and where to look further."""
    pom = clean(str(ranked[0].known.get("pom_here") or "pom"), 300)
    problems = [told for told in ranked if not recovered(told.notice)]
    acks = [line for told in problems if (line := runbook.acknowledge(told.notice.target, told.known))]
    heading = ["Acknowledge (no more reminders until it recovers):"] if acks else []
    parts = [
        f"PoM's own database: {clean(trouble, 500)}" if trouble else "",
        "\n".join([*heading, *(f"    {line}" for line in [*dict.fromkeys(acks)][:_ACKS])]),
        "\n".join(filter(None, [origin, f"PoM {__version__}. More: {pom} status, {pom} incidents"])),
    ]
    return "\n\n".join(filter(None, parts))
