"""The skeleton of a post-mortem in Markdown: what is known of an incident, and headings for what people know."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pom_cli.config import Config
from pom_cli.model import OPERATIONAL
from pom_cli.report.incidents import Folded
from pom_cli.store import acks, reading
from pom_cli.store.deployments import Deployment
from pom_cli.store.reading import Incident
from pom_cli.text import clean, printable
from pom_cli.times import lasted, local, short, utc

_BEFORE = timedelta(days=1)  # deployments this long before it are part of its story
_FOR_PEOPLE = ("Impact", "Cause", "What went well", "What went badly", "Actions")
_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>|#"})

Entry = tuple[datetime, str]


def markdown(
    db: sqlite3.Connection, config: Config, folded: Folded, deployed: Sequence[Deployment], now: datetime
) -> str:
    """One incident. Text from outside is escaped, so that it is no markup."""
    one = folded.one
    end = one.ended_at or now
    entries = sorted([*_timeline(folded), *_deployed(one, deployed, end, config), *_acked(db, one, config)])
    rows = [f"| {local(at)} | {_safe(what)} |" for at, what in entries]
    mail = reading.first_mail(db, one.id)
    lines = [
        f"# {_safe(_label(config, one.target))}: {one.alert} {one.worst}, {utc(one.started_at)[:10]}",
        "",
        f"- What: {_safe(one.summary)}",
        f"- Began: {local(one.started_at)} ({utc(one.started_at)})",
        f"- Ended: {f'{local(one.ended_at)} ({utc(one.ended_at)})' if one.ended_at else 'ongoing'}",
        f"- Lasted: {short(lasted(one.started_at, end))}",
        "",
        *("## Timeline", "", "| time | what |", "|---|---|", *rows, ""),
        *(line for heading in _FOR_PEOPLE for line in (f"## {heading}", "", "", "")),
        *(["## The first mail", "", *(f"    {line}" for line in printable(mail).splitlines()), ""] if mail else []),
    ]
    return "\n".join(lines)


def _timeline(folded: Folded) -> Iterator[Entry]:
    for one in (folded.one, *folded.covered):
        name = f"{one.target} {one.alert}".strip()
        covered = "" if one is folded.one else " (explained by the outage)"
        yield one.started_at, f"{name} {one.worst}: {one.summary}{covered}"
        if one.ended_at:
            yield one.ended_at, f"{name} {OPERATIONAL} again{covered}"
    for told in folded.one.told:
        for view in told.views:
            yield told.at, f"peer {view}"
        if told.delivered_at:
            yield told.delivered_at, f"notified {', '.join(told.recipients)} ({told.reason})"
        else:
            yield told.at, f"notice not delivered ({told.reason})"


def _deployed(one: Incident, deployed: Sequence[Deployment], end: datetime, config: Config) -> Iterator[Entry]:
    for each in deployed:
        if each.target == one.target and one.started_at - _BEFORE <= each.at <= end:
            yield each.at, f"deployed {each.rev}{_by(each, config)}"


def _acked(db: sqlite3.Connection, one: Incident, config: Config) -> Iterator[Entry]:
    ack = acks.of_incident(db, one.id)
    if ack:
        yield ack.at, f"acknowledged{_by(ack, config)}"


def _by(one: Deployment | acks.Ack, config: Config) -> str:
    who = f" by {one.who} on {one.origin or config.instance.name}"
    return f"{who}: {one.note}" if one.note else who


def _label(config: Config, name: str) -> str:
    return config.targets[name].label if name in config.targets else name or config.instance.name


def _safe(text: str) -> str:
    return clean(text, 400).translate(_SPECIAL)
