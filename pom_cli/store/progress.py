"""What a run is looking at right now: a small file a run, for the run after it, should this one die of a signal.

The file is locked as long as its process lives, so nobody has to guess from process numbers whether it does. Each look
appends a line when it begins and one when it ends: a commit each would cost more than the look.
"""

import os
import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import field
from io import FileIO
from pathlib import Path

from pom_cli.frozen import dataclass

FOLDER = "running"  # beside the database
_MOST_BYTES = 16 << 20  # read of one file: 300,000 looks

Look = tuple[str, str]  # target and kind


@dataclass
class Progress:
    """One run's file. Without one (a full disk, a dry run) nothing is noted."""

    file: FileIO | None = None
    path: Path | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, look: Look) -> None:
        self._append("+", look)

    def end(self, look: Look) -> None:
        self._append("-", look)

    def _append(self, sign: str, look: Look) -> None:
        # A look that was given up may end after its run: by then the descriptor can be another file's.
        with self.lock:
            if self.file is not None:
                with suppress(OSError):  # a disk that is full: the look matters more than the note of it
                    self.file.write(f"{sign}{look[0]} {look[1]}\n".encode())

    def close(self, ended: bool) -> None:
        """Let go of the file. It goes with a run that has ended; else the next run finds it, unlocked."""
        with self.lock:
            if self.path is not None and ended:
                self.path.unlink(missing_ok=True)
            if self.file is not None:
                self.file.close()
            self.file = None


NOWHERE = Progress()


@dataclass(frozen=True)
class Trace:
    """What the file of a dead run tells: the looks under way when it died, and those that had ended."""

    under_way: tuple[Look, ...] = ()
    ended: frozenset[Look] = frozenset()


def start(folder: Path, run: int) -> Progress:
    """The file of this run, locked before others can see it."""
    import fcntl

    draft = folder / f".{run}"
    try:
        folder.mkdir(mode=0o750, exist_ok=True)
        file = FileIO(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640), "a")
    except OSError:
        return Progress()
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(folder / str(run))
    except OSError:
        file.close()
        draft.unlink(missing_ok=True)
        return Progress()
    return Progress(file, folder / str(run))


def found(folder: Path) -> dict[int, Trace | None]:
    """Every run that has a file here: the trace of a dead one, None for one that lives or cannot be looked at."""
    try:
        files = [path for path in folder.iterdir() if re.fullmatch("[0-9]{1,15}", path.name)]
    except OSError:
        return {}
    return {int(path.name): _trace(path) for path in files}


def remove(folder: Path, runs: Iterable[int]) -> None:
    """Delete the files of dead runs that the database has taken over."""
    for run in runs:
        with suppress(OSError):
            (folder / str(run)).unlink()


def _trace(path: Path) -> Trace | None:
    import fcntl

    try:
        # Neither a link nor a pipe that somebody put there may lead a reader astray.
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        text = os.read(file, _MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(file)
    return _read(text)


def _read(text: str) -> Trace:
    """Counted, for one target's health may be looked at twice in one run."""
    begun: dict[Look, int] = {}
    for sign, target, kind in re.findall(r"(?m)^([+-])(\S+) (\S+)$", text):
        begun[target, kind] = begun.get((target, kind), 0) + (1 if sign == "+" else -1)
    return Trace(
        tuple(sorted(look for look, count in begun.items() if count > 0)),
        frozenset(look for look, count in begun.items() if count <= 0),
    )
