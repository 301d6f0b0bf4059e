"""Answers that are kept while the database stands still, and no longer than the second they were made in."""

from collections import OrderedDict
from collections.abc import Hashable

from pom_cli.frozen import dataclass
from pom_cli.web.answers import Answer
from pom_cli.web.reader import Mark, settled

MOST, MOST_BYTES = 256, 4 << 20
TOO_LONG = 1 << 20  # bytes of one answer: not worth keeping


@dataclass(frozen=True)
class Kept:
    """An answer, the state of the file that it was made from, and the time until which the clock does not change it."""

    answer: Answer
    mark: Mark
    until: float  # seconds since the epoch

    def holds(self, mark: Mark, wall: float) -> bool:
        # The second's own beginning too, for a clock that was set back.
        return self.mark == mark and self.until - 1 <= wall < self.until


def keep(answer: Answer, mark: Mark, wall: float) -> Kept:
    """Answers show whole seconds, so one holds until the next one; less where the file is in motion."""
    end = int(wall) + 1.0
    return Kept(answer, mark, end if settled(mark, round(wall * 1e9)) else min(end, wall + 0.05))


class Cache:
    """Limited in number and in bytes: the oldest answer goes first. Needs a lock where threads share it."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable) -> Kept | None:
        return self._kept.get(key)

    def put(self, key: Hashable, kept: Kept) -> None:
        self._drop(key)
        if len(kept.answer.body) > TOO_LONG:
            return
        self._kept[key] = kept
        self._bytes += len(kept.answer.body)
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        old = self._kept.pop(key, None)
        if old:
            self._bytes -= len(old.answer.body)
