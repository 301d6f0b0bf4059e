"""One question at a time per registry's server, across the targets of a run; the domain longest unseen goes first."""

import heapq
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from pom_cli.net.deadline import Deadline

# Seconds between two questions to one server, and before the first, in which those that want to ask queue up.
# The strictest of the known limits that are not by the hour or the day is 5 questions a second.
PAUSE_S, GATHER_S = 0.25, 0.05


class NoTurn(TimeoutError):
    """The deadline came before our turn."""


@dataclass
class Line:
    """Who waits for one server, and when it may be asked again."""

    free_at: float = field(default_factory=lambda: time.monotonic() + GATHER_S)
    busy: bool = False
    waiting: list[tuple[float, int]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)


_LINES: dict[str, Line] = {}
_OPENING = threading.Lock()
_NUMBERS = count()


@contextmanager
def turn(server: str, seen: float, deadline: Deadline) -> Iterator[None]:
    """Wait until this server may be asked. The lowest `seen` is first. Raises NoTurn once the deadline has passed."""
    with _OPENING:
        line = _LINES.setdefault(server, Line())
    ticket = (seen, next(_NUMBERS))
    with line.changed:
        heapq.heappush(line.waiting, ticket)
        try:
            while line.busy or line.waiting[0] != ticket or line.free_at > time.monotonic():
                left, pause = deadline.remaining(), line.free_at - time.monotonic()
                line.changed.wait(min(left, pause) if pause > 0 and not line.busy else left)
        except TimeoutError:
            raise NoTurn from None
        finally:
            line.waiting.remove(ticket)
            heapq.heapify(line.waiting)
            line.changed.notify_all()
        line.busy = True
    try:
        yield
    finally:
        with line.changed:
            line.busy, line.free_at = False, time.monotonic() + PAUSE_S
            line.changed.notify_all()
