"""The database as the API reads it: opened for one answer, in one snapshot, never for writing, never for long."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from pom_cli import store
from pom_cli.errors import StoreError
from pom_cli.store import DamagedError, migrations, spare

T = TypeVar("T")
BUSY_MS = 1000  # for a lock: a client gets its 503 within a second or two
PAUSE_S = 0.5  # after a failure

# Which file it is, and in which state: what it holds has not changed while this has not.
Mark = tuple[int, int, int, int] | str


def mark(path: Path) -> Mark:
    """Tells one state of the file from every other, a replaced or deleted file too.

    Its time of change does what PRAGMA data_version does on a kept connection, at a tenth of the cost and without a
    lock, since every commit writes the file (there is no WAL). But it ticks only every few milliseconds: see `settled`.
    """
    try:
        found = path.stat()
    except OSError as error:
        return type(error).__name__
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def settled(seen: Mark, wall_ns: int) -> bool:
    """Can no later commit have the same mark: is the file's time of change safely past."""
    return isinstance(seen, str) or abs(wall_ns - seen[2]) > 50_000_000


class Source:
    """The database at `path`. `complain` is called once when it cannot be read, and once when it can again."""

    def __init__(self, path: Path, complain: Callable[[str], None]) -> None:
        self._main, self._complain = path, complain
        self._lock = threading.Lock()
        self._fault, self._until = "", 0.0

    @property
    def path(self) -> Path:
        """The main file, or the spare that is kept while that cannot be written."""
        return spare.kept(self._main, os.environ) or self._main

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` makes of one snapshot; of an empty database before the first run. Raises StoreError.

        One at a time, and what has just failed is not tried again at once: a lock that somebody else holds must not
        make every client wait for it in turn.
        """
        with self._lock:
            if self._fault and time.monotonic() < self._until:
                raise StoreError(self._fault)
            try:
                found = _read(self.path, work)
            except StoreError as error:
                if str(error) != self._fault:
                    self._complain(str(error))
                self._fault, self._until = str(error), time.monotonic() + PAUSE_S
                raise
            if self._fault:
                self._complain(f"{self.path}: can be read again")
                self._fault = ""
            return found


def _read(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    # A connection for each reading: so a file that was replaced, migrated or repaired meanwhile needs no care.
    with _opened(path) as db:
        try:
            with store.faults(path, BUSY_MS), store.snapshot(db):
                return work(db)
        except StoreError:
            raise
        # What stumbles over what it reads may have read a damaged file, where it is no bug of ours.
        except Exception as error:
            if _is_damaged(db):
                raise DamagedError(f"{path}: damaged: {type(error).__name__}: {error}") from error
            raise


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    with store.faults(path, BUSY_MS):  # even asking whether it exists can fail
        db = store.open_reader(path, BUSY_MS)
    if db is None:
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.deserialize(_empty())
    try:
        yield db
    finally:
        db.close()


@cache
def _empty() -> bytes:
    """A database with nothing in it."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrations.apply(db)
        return db.serialize()
    finally:
        db.close()


def _is_damaged(db: sqlite3.Connection) -> bool:
    try:
        return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.Error:
        return True
