"""What a test command writes, piece by piece → printable lines, those that tell a summary, and the log's end."""

import re
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pom_cli.checks.tests.summary import plain, telling
from pom_cli.text import printable

LINE = 2_000  # characters; what is longer is cut into lines of that length
TAIL = 64 << 10  # characters of the log that are kept, from its end
_TELLING = 20_000  # lines that are kept for the summary, the newest
_UTF8 = getincrementaldecoder("utf-8")
# A carriage return begins a line anew, as progress bars do: each state of theirs is a line here.
_ENDS = re.compile(r"\r\n|\r(?!\Z)|\n")


@dataclass
class Output:
    """What came so far. Its size is bounded, however much that is."""

    count: int = 0  # lines
    telling: deque[str] = field(default_factory=lambda: deque(maxlen=_TELLING))
    _tail: deque[str] = field(default_factory=deque)
    _size: int = 0
    _open: str = ""  # the beginning of a line whose end has not come yet
    _decode: Callable[[bytes, bool], str] = field(default_factory=lambda: _UTF8("replace").decode)

    def feed(self, piece: bytes, last: bool = False) -> list[str]:
        """The lines that this piece completes, printable: a terminal obeys nothing in them."""
        *whole, self._open = _ENDS.split(self._open + self._decode(piece, last))
        if len(self._open) > LINE or (last and self._open):
            whole.append(self._open)
            self._open = ""
        return [self._keep(cut) for line in whole for cut in _cut(line)]

    def tail(self) -> str:
        """The end of the output, as many whole lines as fit."""
        return "\n".join(self._tail)

    def _keep(self, line: str) -> str:
        bare = plain(line).rstrip()
        if telling(bare):
            self.telling.append(bare)
        shown = printable(bare.expandtabs()).replace("\n", " ")
        self.count += 1
        self._tail.append(shown)
        self._size += len(shown) + 1
        while self._size > TAIL:
            self._size -= len(self._tail.popleft()) + 1
        return shown


def _cut(line: str) -> list[str]:
    return [line[start : start + LINE] for start in range(0, len(line), LINE)] or [""]
