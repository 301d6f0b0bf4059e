"""Running a target's own tests: where, for how long, what came of it. Nothing in here knows a target or a database."""

import os
from collections.abc import Iterable

from pom_cli.text import clean

NAMES = 200  # failing tests that are kept by name; their number is kept whole
TIMED_OUT = 124  # the exit code of a run that its time limit ended, as timeout(1) has it


def new_id() -> int:
    """An id for a run that is to be stored."""
    return int.from_bytes(os.urandom(6))  # not by `secrets`, which takes milliseconds to import


def kept(names: Iterable[str]) -> tuple[str, ...]:
    """Names of failing tests as they are kept: each once, printable, not too many; sorted, as runners mix them up."""
    return tuple(sorted({name for raw in names if (name := clean(raw))})[:NAMES])
