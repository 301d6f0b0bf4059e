"""pom status: is anything wrong, since when, and does anyone know; then the whole picture."""

import time
from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from pom_cli.config import Config


@click.command()
@click.argument("names", nargs=-1, metavar="[TARGET]...")
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
        found, trends = _look(loaded, chosen)
        _show(found, trends, as_json, watch)
        if not watch:
            return _code(found)
        time.sleep(5)


def _look(loaded: "Config", names: list[str]) -> tuple[dict[str, Any], dict[str, list[float | None]]]:
    """The overview and, for a terminal, each target's latency by hour over the last day."""
    from pom_cli import store
    from pom_cli.views import overview

    now = session.now()
    path = loaded.instance.data_dir / "pom.db"
    db = store.open_reader(path)
    if db is None:
        return overview.empty(loaded, now, names), {}
    try:
        with store.faults(path), store.snapshot(db):
            found = overview.status(db, loaded, now, names)
            trends = overview.trends(db, loaded, now, names) if session.on_terminal() else {}
        return found, trends
    finally:
        db.close()


def _show(found: dict[str, Any], trends: dict[str, list[float | None]], as_json: bool, watch: bool) -> None:
    if as_json:
        session.print_json(found)
    elif session.on_terminal():
        from pom_cli.views import screen

        screen.show(found, trends, clear=watch)
    else:
        from pom_cli.views import render

        for line in render.status_lines(found):
            click.echo(line)


def _code(found: dict[str, Any]) -> int:
    if any(alert["alert"] == "delivery-failed" for alert in found["alerts"]):
        return 3
    return 0 if found["status"] == "operational" and not found["offline"] else 1
