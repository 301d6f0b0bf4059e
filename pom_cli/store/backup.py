"""A consistent copy of the database while others write to it, by SQLite's own backup (https://sqlite.org/backup.html)."""

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import BinaryIO

from pom_cli import store
from pom_cli.errors import StoreError, UsageError

STEP = 512  # pages at a time, 2 MiB: writers wait for a few milliseconds
RESTARTS = 5  # SQLite begins again when another process writes in between; then the rest is taken in one go


def copy(
    source: Path,
    target: Path,
    pause: Callable[[], None],
    owner: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Copy `source` to `target`, which must not exist; returns the copy's size in bytes once its integrity is checked.

    `pause` runs between two steps. Within `owner` this process runs as the owner of the database; `target` is
    written outside it, for that user may not be able to. Raises UsageError where `target` cannot be made, StoreError
    for the database's faults; nothing is left behind then.
    """
    _reserve(target)
    try:
        with owner(), tempfile.TemporaryDirectory(prefix="pom-backup-") as folder:
            made = _made(source, Path(folder) / "copy.db", pause)
        with made, store.faults(target):
            return _place(made, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _place(made: BinaryIO, target: Path) -> int:
    """The whole copy in the place that was reserved for it, or nothing."""
    draft = target.with_name(f".{target.name}-{os.getpid()}-{threading.get_ident()}")
    try:
        with draft.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)  # results and recipients are not public
            shutil.copyfileobj(made, file)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        draft.replace(target)
        _sync(target.parent)
        return size
    finally:
        draft.unlink(missing_ok=True)


def _made(source: Path, draft: Path, pause: Callable[[], None]) -> BinaryIO:
    with store.faults(source):
        db = store.open_reader(source)
    if db is None:
        raise StoreError(f"{source}: there is no database yet")
    with closing(db):
        _copy(db, source, draft, pause)
    return draft.open("rb")


def _reserve(target: Path) -> None:
    """Reserve the name: a second process finds it taken."""
    try:
        with target.open("xb"):
            pass
    except FileExistsError:
        raise UsageError(f"{target}: already exists; not overwritten") from None
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from None


def _copy(db: sqlite3.Connection, source: Path, draft: Path, pause: Callable[[], None]) -> None:
    with draft.open("xb") as file, store.faults(draft):
        try:
            _fill(db, source, draft, _patience(pause))
        except _Restless:
            file.truncate(0)
            _fill(db, source, draft, None)


def _fill(db: sqlite3.Connection, source: Path, draft: Path, step: Callable[[int, int, int], None] | None) -> None:
    """Into an empty draft; in steps with a pause after each or, without `step`, in one go."""
    with closing(sqlite3.connect(draft, isolation_level=None)) as copy_:
        copy_.execute("PRAGMA journal_mode=OFF")  # a copy that is cut short is thrown away
        copy_.execute("PRAGMA synchronous=OFF")
        db.backup(copy_, pages=STEP if step else -1, progress=step, sleep=0.001)
        if copy_.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise store.DamagedError(f"{source}: damaged: its copy is not sound")


class _Restless(Exception):
    """Others write so often that step by step it would never end."""


def _patience(pause: Callable[[], None]) -> Callable[[int, int, int], None]:
    """Called after each step; raises _Restless after too many fresh starts."""
    left: list[int] = []
    restarts = 0

    def step(_status: int, remaining: int, _total: int) -> None:
        nonlocal restarts
        restarts += bool(left) and remaining >= left[-1]
        left[:] = [remaining]
        if restarts > RESTARTS:
            raise _Restless
        pause()

    return step


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
