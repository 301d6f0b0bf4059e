"""Who this installation is: a UUID in `data_dir/instance_id`, made on first use."""

import os
from pathlib import Path

from pom_cli.errors import StoreError
from pom_cli.text import clean

_LONGEST = 200  # bytes that are read of it


def identity(data_dir: Path) -> str:
    """This instance's UUID. Raises StoreError where it can be neither read nor made."""
    path = data_dir / "instance_id"
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        _make(path)
        return _read(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror or error}") from error


def _read(path: Path) -> str:
    from uuid import UUID

    with path.open("rb") as file:
        text = file.read(_LONGEST).decode("utf-8", "replace").strip()
    try:
        return str(UUID(text))
    except ValueError:
        seen = repr(clean(text, 60)) if text else "nothing"
        raise StoreError(
            f"{path}: holds {seen}, not a UUID; put the old one back, or remove the file and get a new one"
        ) from None


def _make(path: Path) -> None:
    """Whole or not at all, and one for two who make it at once: a link never replaces what is there."""
    from uuid import uuid4

    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    draft = path.with_name(f".instance_id-{os.getpid()}-{uuid4().hex[:8]}")
    try:
        with draft.open("x", encoding="ascii") as file:
            file.write(f"{uuid4()}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
