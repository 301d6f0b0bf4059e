"""One run recorded from its start to its end, and what the runs before it left behind when they died."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from pom_cli.frozen import dataclass
from pom_cli.store import crashes, progress, runs
from pom_cli.store.progress import Look, Progress
from pom_cli.store.spare import Database


@dataclass
class Recording:
    """The run that is under way. Its body sets `outcome` last: without one the run has not ended."""

    progress: Progress
    crashed: tuple[str, ...]  # a line for each run that this one was the first to find dead
    deadly: frozenset[Look]  # the looks to make in separate processes
    outcome: str = ""


@contextmanager
def recorded(
    database: Database, command: str, kinds: Sequence[str], now: datetime, clock: Callable[[], datetime]
) -> Iterator[Recording]:
    """Record a run. One that an error ends stays open, like one that a signal ends; Ctrl-C is an end."""
    folder = database.main.parent / progress.FOLDER
    traces = progress.found(folder)
    number = runs.new_id()
    file = progress.start(folder, number)
    recording = Recording(file, (), frozenset())

    def begin(db: sqlite3.Connection) -> list[int]:
        runs.begin(db, command, kinds, now, number)
        crashed, settled = crashes.bury(db, traces)
        recording.crashed, recording.deadly = tuple(crashed), crashes.deadly(db)
        return settled

    try:
        progress.remove(folder, database.write(begin))
        try:
            yield recording
        except KeyboardInterrupt:
            recording.outcome = "interrupted"
            raise
        finally:
            if recording.outcome:
                database.write(partial(runs.end, run=number, command=command, kinds=kinds, started_at=now,
                                       outcome=recording.outcome, now=clock()))  # fmt: skip
    finally:
        file.close(ended=bool(recording.outcome))
