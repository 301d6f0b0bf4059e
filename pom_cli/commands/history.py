"""pom history: what a target's checks saw over time, newest first."""

from typing import TYPE_CHECKING, Any

import click

from pom_cli import session
from pom_cli.checks import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pom_cli.config import Config
    from pom_cli.config.targets import Target


@click.command()
@click.argument("name", metavar="TARGET", shell_complete=session.completing("targets"))
@click.option("--kind", type=click.Choice(list(KINDS)), help="Only this kind of check.")
@click.option("--since", default="24h", show_default=True, help="Start: 24h, 7d, or 2026-11-24T06:00:00Z.")
@click.option(
    "--limit", default=1000, show_default=True, type=click.IntRange(1, 10_000), help="Maximum number of results."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the shape of /api/history/TARGET.")
@click.pass_context
def command(context: click.Context, name: str, kind: str | None, since: str, limit: int, as_json: bool) -> int:
    """Results over time, newest first.

    Example: pom history makenotwork --kind health --since 7d
    """
    from pom_cli.report import history

    loaded, now = session.config(context), session.now()
    begun = history.since(since, now)
    target = session.targets(loaded, [name])[0]
    found = _look(loaded, target, kind, begun, limit)
    if as_json:
        session.print_json(found)
        return 0
    deployed = _deployed(loaded, target, begun, now, found[-1]["checked_at"] if len(found) == limit else "")
    lines = [(row["checked_at"], _line(row)) for row in found] + deployed
    for _, line in sorted(lines, key=lambda pair: pair[0], reverse=True):
        click.echo(line)
    if not lines:
        click.echo(f"{name}: no results {history.back(since)}")
    elif len(found) == limit:
        session.complain([f"there may be more than {limit}; see --limit"])
    return 0


def _look(loaded: "Config", target: "Target", kind: str | None, since: "datetime", limit: int) -> list[dict[str, Any]]:
    from pom_cli import store
    from pom_cli.report import history

    with store.reader(loaded.instance.data_dir / "pom.db") as db:
        return list(history.rows(db, target, kind, since, limit)) if db else []


def _deployed(
    loaded: "Config", target: "Target", begun: "datetime", now: "datetime", oldest: str
) -> list[tuple[str, str]]:
    """The target's deployments since then, no older than the oldest result that is shown: instants and lines."""
    from pom_cli import store
    from pom_cli.report import incidents, render
    from pom_cli.store import deployments
    from pom_cli.times import local, utc

    with store.reader(loaded.instance.data_dir / "pom.db") as db:
        found = deployments.since(db, begun, now) if db else []
    ours = [one for one in found if one.target == target.name and utc(one.at) >= oldest]
    told = [(one.at, incidents.deployed_json(one, loaded) or {}) for one in ours]
    return [(utc(at), f"{local(at)} {render.deployed(one, now, loaded.instance.name)}") for at, one in told]


def _line(row: "Mapping[str, Any]") -> str:
    """`2026-11-24 07:40:15 +01:00 health: operational, 200 OK, 43 ms`."""
    from datetime import datetime

    from pom_cli.report.render import coloured
    from pom_cli.text import clean
    from pom_cli.times import local

    name = clean(f"{row['kind']} {row['subject']}".strip())
    latency = f", {row['latency_ms']} ms" if row["latency_ms"] is not None else ""
    at = local(datetime.fromisoformat(row["checked_at"]))
    return f"{at} {name}: {coloured(row['status'])}, {clean(row['summary'])}{latency}"
