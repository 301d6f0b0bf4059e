"""pom status: is anything wrong, since when, and does anyone know; then the whole picture."""

import time
from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from pom_cli.config import Config


@click.command()
@click.argument("names", nargs=-1, metavar="[TARGET]...", shell_complete=session.completing("targets"))
@click.option("--watch", is_flag=True, help="Show it again every few seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the shape of /api/status.")
@click.pass_context
def command(context: click.Context, names: tuple[str, ...], watch: bool, as_json: bool) -> int:
    """The whole picture at a glance, worst first.

    Example: pom status makenotwork
    """
    loaded = session.config(context)
    chosen = [target.name for target in session.targets(loaded, names)] if names else []
    while True:
        found, trends, late = _look(loaded, chosen, as_json)
        _show(found, trends, late, as_json, watch)
        if not watch:
            return _code(found)
        time.sleep(5)


def _look(
    loaded: "Config", names: list[str], as_json: bool
) -> tuple[dict[str, Any], dict[str, list[float | None]], list[str]]:
    """The overview; for a terminal each target's latency by hour over the last day; and the kinds that are overdue."""
    from pom_cli import store
    from pom_cli.mesh import overdue
    from pom_cli.views import overview

    now, table = session.now(), session.on_terminal()
    path = loaded.instance.data_dir / "pom.db"
    db = store.open_reader(path)
    if db is None:
        return overview.empty(loaded, now, names), {}, []
    try:
        with store.faults(path), store.snapshot(db):
            found = overview.status(db, loaded, now, names, latencies=as_json or table)
            trends = overview.trends(db, loaded, now, names) if table and not as_json else {}
            runs = {} if as_json else overdue.runs(db, loaded, now)
        return found, trends, [kind for kind, run in runs.items() if run["overdue"]]
    finally:
        db.close()


def _show(
    found: dict[str, Any], trends: dict[str, list[float | None]], late: list[str], as_json: bool, watch: bool
) -> None:
    if as_json:
        session.print_json(found)
        return
    if session.on_terminal():
        from pom_cli.views import screen

        screen.show(found, trends, clear=watch)
    else:
        from pom_cli.views import render

        for line in render.status_lines(found):
            click.echo(line)
    if late:
        click.echo(f"overdue: {', '.join(late)}; are the timers running? See pom doctor")


def _code(found: dict[str, Any]) -> int:
    if any(alert["alert"] == "delivery-failed" for alert in found["alerts"]):
        return 3
    return 0 if found["status"] == "operational" and not found["alerts"] else 1
