"""The database in use: the main file or, while that cannot be written, a spare one elsewhere.

A monitor must speak most of all when its own disk is full. So a run that cannot write the main file does all the same
work on a spare (states, cooldowns, outbox, everything), says why, and ends with exit code 3. The next run that can
write the main file adopts what the spare holds. A damaged main file is set aside under another name.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from pom_cli import store
from pom_cli.errors import StoreError
from pom_cli.store import DamagedError, faults, handover, snapshot, transaction

T = TypeVar("T")

_MEMORY = ":memory:"


class Database:
    """The open database. `fault` says why the main file is not in use, "" where it is."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.path, self.main, self.fault = path, path, ""
        self._number = _number(path)
        self._environ = environ
        try:
            self.db = store.open_(path)
            self._adopt_spare()
        except StoreError as error:
            self._fall_back(error)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` in one transaction; on the spare, once more from its start, where this database cannot take it."""
        return self._do(work, transaction)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work`, which only reads, over one state of the database; on the spare where this one cannot be read."""
        return self._do(work, snapshot)

    def _do(
        self,
        work: Callable[[sqlite3.Connection], T],
        bound: Callable[[sqlite3.Connection], AbstractContextManager[None]],
    ) -> T:
        try:
            with faults(self.path), bound(self.db):
                return work(self.db)
        except StoreError as error:
            self._fall_back(error)
        with faults(self.path), bound(self.db):
            return work(self.db)

    def close(self) -> None:
        self.db.close()

    def _fall_back(self, error: StoreError) -> None:
        if self.fault and self.path != self.main:
            if self.path.exists() or self.path.name == _MEMORY:
                raise error  # the spare itself fails: there is nothing left to try
            # Another run could write the main file, and took over what this one had put into the spare.
            self.path, self.fault = self.main, ""
            self.db.close()
            try:
                self.db = store.open_(self.main)
            except StoreError as again:
                self._fall_back(again)
            return
        self.fault = str(error)
        if hasattr(self, "db"):
            self.db.close()
        if isinstance(error, DamagedError):
            try:
                aside = set_aside(self.main, self._number)
                self.db = store.open_(self.main)
                if aside is None:
                    self.fault = ""  # what could not be read a moment ago can be read now
                    return
                self.fault += f"; it was set aside as {aside}, and a new one begun"
                self.db.fault = self.fault
                return
            except (OSError, StoreError) as second:
                self.fault += f"; it could not be set aside: {second}"
        self.path, self.db, doubt = _open_spare(self.main, self._environ)
        self.fault += doubt
        self.db.fault = self.fault

    def _adopt_spare(self) -> None:
        path = spare_path(self.main, self._environ, make=False)
        if path is None or not (number := _number(path)):
            return
        try:
            if _is_damaged(path):  # first, since errors in it would look like the main file's
                raise DamagedError(f"{path}: damaged")
            spare = store.open_(path)
        except StoreError as error:
            # It holds what was seen while the main file could not be written: it is kept for a person to look at.
            path.replace(path.with_suffix(".damaged"))
            self.fault = f"{error}; what the spare held could not be taken over"
            return
        try:
            # Who still writes to the spare waits meanwhile, and finds then that it has gone.
            with faults(path), transaction(spare):
                if _number(path) == number:
                    with faults(self.main), transaction(self.db):
                        handover.adopt(self.db, spare, datetime.now(UTC))
                    self._remove(path, spare)
        except StoreError as error:
            self.fault = f"{error}; what the spare holds could not be taken over"
        finally:
            spare.close()

    def _remove(self, path: Path, spare: sqlite3.Connection) -> None:
        try:
            path.unlink()
            Path(f"{path}-journal").unlink(missing_ok=True)
        except OSError as error:
            # What it held is the main file's by now; left here, it would be sent once more.
            handover.clear(spare)
            self.fault = f"{path}: cannot be removed: {error.strerror}"


def _number(path: Path) -> int:
    """The inode, to notice that the file was replaced; 0 if absent."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def set_aside(path: Path, number: int) -> Path | None:
    """Rename a damaged file, never over another; returns its new name. None if the file is intact by now.

    `number` is that of the file in which the damage was met: another run may have replaced it.
    """
    import fcntl

    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # of two runs that meet the damage, one renames
        if path.exists() and _is_damaged(path):
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
            aside = path.with_name(f"{path.name}.damaged-{stamp}")
            journal = Path(f"{path}-journal")
            # A journal goes first and along: left behind, it would be rolled back into the new file.
            if journal.exists():
                journal.rename(aside.with_name(f"journal-of-{aside.name}"))
            path.rename(aside)
            return aside
    finally:
        os.close(folder)
    newest = sorted(path.parent.glob(f"{path.name}.damaged-*"))
    return newest[-1] if newest and _number(path) != number else None


