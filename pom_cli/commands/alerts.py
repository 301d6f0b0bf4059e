"""pom alerts: open alerts and undelivered mail; send a test message; retry."""

from typing import TYPE_CHECKING, Any

import click

from pom_cli import session

if TYPE_CHECKING:
    from datetime import datetime

    from pom_cli.config import Config
    from pom_cli.report.delivery import Known
    from pom_cli.store.outbox import Row


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> int:
    """List open alerts and unsent mail.

    Example: pom alerts test
    """
    if context.invoked_subcommand is not None:
        context.meta["pom.json"] = as_json  # `pom alerts --json test` is `pom alerts test --json`
        return 0
    loaded = session.config(context)
    now = session.now()
    found, quiet, known, unsaid, rows, note = _look(loaded, now)
    if as_json:
        session.print_json({"alerts": found, "silences": quiet, "outbox": [_row_json(row) for row in rows]})
        session.complain(filter(None, [note]))
    else:
        if note:
            click.echo(note)
        _show(found, quiet, known, unsaid, rows, now, loaded.instance.name)
    return 3 if any(alert["alert"] == "delivery-failed" for alert in found) else 0


def _look(
    loaded: "Config", now: "datetime"
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], "Known", list[str], "list[Row]", str]:
    from functools import partial

    from pom_cli.alerting import outbox
    from pom_cli.report import delivery as told
    from pom_cli.report import overview

    with session.reader(loaded) as (db, note):
        if db is None:
            return [], overview.empty(loaded, now)["silences"], {}, [], [], note
        picture = overview.status(db, loaded, now, latencies=False)
        return (
            picture["alerts"],
            picture["silences"],
            told.known(db),
            told.unsaid(db, partial(overview.configured, loaded)),
            outbox.undelivered(db, loaded),
            note,
        )


def _show(
    found: list[dict[str, Any]],
    quiet: list[dict[str, Any]],
    known: "Known",
    unsaid: list[str],
    rows: "list[Row]",
    now: "datetime",
    instance: str,
) -> None:
    from pom_cli.report import render, silences

    for line in [*map(silences.line, quiet), *render.alert_lines(found, known, now, instance), *unsaid]:
        click.echo(line)
    for row in rows:
        click.echo(render.outbox_line(row))
    if not found and not rows:
        click.echo("no open alerts, nothing undelivered")


def _row_json(row: "Row") -> dict[str, Any]:
    from pom_cli.times import utc

    return {
        "recipient": row.recipient,
        "channel": row.channel,
        "state": row.state,
        "subject": row.subject,
        "created_at": utc(row.created_at),
        "attempts": row.attempts,
        "next_at": utc(row.next_at) if row.state == "queued" else None,
        "error": row.error,
    }


@command.command(short_help="Send a real test message.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def test(context: click.Context, as_json: bool) -> int:
    """Send a real test message, and report whether it was delivered.

    Example: pom alerts test
    """
    from functools import partial
    from uuid import uuid4

    from pom_cli.alerting import delivery, outbox
    from pom_cli.messages import compose as messages
    from pom_cli.store import outbox as rows
    from pom_cli.times import ticking

    loaded, as_json = session.config(context), as_json or context.meta["pom.json"]
    database = session.database(loaded)
    now, message = session.now(), uuid4().hex
    try:

        def post(db: Any) -> int:
            subject, body = messages.trial(loaded.instance.name, now)
            payload = {"instance": loaded.instance.name, "notices": []}
            rows.add_message(db, message, subject, body, payload, now)
            return outbox.enqueue(db, message, loaded, now)

        if not database.write(post):
            session.complain(["alerts.channels: nobody to tell; name at least one channel"])
            return 2
        done = delivery.deliver(loaded, database, ticking(now), "stderr" if as_json else "stdout")
        # A message on the screen does not prove that anybody would be notified.
        session.complain(f"warning: {one}" for one in loaded.warnings if one.startswith("alerts."))
        return _tell(database.read(partial(rows.of_message, message=message)), done.faults, as_json)
    finally:
        database.close()


def _tell(sent: "list[Row]", faults: tuple[str, ...], as_json: bool) -> int:
    from pom_cli.report import render

    if as_json:
        session.print_json({"outbox": [_row_json(row) for row in sent]})
    else:
        for row in sent:
            click.echo(render.outbox_line(row))
    session.complain(faults)
    owed = [row for row in sent if row.state in ("queued", "given_up")]
    return 3 if owed or faults else 0


@command.command(short_help="Retry everything undelivered now.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def retry(context: click.Context, as_json: bool) -> int:
    """Retry everything undelivered now, for instance once an address works again.

    Example: pom alerts retry
    """
    from functools import partial

    from pom_cli.alerting import delivery
    from pom_cli.store import retry as again
    from pom_cli.times import ticking

    loaded, as_json = session.config(context), as_json or context.meta["pom.json"]
    database = session.database(loaded)
    now = session.now()
    try:
        count = database.write(partial(again.everything, now=now))
        done = delivery.deliver(loaded, database, ticking(now), "stderr" if as_json else "stdout")
    finally:
        database.close()
    if as_json:
        session.print_json({"tried": count, "undelivered": done.undelivered})
    else:
        click.echo(f"retried: {count}; still undelivered: {done.undelivered}")
    session.complain(done.faults)
    return 3 if done.faults else 0
