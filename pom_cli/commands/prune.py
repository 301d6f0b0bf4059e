"""pom prune: delete history older than the retention, and data of targets no longer configured."""

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from pom_cli import session

if TYPE_CHECKING:
    from pom_cli.config import Config
    from pom_cli.model import Key
    from pom_cli.store.prune import Pruned

PAUSE_S = 0.01  # between two bites: long enough for a waiting process to come in


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> int:
    """Delete history older than the retention, and data of targets no longer configured. Reports rows and bytes.

    Example: pom prune
    """
    from pom_cli.store.prune import ClockDoubtError, Pruned

    loaded = session.config_for_timer(context)
    doubt = ""
    try:
        pruned = _prune(loaded)
    except ClockDoubtError as error:
        pruned, doubt = Pruned(0, 0), str(error)
    faults = (*filter(None, [doubt]), *_tell(loaded))
    if as_json:
        session.print_json({"rows": pruned.rows, "bytes": pruned.bytes})
    else:
        click.echo(f"deleted {pruned.rows} rows, freed {pruned.bytes} bytes in {loaded.instance.data_dir / 'pom.db'}")
    session.complain(faults)
    if faults:
        return 3
    return 2 if loaded.broken else 0


def _tell(loaded: "Config") -> tuple[str, ...]:
    """Alert if the config is broken; returns PoM's own faults in doing so."""
    from pom_cli import times
    from pom_cli.alerting import config_broken

    database = session.database(loaded)
    try:
        if not config_broken.pending(loaded, database):
            return ()
        return config_broken.tell(loaded, database, times.ticking(session.now())).faults
    finally:
        database.close()


def _prune(loaded: "Config") -> "Pruned":
    from pom_cli import store
    from pom_cli.report import overview
    from pom_cli.store import prune, runs

    now = session.now()
    path = loaded.instance.data_dir / "pom.db"
    store.open_(path).close()
    with store.faults(path):
        pruned = prune.prune(
            path,
            now,
            loaded.instance.retention,
            partial(_kept, loaded),
            partial(overview.configured, loaded),
            lambda: time.sleep(PAUSE_S),
        )
        db = store.connect(path)
        try:
            told = f"{pruned.rows} rows, {pruned.bytes} bytes"
            number = runs.begin(db, "prune", (), now)
            runs.end(db, number, "prune", (), now, told, session.now())
        finally:
            db.close()
    return pruned


def _kept(loaded: "Config", key: "Key") -> bool:
    from pom_cli import checks

    target = loaded.targets.get(key.target)
    check = target.checks.get(key.kind) if target else None
    return check is not None and key.subject in checks.load(key.kind).subjects(check.settings)
