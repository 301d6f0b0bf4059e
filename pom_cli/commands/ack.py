"""pom ack: a person takes open alerts on; no more reminders and no escalation until they recover."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from pom_cli import session
from pom_cli.checks import alert_names

if TYPE_CHECKING:
    import sqlite3

    from pom_cli.config import Config
    from pom_cli.store.acks import Ack


@click.command(epilog=session.one_of("ALERT", alert_names()))
@click.argument("target", shell_complete=session.completing("targets", "peers"))
@click.option("--alert", metavar="ALERT", help="Only this kind of alert.", shell_complete=session.completing("alerts"))
@click.option("--note", default="", metavar="TEXT", help="A note, shown with it.")
@click.option("--lift", is_flag=True, help="Withdraw the ack: reminders and escalation resume.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, target: str, alert: str | None, note: str, lift: bool, as_json: bool) -> int:
    """Acknowledge a target's open alerts: no more reminders or escalation. The recovery is still sent.

    Example: pom ack makenotwork --note "restarting it"
    """
    from pom_cli.report import incidents, render

    loaded, now, who = session.config(context), session.now(), session.who()
    _check(loaded, target, alert)
    database = session.database(loaded)
    try:
        found = database.write(lambda db: _write(db, loaded, target, alert, note, lift, who, now))
    finally:
        database.close()
    told = [(one.target, one.alert, incidents.recorded(one, loaded)) for one in found]
    if as_json:
        session.print_json({"acks": [{"target": name, "alert": kind, "ack": ack} for name, kind, ack in told]})
    for name, kind, ack in () if as_json else told:
        click.echo(f"{'lifted: ' if lift else ''}{name} {kind}: {render.acked(ack, loaded.instance.name)}")
    if not found and not as_json:
        about = f"{alert} alert" if alert else "alert"
        click.echo(f"{target}: no {'ack to lift' if lift else f'open {about}'}")
    session.complain([database.fault] if database.fault else [])
    return 3 if database.fault else 0


def _check(loaded: "Config", target: str, alert: str | None) -> None:
    from pom_cli.errors import UsageError
    from pom_cli.messages import runbook
    from pom_cli.toml.table import nearest

    known = {*loaded.targets, *loaded.peers}
    if target not in known:
        raise UsageError(f"{target!r} is neither a target nor a peer{nearest(target, known)}")
    if alert is not None and alert not in runbook.ALERTS:
        raise UsageError(f"--alert: {alert!r} is not a kind of alert{nearest(alert, runbook.ALERTS)}")


def _write(
    db: "sqlite3.Connection",
    loaded: "Config",
    target: str,
    alert: str | None,
    note: str,
    lift: bool,
    who: str,
    now: datetime,
) -> "list[Ack]":
    from pom_cli.report import overview
    from pom_cli.store import acks, alerts

    if lift:
        found = [one for one in acks.load(db).values() if one.target == target and alert in (None, one.alert)]
        for one in found:
            acks.end(db, one.target, one.alert)
        return found
    open_ = [one.alert for one in alerts.load(db).values() if one.open and one.target == target]
    ours = [one for one in open_ if alert in (None, one) and overview.configured(loaded, target, one)]
    return acks.merge(db, [acks.Ack(target, one, now, who, note) for one in ours])
