"""Is the database file whole, and was one set aside because it was not."""

from contextlib import closing
from pathlib import Path

from pom_cli import store

_DEEP_BYTES = 256 << 20  # up to this size every index is compared too; beyond it writers would wait for too long


def flaws(path: Path) -> list[str] | None:
    """What SQLite finds wrong with it, none for a sound file; None where there is no database. Raises StoreError."""
    with store.faults(path):
        db = store.open_reader(path)
        if db is None:
            return None
        with closing(db):
            pragma = "integrity_check" if path.stat().st_size <= _DEEP_BYTES else "quick_check"
            found = [str(row[0]) for row in db.execute(f"PRAGMA {pragma}(3)")]
    return [] if found == ["ok"] else found


def set_aside(path: Path) -> list[Path]:
    """The damaged files that were set aside beside it, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.damaged-*"))
