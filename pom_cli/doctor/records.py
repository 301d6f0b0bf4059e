"""The database: is it intact, and do the checks recorded in it still run."""

from datetime import timedelta
from pathlib import Path
from shlex import quote

from pom_cli import store
from pom_cli.doctor import Patient, Point, fault, ok, skipped, warning
from pom_cli.errors import StoreError

_RESTORE = "the next run renames it and starts a new one; restore a backup"
_NO_CONFIG = "needs a config (it sets where the database is)"


def database(patient: Patient) -> list[Point]:
    """Is the file whole, by SQLite's own check."""
    from pom_cli.store import soundness

    if patient.config is None:
        return [skipped(_NO_CONFIG)]
    path = patient.config.instance.data_dir / "pom.db"
    try:
        flaws = soundness.flaws(path)
    except StoreError as error:
        return [_unusable(path, error)]
    if flaws is None:
        return [fault(f"{path}: does not exist: nothing has run yet", _first(patient))]
    found = [ok(f"{path}: integrity check passed, {path.stat().st_size >> 10} KiB")]
    if flaws:
        found = [fault(f"{path}: damaged: {'; '.join(flaws)}", _RESTORE)]
    for aside in soundness.set_aside(path):
        fix = f"recover what you need (sqlite3 {quote(str(aside))} .recover), then remove it"
        found.append(fault(f"{aside.name}: a damaged database, kept under this name", fix))
    return found


def runs(patient: Patient) -> list[Point]:
    """Does every kind of check that the config uses run, and run to its end."""
    from pom_cli.alerting import overdue
    from pom_cli.store import crashes

    if patient.config is None:
        return [skipped(_NO_CONFIG)]
    data = patient.config.instance.data_dir
    try:
        with store.reader(data / "pom.db") as db:
            if db is None:
                return [skipped("nothing has run yet")]
            looks = overdue.looks(db, patient.config)
            crashed = crashes.lines(db, data, patient.now)
    except StoreError as error:
        return [skipped(str(error))]
    fix = "journalctl -u 'pom-*' -n 50" if patient.installed else "pom check"
    found = [fault(line, fix) for line in crashed]
    late = [look for look in looks if overdue.is_overdue(look, patient.now)]
    if late:
        fix = "journalctl -u 'pom-check*' -n 20" if patient.installed else "pom check"
        return [*found, fault(f"overdue: {overdue.summary(late, patient.now)}", fix)]
    kinds = list(dict.fromkeys(look.kind for look in looks))
    return found or [ok(f"all on time: {', '.join(kinds)}") if kinds else skipped("no checks are configured")]


def silences(patient: Patient) -> list[Point]:
    """Is anything kept quiet on purpose."""
    from pom_cli.report import silences

    if patient.config is None:
        return [skipped(_NO_CONFIG)]
    try:
        with store.reader(patient.config.instance.data_dir / "pom.db") as db:
            found = silences.running(db, patient.config, patient.now) if db else []
    except StoreError as error:
        return [skipped(str(error))]
    lines = [silences.line(silences.silence_json(one)) for one in found]
    return [warning(line, "pom silence --lift, once the work is done") for line in lines] or [ok("none active")]


def _unusable(path: Path, error: StoreError) -> Point:
    if isinstance(error, store.DamagedError):
        return fault(str(error), _RESTORE)
    return fault(str(error), f"ls -l {quote(str(path.parent))}")


def _first(patient: Patient) -> str:
    return "systemctl start pom, then wait for a minute" if patient.installed else "pom check"


def untold(patient: Patient) -> list[Point]:
    """Is there anything bad that nobody was notified of, or that the net under the alerts had to catch lately."""
    from pom_cli.alerting import untold as net
    from pom_cli.store import ledger

    if patient.config is None:
        return [skipped(_NO_CONFIG)]
    try:
        with store.reader(patient.config.instance.data_dir / "pom.db") as db:
            if db is None:
                return [skipped("nothing has run yet")]
            found = [net.line(one, patient.now) for one in net.look(db, patient.config, patient.now)]
            lines = [*ledger.caught(db, patient.now - timedelta(days=1)), *found]
    except StoreError as error:
        return [skipped(str(error))]
    fix = "report it with the output of pom alerts and pom incidents: this is a bug in PoM"
    return [fault(one, fix) for one in lines] or [ok("every known problem was notified")]
