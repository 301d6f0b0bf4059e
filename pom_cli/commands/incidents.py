"""pom incidents: what broke, when, how long, who was told."""

from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pom_cli.config import Config
    from pom_cli.store.reading import Incident


@click.command()
@click.option("--since", default="30d", show_default=True, help="How far back: a duration, or an RFC 3339 instant.")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the shape of /api/incidents.")
@click.pass_context
def command(context: click.Context, since: str, limit: int, as_json: bool) -> int:
    """What broke, when, how long, who was told; newest first, and the mean time to recover.

    Example: pom incidents --since 7d
    """
    from pom_cli.report import history, overview

    loaded = session.config(context)
    now = session.now()
    kept, note = _look(loaded, history.since(since, now), limit)
    found = [overview.incident_json(one, now) for one in kept]
    if as_json:
        session.print_json(found)
        session.complain(filter(None, [note]))
        return 0
    if note:
        click.echo(note)
    for incident, one in zip(found, kept, strict=True):
        for line in _lines(incident, [told.views for told in one.told]):
            click.echo(line)
    click.echo(_summary(found, history.back(since)))
    if len(found) == limit:
        session.complain([f"there may be more than {limit}; see --limit"])
    return 0


def _look(loaded: "Config", begun: "datetime", limit: int) -> "tuple[list[Incident], str]":
    from pom_cli.report import history

    with session.reader(loaded) as (db, note):
        return history.began(db, loaded, begun, limit) if db else [], note


def _lines(incident: "Mapping[str, Any]", views: "Sequence[Sequence[str]]") -> list[str]:
    """`shop health: unreachable for 12 min, 2026-11-24 … to …: connection refused`, and a line for each notice, with
    how the peers saw it then."""
    from datetime import timedelta

    from pom_cli.report.render import coloured
    from pom_cli.text import clean
    from pom_cli.times import short

    name = clean(f"{incident['target']} {incident['alert']}".strip())
    took = short(timedelta(seconds=incident["duration_s"]))
    lasts = f"to {_local(incident['ended_at'])}" if incident["ended_at"] else "and still so"
    worst, summary = coloured(incident["worst"]), clean(incident["summary"])
    head = f"{name}: {worst} for {took}, {_local(incident['started_at'])} {lasts}: {summary}"
    return [head, *(f"  {_notice(*one)}" for one in zip(incident["notices"], views, strict=True))]


def _notice(notice: "Mapping[str, Any]", views: "Sequence[str]") -> str:
    """`new at …, told ops@example.com at …; astra: unreachable too (40 s ago)`."""
    from pom_cli.text import clean

    told = "not delivered"
    if notice["delivered_at"]:
        told = f"told {clean(', '.join(notice['recipients']), 400)} at {_local(notice['delivered_at'])}"
    return "; ".join([f"{notice['reason']} at {_local(notice['at'])}, {told}", *(clean(view, 120) for view in views)])


def _summary(found: list[dict[str, Any]], back: str) -> str:
    from pom_cli.report import history
    from pom_cli.times import short

    if not found:
        return f"no incidents {back}"
    open_ = sum(1 for one in found if one["ended_at"] is None)
    mean = history.mean_time_to_recover(found)
    parts = [f"{len(found)} incident{'' if len(found) == 1 else 's'} {back}"]
    parts += [f"{open_} not over"] if open_ else []
    parts += [f"mean time to recover {short(mean)}"] if mean is not None else []
    return ", ".join(parts)


def _local(instant: str) -> str:
    from datetime import datetime

    from pom_cli.times import local

    return local(datetime.fromisoformat(instant))
