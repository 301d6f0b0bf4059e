"""pom incidents: what broke, when, how long, who was notified."""

from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pom_cli.config import Config
    from pom_cli.report.incidents import Folded
    from pom_cli.store.reading import Told


@click.command()
@click.option("--since", default="30d", show_default=True, help="Start: 24h, 7d, or 2026-11-24T06:00:00Z.")
@click.option(
    "--limit", default=1000, show_default=True, type=click.IntRange(1, 10_000), help="Maximum number of incidents."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the shape of /api/incidents.")
@click.option("--markdown", is_flag=True, help="Print the skeleton of a post-mortem of each.")
@click.pass_context
def command(context: click.Context, since: str, limit: int, as_json: bool, markdown: bool) -> int:
    """What broke, when, how long, who was notified; newest first, and the mean time to recover.

    Example: pom incidents --since 7d
    """
    from pom_cli.report import history

    if as_json and markdown:
        raise click.UsageError("--json and --markdown do not go together", context)
    loaded, now = session.config(context), session.now()
    begun = history.since(since, now)
    if markdown:
        for text in _post_mortems(loaded, begun, limit, now):
            click.echo(text)
        return 0
    kept, found, note = _look(loaded, begun, limit, now)
    if as_json:
        session.print_json(found)
        session.complain(filter(None, [note]))
        return 0
    if note:
        click.echo(note)
    for incident, folded in zip(found, kept, strict=True):
        for line in _lines(incident, folded.one.told, loaded.instance.name, now):
            click.echo(line)
    for line in _summary(found, history.back(since)):
        click.echo(line)
    if len(found) == limit:
        session.complain([f"there may be more than {limit}; see --limit"])
    return 0


def _look(
    loaded: "Config", begun: "datetime", limit: int, now: "datetime"
) -> "tuple[list[Folded], list[dict[str, Any]], str]":
    from pom_cli.report import history, incidents

    with session.reader(loaded) as (db, note):
        kept = history.began(db, loaded, begun, limit) if db else []
        deployed = history.deployed_before(db, kept, now) if db else []
        return kept, [incidents.as_json(one, loaded, deployed, now) for one in kept], note


def _post_mortems(loaded: "Config", begun: "datetime", limit: int, now: "datetime") -> list[str]:
    from pom_cli import store
    from pom_cli.report import history, post_mortem

    with store.reader(loaded.instance.data_dir / "pom.db") as db:
        kept = history.began(db, loaded, begun, limit) if db else []
        deployed = history.deployed_before(db, kept, now) if db else []
        return [post_mortem.markdown(db, loaded, one, deployed, now) for one in kept] if db else []


def _lines(incident: "Mapping[str, Any]", told: "Sequence[Told]", instance: str, now: "datetime") -> list[str]:
    """`shop health: unreachable for 12 min, 24 Nov 07:40 to 07:52 +01:00: connection refused`; below it who was
    notified, what it explained, and the deployment before it."""
    from datetime import datetime

    from pom_cli.report import render

    lines = [_head(incident, now)]
    if incident["deployed"]:
        started = datetime.fromisoformat(incident["started_at"])
        lines.append(f"  {render.deployed(incident['deployed'], started, instance, 'before')}")
    lines += [f"  {_notice(one, told, now)}" for one in told] or ["  nobody notified"]
    return lines + [f"  covered: {_head(one, now)}" for one in incident["covered"]]


def _head(incident: "Mapping[str, Any]", now: "datetime") -> str:
    from datetime import datetime, timedelta

    from pom_cli.report.render import coloured
    from pom_cli.text import clean
    from pom_cli.times import between, brief, short

    name = clean(f"{incident['target']} {incident['alert']}".strip())
    took = short(timedelta(seconds=incident["duration_s"]))
    start, end = (incident[key] and datetime.fromisoformat(incident[key]) for key in ("started_at", "ended_at"))
    when = between(start, end, now) if end else f"since {brief(start, now)}, ongoing"
    return f"{name}: {coloured(incident['worst'])} for {took}, {when}: {clean(incident['summary'])}"


def _notice(one: "Told", told: "Sequence[Told]", now: "datetime") -> str:
    """`new: notified ops@example.com at 07:41 +01:00; astra: unreachable too (40 s ago)`."""
    from pom_cli.text import clean
    from pom_cli.times import brief

    if one.delivered_at is None:
        return "; ".join([f"{one.reason} at {brief(one.at, now)}: not delivered", *_views(one)])
    # After a mail outage its end is the first that anybody heard of it.
    first = one.reason == "recovered" and not any(
        other.delivered_at and other.delivered_at < one.delivered_at for other in told if other is not one
    )
    reason = "start and end" if first else one.reason
    who = clean(", ".join(one.recipients), 400)
    return "; ".join([f"{reason}: notified {who} at {brief(one.delivered_at, now)}", *_views(one)])


def _views(one: "Told") -> list[str]:
    from pom_cli.text import clean

    return [clean(view, 120) for view in one.views]


def _summary(found: list[dict[str, Any]], back: str) -> list[str]:
    """How many there were, and how long recovering took: health in the first line, the other kinds in one of theirs."""
    from pom_cli.report import incidents
    from pom_cli.times import short

    if not found:
        return [f"no incidents {back}"]
    open_ = sum(1 for one in found if one["ended_at"] is None)
    means = incidents.mean_times_to_recover(found)
    parts = [f"{len(found)} incident{'' if len(found) == 1 else 's'} {back}"]
    parts += [f"{open_} ongoing"] if open_ else []
    parts += [f"mean time to recover {short(means.pop('health'))}"] if "health" in means else []
    others = ", ".join(f"{alert} {short(mean)}" for alert, mean in means.items())
    return [", ".join(parts), *([f"mean time to recover of other alerts: {others}"] if others else [])]
