"""A line for each run that ends, for `journalctl -u pom`: the timers' own lines stand under their own units."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from pom_cli.errors import StoreError
from pom_cli.store import timeline
from pom_cli.store.runs import Run
from pom_cli.text import clean
from pom_cli.web.reader import Mark, Source, mark

LOOK_S = 1.0
BACK = timedelta(hours=3)  # longer than any run takes


def line(run: Run) -> str:
    """`run: check health: all 3 operational, 1.2 s`."""
    name = " ".join((run.command, *run.kinds))
    took = f", {(run.ended_at - run.started_at).total_seconds():.1f} s" if run.ended_at else ""
    return f"run: {clean(name)}: {clean(run.outcome or 'ended', 500)}{took}"


def news(known: frozenset[int] | None, found: Mapping[int, Run]) -> list[str]:
    """A line for each run that is not known yet; none at first, for what ended before is no news."""
    return [] if known is None else [line(run) for number, run in found.items() if number not in known]


def watch(source: Source, stopping: threading.Event, say: Callable[[str], None]) -> None:
    """Say each run that ends, until told to stop. Blocks: run it in a thread."""
    known: frozenset[int] | None = None
    seen: Mark | None = None
    while not stopping.is_set():
        now = mark(source.path)
        if now != seen:
            since = datetime.now(UTC) - BACK
            try:
                found = source.read(lambda db, since=since: timeline.finished(db, since))  # type: ignore[misc]
            except StoreError:
                pass  # it has been complained of; the next look is in a second
            else:
                for told in news(known, found):
                    say(told)
                known, seen = frozenset(found), now
        stopping.wait(LOOK_S)
