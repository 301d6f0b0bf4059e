"""pom status: is anything wrong, since when, and does anyone know; then the whole picture."""

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

import click

from pom_cli import session
from pom_cli.frozen import dataclass

if TYPE_CHECKING:
    from pom_cli.config import Config
    from pom_cli.report.delivery import Known

_EVERY_S = 5
_RESIZED = {signal.SIGWINCH}


@dataclass(frozen=True)
class _Picture:
    """The overview, the kinds that are overdue, and for people alone: who knows of its alerts, latency by hour."""

    found: Mapping[str, Any]
    known: "Known" = field(default_factory=dict)
    trends: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    late: Sequence[str] = ()


@click.command()
@click.argument("names", nargs=-1, metavar="[TARGET]...", shell_complete=session.completing("targets"))
@click.option("--watch", is_flag=True, help="Refresh the screen every few seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in the shape of /api/status.")
@click.pass_context
def command(context: click.Context, names: tuple[str, ...], watch: bool, as_json: bool) -> int:
    """Everything at a glance, worst first.

    Example: pom status makenotwork
    """
    loaded = session.config(context)
    chosen = [target.name for target in session.targets(loaded, names)] if names else []
    if not watch:
        picture = _look(loaded, chosen, as_json)
        _show(picture, as_json)
        return _code(picture)
    signal.pthread_sigmask(signal.SIG_BLOCK, _RESIZED)  # from here on it is waited for
    while True:
        _show(_look(loaded, chosen, as_json), as_json, in_place=True)
        _pause()


def _pause() -> None:
    """Until the next picture is due or, where the system can wait for that (macOS cannot), the window is resized."""
    if hasattr(signal, "sigtimedwait"):
        signal.sigtimedwait(_RESIZED, _EVERY_S)
    else:
        time.sleep(_EVERY_S)


def _look(loaded: "Config", names: list[str], as_json: bool) -> _Picture:
    from pom_cli.alerting import overdue
    from pom_cli.report import delivery, overview

    now, table = session.now(), session.on_terminal()
    with session.reader(loaded) as (db, _note):
        if db is None:
            return _Picture(overview.empty(loaded, now, names))
        found = overview.status(db, loaded, now, names, latencies=as_json or table)
        late = [kind for kind, run in overdue.runs(db, loaded, now).items() if run["overdue"]]
        if as_json:
            return _Picture(found, late=late)
        trends = overview.trends(db, loaded, now, names) if table else {}
        return _Picture(found, delivery.known(db), trends, late)


def _show(picture: _Picture, as_json: bool, in_place: bool = False) -> None:
    if as_json:
        session.print_json(picture.found)
    elif session.on_terminal():
        from pom_cli.report import screen

        screen.show(picture.found, picture.known, picture.trends, picture.late, in_place)
    else:
        from pom_cli.report import render

        for line in render.status_lines(picture.found, picture.known, picture.late):
            click.echo(line)


def _code(picture: _Picture) -> int:
    """1 also where checks are overdue or died: that all was well some time ago is not that all is well."""
    found = picture.found
    if any(alert["alert"] == "delivery-failed" for alert in found["alerts"]):
        return 3
    wrong = found["alerts"] or found["crashed"] or picture.late
    return 0 if found["status"] == "operational" and not wrong else 1
