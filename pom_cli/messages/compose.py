"""Notices become one message: a subject that leads with the worst, and a body that can be read on a phone at night.

Pure. Whatever came from outside goes through `clean`: nothing here can put a header in a mail.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from shlex import quote
from typing import Any

from pom_cli import __version__
from pom_cli.checks import kind_of
from pom_cli.messages import runbook
from pom_cli.messages.runbook import wrapped
from pom_cli.messages.wording import block, headline, name, recovered
from pom_cli.model import SEVERITY, Mail, Notice
from pom_cli.text import clean
from pom_cli.times import local, short, utc

Facts = Callable[[Notice], Mapping[str, Any]]
_Group = tuple[tuple[str, ...], list[Notice]]  # steps, and the problems that they are for

SUBJECT = 150  # characters
LIMIT = 20_000  # bytes of body
DETAILED = 10  # notices that are told in full, with what to do
LISTED = 200  # further ones that get a line each
_PROMPT = timedelta(minutes=1)  # a mail that arrives by a later try within it is not late
# Nor is one that leaves at the first try: it bears the time at which its run began, which may look so long
# (TimeoutStartSec). After that the run has died before it could send it.
_LOOKING = timedelta(minutes=4)
_NOTES = 400  # bytes kept for the lines that say what was left out
_RULE = "\n\n" + "-" * 24 + "\n\n"
_REASONS = ("new", "worse", "changed", "reminder", "recovered")


def compose(
    notices: Sequence[Notice], instance: str, facts: Facts, now: datetime, trouble: str = ""
) -> tuple[str, str]:
    """Subject and body of the one message that carries all notices of a run: at least one.

    `facts` gives what the runbook may know of a notice's target; what was seen stands in the notice's own facts.
    `trouble` is what is wrong with PoM's own database, "" for nothing.
    """
    ranked = rank(notices)
    instance = clean(instance, 30)
    return _subject(ranked, instance), _body(ranked, instance, facts, now, trouble)


def payload(notices: Sequence[Notice], instance: str) -> dict[str, Any]:
    """The same for programs: what the webhook posts."""
    return {"instance": instance, "notices": [notice.as_json() for notice in rank(notices)]}


def trial(instance: str, now: datetime) -> tuple[str, str]:
    """Subject and body of the message that `pom alerts test` sends."""
    body = (
        f"This is a test message from PoM {__version__} on {clean(instance, 30)}, sent at {utc(now)} ({local(now)}).\n"
    )
    return f"[PoM {clean(instance, 30)}] test message", body + "That it arrived means that alerts will.\n"


def delayed(mail: Mail, now: datetime) -> Mail:
    """A mail that could not go out when it was written says so first: its "just now" was then."""
    if mail.written_at is None or now - mail.written_at < (_PROMPT if mail.tried else _LOOKING):
        return mail
    waited = f"Delayed by {short(now - mail.written_at)}: written at {utc(mail.written_at)} ({local(mail.written_at)})"
    return replace(mail, body=f"{waited}\n\n{mail.body}")


def rank(notices: Iterable[Notice]) -> list[Notice]:
    """Worst first: problems by what they are now, then recoveries; among equals the newest reason, then the name."""
    return sorted(notices, key=_rank)


def _rank(notice: Notice) -> tuple[bool, int, int, str, str]:
    reason = _REASONS.index(notice.reason) if notice.reason in _REASONS else len(_REASONS)
    return recovered(notice), -SEVERITY[notice.now], reason, notice.target, notice.alert


def _subject(ranked: Sequence[Notice], instance: str) -> str:
    more = f" (+{len(ranked) - 1} more)" if len(ranked) > 1 else ""
    return clean(f"[PoM {instance}] {headline(ranked[0])}", SUBJECT - len(more)) + more


def _body(ranked: Sequence[Notice], instance: str, facts: Facts, now: datetime, trouble: str) -> str:
    """In full as many as fit into half the room; the worst one's steps; a line for each other; then the other steps."""
    own = f"PoM's own database: {clean(trouble, 500)}\n\n" if trouble else ""
    end = own + _end(ranked[0], instance)
    room = LIMIT - _NOTES - _size(end)
    told = _fitting((block(notice, instance, now) for notice in ranked[:DETAILED]), LIMIT // 2)
    room -= sum(map(_size, told))
    groups = _todo(ranked[:DETAILED], facts)
    first = _fitting(map(_advice, groups[:1]), room)
    room -= sum(map(_size, first))
    lines = _fitting((wrapped(f"- {headline(notice)}") for notice in ranked[len(told) :][:LISTED]), room, 1)
    room -= sum(_size(line, 1) for line in lines)
    steps = first + (_fitting(map(_advice, groups[1:]), room) if first else [])
    parts = [*told, *_listing(lines, len(ranked) - len(told)), *steps, *_unadvised(ranked, groups, len(steps))]
    if len(ranked) == 1:
        return "\n\n".join([*parts, end]) + "\n"
    return _RULE.join([_tally(ranked), *parts]) + f"\n\n{end}\n"


def _fitting(parts: Iterable[str], room: int, joint: int = len(_RULE)) -> list[str]:
    """The parts from the front that fit into so many bytes, with what stands between two of them."""
    fitting = []
    for part in parts:
        room -= _size(part, joint)
        if room < 0:
            break
        fitting.append(part)
    return fitting


def _size(part: str, joint: int = len(_RULE)) -> int:
    return len(part.encode()) + joint


def _tally(ranked: Sequence[Notice]) -> str:
    over = sum(map(recovered, ranked))
    counts = [(len(ranked) - over, "problem", "problems"), (over, "recovery", "recoveries")]
    told = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
    return f"{told}; the worst first."


def _listing(lines: Sequence[str], count: int) -> list[str]:
    """The notices that get a line each, as one part of the body, and how many got none."""
    unlisted = [f"and {count - len(lines)} more: see pom alerts"] if count > len(lines) else []
    return ["\n".join(["Also:", *lines, *unlisted])] if count else []


def _todo(ranked: Sequence[Notice], facts: Facts) -> list[_Group]:
    """The steps for each problem, worst first; problems that have the same ones stand together."""
    groups: dict[tuple[str, ...], list[Notice]] = {}
    for notice in ranked:
        if not recovered(notice) and (steps := runbook.steps(notice.alert, _known(notice, facts(notice)))):
            groups.setdefault(steps, []).append(notice)
    return list(groups.items())


def _known(notice: Notice, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the runbook's steps are filled in with: the target's facts, and this notice's."""
    known = {"cors_url": notice.facts.get("url"), **facts, "status": notice.now, "target": notice.target}
    known["doubt"] = notice.facts.get("doubt") or ""
    if notice.subjects:
        known["subjects"] = {kind_of(notice.alert): notice.subjects}
    if notice.facts.get("phase") in ("connect", "tls") and str(notice.facts.get("url", "")).startswith("https:"):
        known["unsecured"] = "yes"
    return known


def _advice(group: _Group) -> str:
    steps, notices = group
    names = [name(notice) for notice in notices[:3]]
    more = [f"{len(notices) - 3} more"] if len(notices) > 3 else []
    return wrapped(f"What to do about {', '.join(names + more)}:", indent="") + "\n" + runbook.numbered(steps)


def _unadvised(ranked: Sequence[Notice], groups: Sequence[_Group], printed: int) -> list[str]:
    """How many problems had to do without their steps here."""
    advised = sum(len(notices) for _, notices in groups[:printed])
    left = sum(1 for notice in ranked if not recovered(notice) and notice.alert in runbook.ALERTS) - advised
    return [f"Steps for {left} more: pom runbook ALERT TARGET"] if left > 0 else []


def _end(worst: Notice, instance: str) -> str:
    """Who wrote this, and where to look further."""
    target = clean(worst.target, 50)
    about = f" {quote(target)}" if target else ""
    further = "pom incidents" if recovered(worst) else f"pom runbook {quote(clean(worst.alert, 30))}{about}"
    return f"PoM {__version__} on {instance}. More: pom status, {further}"
