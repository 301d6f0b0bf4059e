"""What is kept between runs in `registry.json`: waits that registries asked for, last dates, where to ask.

It is a convenience: a file that is missing, damaged or cannot be written changes nothing but politeness and speed.
"""

import json
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pom_cli.outside import from_json

_FILE = "registry.json"
_LIMIT = 2 * 1024 * 1024  # bytes; ours stays far below
_WRITING = threading.Lock()

Memory = dict[str, Any]


def load(data_dir: str) -> Memory:
    """All that is remembered; nothing where there is no such directory or the file cannot be read."""
    try:
        path = Path(data_dir, _FILE)
        known = from_json(path.read_bytes()[:_LIMIT]) if data_dir else {}
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def change(data_dir: str, edit: Callable[[Memory], None]) -> None:
    """Read, edit, write: the file is replaced whole, and is as good as before where it cannot be."""
    if not data_dir:
        return
    with _WRITING:
        known = load(data_dir)
        edit(known)
        try:
            _replace(Path(data_dir, _FILE), json.dumps(known, separators=(",", ":")).encode())
        except OSError:
            return


def part(known: Memory, name: str) -> dict[str, Any]:
    """One table of the memory, made where it is missing or not a table."""
    table = known.get(name)
    if not isinstance(table, dict):
        table = known[name] = {}
    return table


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=".registry-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o640)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
