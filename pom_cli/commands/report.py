"""pom report: how a week went, printed or mailed; the mail also proves that mail arrives."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from pom_cli.config import Config
    from pom_cli.store.spare import Database


@click.command()
@click.option("--since", default="7d", show_default=True, help="How far back: a duration, or an RFC 3339 instant.")
@click.option("--mail", is_flag=True, help="Send it to everybody that alerts go to, as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, since: str, mail: bool, as_json: bool) -> int:
    """Uptime, incidents, mean time to recover, what expires soon, and how mail fared.

    Example: pom report --since 30d
    """
    from pom_cli.report import history, weekly

    loaded, now = session.config_for_timer(context) if mail else session.config(context), session.now()
    begun = history.since(since, now)
    faults: tuple[str, ...] = ()
    if mail:
        database = session.database(loaded)
        try:
            found = database.read(lambda db: weekly.report(db, loaded, begun, now))
            faults = _send(loaded, database, found, now, "stderr" if as_json else "stdout")
        finally:
            database.close()
    else:
        found = _look(loaded, begun, now)
    if as_json:
        session.print_json(found)
    for line in () if as_json or (mail and "console" in loaded.alerts.channels) else weekly.lines(found, now):
        click.echo(line)
    session.complain(faults)
    if faults:
        return 3
    return 2 if loaded.broken else 0


def _look(loaded: "Config", begun: datetime, now: datetime) -> dict[str, Any]:
    from pom_cli import store
    from pom_cli.report import weekly
    from pom_cli.store import migrations

    with store.reader(loaded.instance.data_dir / "pom.db") as db:
        if db:
            return weekly.report(db, loaded, begun, now)
    with migrations.nothing() as empty:
        return weekly.report(empty, loaded, begun, now)


def _send(
    loaded: "Config", database: "Database", found: dict[str, Any], now: datetime, console: str
) -> tuple[str, ...]:
    """Through the real path, the outbox: the faults that there were."""
    import sqlite3
    from uuid import uuid4

    from pom_cli.alerting import delivery, outbox
    from pom_cli.report import weekly
    from pom_cli.store import outbox as rows
    from pom_cli.times import ticking

    message = uuid4().hex

    def post(db: sqlite3.Connection) -> int:
        payload = {"instance": loaded.instance.name, "notices": []}
        rows.add_message(db, message, weekly.subject(found), "\n".join(weekly.lines(found, now)), payload, now)
        return outbox.enqueue(db, message, loaded, now)

    if not database.write(post):
        return ("alerts.channels: nobody to send it to; name at least one channel",)
    return delivery.deliver(loaded, database, ticking(now), console).faults
