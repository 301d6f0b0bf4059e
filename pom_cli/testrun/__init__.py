"""Running a target's own tests: where, for how long, what came of it. Nothing in here knows a target or a database."""

import os
from collections.abc import Iterable
from datetime import datetime

from pom_cli.frozen import dataclass
from pom_cli.text import clean

NAMES = 200  # failing tests that are kept by name; their number is kept whole
TIMED_OUT = 124  # the exit code of a run that its time limit ended, as timeout(1) has it


@dataclass(frozen=True)
class Run:
    """One test run of a target. `reason` says why it has no end of its own.

    With an exit code it was made, and its time limit ended it; without one nothing is known of the tests.
    """

    id: int  # random, so that it means the same in any database
    target: str
    started_at: datetime
    ended_at: datetime
    exit: int | None = None  # the command's own, or TIMED_OUT; None where it was recorded, or could not be made
    passed: int | None = None  # None: nothing told
    failed: int | None = None
    failing: tuple[str, ...] = ()
    reason: str = ""
    log: str = ""  # the end of the output, printable

    @property
    def made(self) -> bool:
        """Does it tell anything of the tests."""
        return not self.reason or self.exit is not None

    @property
    def failed_tests(self) -> bool:
        """Do tests fail, by their number or by the exit code: one of 0 may be that of a pipe or of what came after."""
        return bool(self.failed) or self.exit not in (None, 0)


def new_id() -> int:
    """An id for a run that is to be stored."""
    return int.from_bytes(os.urandom(6))  # not by `secrets`, which takes milliseconds to import


def kept(names: Iterable[str]) -> tuple[str, ...]:
    """Names of failing tests as they are kept: each once, printable, not too many; sorted, as runners mix them up."""
    return tuple(sorted({name for raw in names if (name := clean(raw))})[:NAMES])