def _is_damaged(path: Path) -> bool:
    try:
        with faults(path):
            store.refuse_emptied(path)
            db = store.connect(path)
            try:
                return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
            finally:
                db.close()
    except DamagedError:
        return True


def _open_spare(main: Path, environ: Mapping[str, str]) -> tuple[Path, store.Connection, str]:
    doubt = "; no spare place to write either: what this run finds is not remembered"
    path = spare_path(main, environ, make=True)
    if path is not None:
        try:
            db = store.open_(path)
            if handover.is_clear(db):
                handover.seed(db, main)
            return path, db, ""
        except StoreError as error:
            doubt = f"; {error}: what this run finds is not remembered"
    memory = store.open_(Path(_MEMORY))
    memory.lasting = False
    handover.seed(memory, main)
    return Path(_MEMORY), memory, doubt


def kept(main: Path, environ: Mapping[str, str]) -> Path | None:
    """The spare to read instead of the main file, if one was written later, by any user's runs.

    The timers' one is where systemd put it (RuntimeDirectory=).
    """
    try:
        written, owner = main.stat().st_mtime_ns, main.stat().st_uid
    except OSError:
        written, owner = 0, os.geteuid()
    own = spare_path(main, environ, make=False)
    name = _name(main)
    folders = (Path("/run/pom"), Path(f"/tmp/pom-{owner}"))  # noqa: S108 - whose it is is looked at
    for path in [*([own] if own else []), *(folder / name for folder in folders)]:
        try:
            found = path.stat()
        except OSError:
            continue
        if found.st_uid in (os.geteuid(), owner) and found.st_mtime_ns > written:
            return path
    return None


def _name(main: Path) -> str:
    return f"pom-{sha256(str(main.absolute()).encode()).hexdigest()[:16]}.db"


@contextmanager
def reader(main: Path, environ: Mapping[str, str]) -> Iterator[tuple[sqlite3.Connection | None, str]]:
    """`store.reader` of the main file, or of its spare while only that is written; with a line about it."""
    path = kept(main, environ)
    note = f"{main} cannot be written: this is what its spare keeps ({path})" if path else ""
    with store.reader(path or main) as db:
        yield db, note


def spare_path(main: Path, environ: Mapping[str, str], make: bool) -> Path | None:
    """Where the spare of this database is: $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR, else our own under $TMPDIR or /tmp."""
    name = _name(main)
    given = (environ.get("RUNTIME_DIRECTORY", "").split(":")[0], environ.get("XDG_RUNTIME_DIR", ""))
    # Not tempfile: it loads ten modules, and writes a file to try each folder, in every run.
    shared = (environ.get("TMPDIR", ""), "/tmp")  # noqa: S108 - everybody's, which is why `_private` looks
    for folder in [Path(one) for one in given if one] + [Path(one) / f"pom-{os.geteuid()}" for one in shared if one]:
        if _private(folder, make):
            return folder / name
    return None


def _private(folder: Path, make: bool) -> bool:
    """Is this folder ours alone to write (/tmp is everybody's)."""
    try:
        if make:
            folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022 and folder.is_dir() and os.access(folder, os.W_OK)
