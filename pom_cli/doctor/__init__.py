"""Checks of this installation: one function for each question, from the Patient to Points.

Every fault comes with a fix. The functions are in the other modules of this folder; this is the only list of them.
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

# In the order in which they are printed: a fault comes before those that it explains.
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
    """The installation. `config` is None if none loads; `mistakes` are the file's errors."""

    path: Path
    config: Config | None
    mistakes: tuple[str, ...]
    installed: bool  # it is the one that systemd runs, and not a trial
    now: datetime


@dataclass(frozen=True)
class Point:
    """The result of one check: ok, fault, warning or skipped. `fix`: what to do about it."""

    name: str
    status: str
    told: str
    fix: str = ""


def ok(told: str) -> Point:
    return Point("", OK, told)


def fault(told: str, fix: str) -> Point:
    return Point("", FAULT, told, fix)


def warning(told: str, fix: str = "") -> Point:
    return Point("", WARNING, told, fix)


def skipped(told: str) -> Point:
    return Point("", SKIPPED, told)


def examine(patient: Patient) -> tuple[list[Point], list[str]]:
    """The points of every check, and the checks that crashed: a crash of one does not stop the others."""
    points, failures = [], []
    data = patient.config.instance.data_dir if patient.config else None
    for name, place in EXAMINATIONS.items():
        try:
            with nullcontext() if name in _AS_ROOT or data is None else privileges.lent(data):
                found = _examination(place)(patient)
        # A partial diagnosis is better than none; the failure is printed and sets the exit code.
        except Exception as error:  # noqa: BLE001
            failures.append(clean(f"the examination of {name} failed: {type(error).__name__}: {error}", 400))
        else:
            points += [Point(name, one.status, clean(one.told, 400), one.fix) for one in found]
    return points, failures


def _examination(place: str) -> Callable[[Patient], list[Point]]:
    module, name = place.split(".")
    examination: Callable[[Patient], list[Point]] = getattr(import_module(f"pom_cli.doctor.{module}"), name)
    return examination
