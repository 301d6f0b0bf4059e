"""The database: the only modules that speak SQL. This one opens it and bounds its transactions.

A rollback journal, not WAL: short-lived writers are faster with it, a reader needs no write permission, and SQLite
before 3.51.3 can lose commits between processes in WAL mode. TRUNCATE with synchronous=FULL syncs the journal's
truncation too, so that a power cut loses no committed row (https://sqlite.org/pragma.html#pragma_synchronous says that
DELETE would need EXTRA for that).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pom_cli.errors import StoreError
from pom_cli.store.migrations import STEPS

VERSION = len(STEPS)  # of the schema
BUSY_MS = 10_000

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


class DamagedError(StoreError):
    """The file is not a sound SQLite database."""


class Connection(sqlite3.Connection):
    """A connection that knows why it is not the main file's, for the messages that are decided over it."""

    fault = ""
    lasting = True  # False: in memory alone, so that the next run knows nothing of it


def open_(path: Path) -> Connection:
    """The database at `path`, created if absent, migrated if older. Raises StoreError."""
    with faults(path):
        _make_folder(path.parent)
        refuse_emptied(path)
        db = connect(path)
        try:
            _prepare(db, path)
        except BaseException:
            db.close()
            raise
        return db


def connect(path: Path) -> Connection:
    """A bare connection with this house's settings. Raises sqlite3.Error."""
    db = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, factory=Connection)
    try:
        db.execute("PRAGMA journal_mode=TRUNCATE")
        db.execute("PRAGMA synchronous=FULL")
    except BaseException:
        db.close()
        raise
    return db


def open_reader(path: Path, busy_ms: int = BUSY_MS) -> sqlite3.Connection | None:
    """The database, read-only; None if absent. Waits at most `busy_ms` for a lock; StoreError.

    An ordinary connection with query_only, since `mode=ro` cannot roll back what a crash left half-written; and
    `mode=ro` only where this process may not write at all.
    """
    with faults(path, busy_ms):
        try:
            path.stat()
        except FileNotFoundError:
            return None
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        mode = "rw" if writable else "ro"
        quoted = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        db = sqlite3.connect(f"file:{quoted}?mode={mode}", uri=True, timeout=busy_ms / 1000, isolation_level=None)
        try:
            db.execute("PRAGMA query_only=ON")
            version = _version(db, path)
        except BaseException:
            db.close()
            raise
        if version == 0:
            db.close()
            return None
        return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    if _version(db, path) < VERSION:
        from pom_cli.store import migrations

        with transaction(db):
            # Another process may have done it while this one waited for the lock.
            if _version(db, path) < VERSION:
                migrations.apply(db)
                db.execute(f"PRAGMA user_version={VERSION}")
        if path.parent != Path():
            _mark(path).touch(0o640)


def _version(db: sqlite3.Connection, path: Path) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    # Migrations only add, so the release before works on a migrated file: that is what a rollback needs.
    if version > VERSION + 1:
        raise StoreError(
            f"{path}: made by a newer PoM (schema {version}; this release works with up to {VERSION + 1}); "
            "install that release again, or restore the backup taken before the upgrade"
        )
    return version


def has_table(db: sqlite3.Connection, name: str) -> bool:
    """A file that this release has not written to yet is one of the release before, and may lack the newest tables."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone() is not None


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT: a read in it cannot be overtaken before its write. Rolls back on any error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """Several reads that see one state of the database."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


@contextmanager
def reader(path: Path) -> Iterator[sqlite3.Connection | None]:
    """One state of the database, read-only; None if absent. Raises StoreError."""
    db = open_reader(path)
    if db is None:
        yield None
        return
    try:
        with faults(path), snapshot(db):
            yield db
    finally:
        db.close()


@contextmanager
def faults(path: Path, busy_ms: int = BUSY_MS) -> Iterator[None]:
    """Turns SQLite's and the file system's errors into one line with the file and the fix."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(_DAMAGED):
            raise DamagedError(f"{path}: damaged: {error}") from error
        raise StoreError(f"{path}: {error}{_cure(name, busy_ms)}") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error


def _cure(name: str, busy_ms: int) -> str:
    cures = {
        "SQLITE_BUSY": f" for over {busy_ms // 1000} s: another process holds it",
        "SQLITE_FULL": ": free some disk space",
        "SQLITE_READONLY": ": its file or folder is not writable for this user",
        "SQLITE_CANTOPEN": ": it or its folder may not be there, or not be open to this user",
        "SQLITE_IOERR": ": the disk fails",
    }
    return next((cure for start, cure in cures.items() if name.startswith(start)), "")


def _mark(path: Path) -> Path:
    """The marker of an existing database: with it, an empty file is damaged and not new."""
    return path.with_name(f".{path.name}-made")


def refuse_emptied(path: Path) -> None:
    """Raise DamagedError where a database was, and an empty file is: SQLite would take it for a new one."""
    if path.exists() and path.stat().st_size == 0 and _mark(path).exists():
        raise DamagedError(f"{path}: damaged: it has been emptied")


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o750, exist_ok=True)  # another process may make it at this moment
