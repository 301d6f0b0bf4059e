"""Is this installation sound: one examination a question, each a function from the Patient to Points.

Every fault is told with its cure. The examinations are in the modules beside this one; this is the only list of them.
"""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from importlib import import_module
from pathlib import Path

from pom_cli import privileges
from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.text import clean

OK, FAULT, WARNING, SKIPPED = "ok", "fault", "warning", "skipped"

# In the order of their telling: what explains what comes after it stands first.
EXAMINATIONS = {
    "config": "files.config",
    "files": "files.modes",
    "disk": "files.disk",
    "database": "records.database",
    "checks": "records.runs",
    "silences": "records.silences",
    "untold": "records.untold",
    "timers": "units.timers",
    "api": "ways.api",
    "credentials": "ways.credentials",
    "peers": "ways.peers",
    "witnesses": "ways.witnesses",
    "clock": "ways.clock",
    "roots": "ways.roots",
}


_AS_ROOT = ("config", "files")  # modes that the service user may not see; they open nothing in the data folder


@dataclass(frozen=True)
class Patient:
    """The installation that is examined. `config` is None where none loads; `mistakes` are those of the file."""

    path: Path
    config: Config | None
    mistakes: tuple[str, ...]
    installed: bool  # it is the one that systemd runs, and not a trial
    now: datetime


@dataclass(frozen=True)
class Point:
    """One thing that was looked at: ok, fault, warning or skipped. `cure`: what to do about a fault."""

    name: str
    status: str
    told: str
    cure: str = ""


def ok(told: str) -> Point:
    return Point("", OK, told)


def fault(told: str, cure: str) -> Point:
    return Point("", FAULT, told, cure)


def warning(told: str, cure: str = "") -> Point:
    return Point("", WARNING, told, cure)


def skipped(told: str) -> Point:
    return Point("", SKIPPED, told)


def examine(patient: Patient) -> tuple[list[Point], list[str]]:
    """Every examination's points, and the faults of the doctor's own: one that fails keeps no other from being made."""
    points, failures = [], []
    data = patient.config.instance.data_dir if patient.config else None
    for name, place in EXAMINATIONS.items():
        try:
            with nullcontext() if name in _AS_ROOT or data is None else privileges.lent(data):
                found = _examination(place)(patient)
        # Half a diagnosis is worth more than none; that it is half is told, and the exit code says so.
        except Exception as error:  # noqa: BLE001
            failures.append(clean(f"the examination of {name} failed: {type(error).__name__}: {error}", 400))
        else:
            points += [Point(name, one.status, clean(one.told, 400), one.cure) for one in found]
    return points, failures


def _examination(place: str) -> Callable[[Patient], list[Point]]:
    module, name = place.split(".")
    examination: Callable[[Patient], list[Point]] = getattr(import_module(f"pom_cli.doctor.{module}"), name)
    return examination
