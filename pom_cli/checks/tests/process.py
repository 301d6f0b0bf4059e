"""Running one argument list of ssh.py: its output as it comes, its time limit, and its end, whatever happens."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO

from pom_cli.checks.tests import ssh
from pom_cli.checks.tests.output import Output
from pom_cli.checks.tests.run import TIMED_OUT
from pom_cli.frozen import dataclass
from pom_cli.times import short

Listener = Callable[[Sequence[str]], None]  # gets new lines of output, or none, at least once a tick

_TICK_S = 0.5
_QUIET_S = 2.0  # after the command has ended: what is silent for so long has nothing more of its output
_DRAIN_S = 30.0  # a process that it left behind may keep on writing for ever
_FINISH_S = 25.0  # the script takes 15 to end everything; then there is the way
_LOST_S = 75.0  # ssh takes a minute to notice that the way is gone: one that still holds on then has it
_COMPLAINTS = 8 << 10  # bytes of standard error that are kept
_SSH_FAILED = 255  # ssh(1): "exits with the exit status of the remote command or with 255 if an error occurred"


@dataclass(frozen=True)
class Ended:
    """How it ended: the command's own exit code, TIMED_OUT with what to say of it, or else why there is none."""

    exit: int | None
    reason: str = ""


@dataclass
class _Course:
    """Where a run stands. Times are of the monotonic clock."""

    process: subprocess.Popen[bytes]
    output: Output
    listen: Listener
    run: str
    limit_s: float
    ends: float
    cut: bool = False
    told: bytes = b""
    heard: float = 0.0  # when something was last read


def run(argv: Sequence[str], limit_s: float, run: str, output: Output, listen: Listener) -> Ended:
    """Run it to its end, at most `limit_s` and the minute that ending it may take.

    Where the caller is interrupted, in `listen` too, everything is ended first, at the far end as well.
    """
    try:
        # In a session of its own: a Ctrl-C is ours to pass on, and ssh finds no terminal to ask on.
        process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell; ssh.py makes it
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd=_home(),
            env={name: value for name, value in os.environ.items() if not name.startswith("POM_")},
        )
    except OSError as error:
        return Ended(None, f"{argv[0]} cannot be started: {error.strerror or error}")
    course = _Course(process, output, listen, run, limit_s, time.monotonic() + limit_s)
    try:
        _follow(course)
    except BaseException:
        course.listen = _deaf
        _cut(course, _FINISH_S)
        _follow(course)
        raise
    finally:
        _close(process)
    return _ended(course, argv[0])


def _home() -> str:
    """Where the command starts, as it would over ssh: whoever runs PoM from wherever, it is the same place."""
    home = os.environ.get("HOME", "")
    return home if Path(home).is_absolute() and Path(home).is_dir() and os.access(home, os.X_OK) else "/"


def _deaf(_lines: Sequence[str]) -> None:
    """Nobody listens any more."""


def _cut(course: _Course, patience_s: float) -> None:
    """Let go of the script's standard input: it then ends the command, wherever that runs."""
    course.cut, course.ends = True, time.monotonic() + patience_s
    if course.process.stdin:
        course.process.stdin.close()


def _follow(course: _Course) -> None:
    """Read until the command has ended and its output is read, or until nothing more is to be waited for."""
    process = course.process
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            if stream and not stream.closed:
                selector.register(stream, selectors.EVENT_READ)
        over: float | None = None  # since when the command has ended
        while selector.get_map():
            now = time.monotonic()
            if over is None and (process.poll() is not None or _ending(course)):
                over = course.heard = now
            if over is not None and (now - course.heard > _QUIET_S or now - over > _DRAIN_S):
                break
            if over is None and now >= course.ends:
                if course.cut:
                    break
                _cut(course, _LOST_S)
            left = course.ends - now if over is None else _QUIET_S
            ready = selector.select(max(0.0, min(_TICK_S, left)))
            _read(course, selector, [key.fileobj for key, _ in ready])
    course.listen(course.output.feed(b"", last=True))


def _read(course: _Course, selector: selectors.BaseSelector, ready: Sequence[object]) -> None:
    lines: list[str] = []
    for stream in (course.process.stdout, course.process.stderr):
        if stream in ready and stream is not None:
            piece = os.read(stream.fileno(), 1 << 16)
            if not piece:
                selector.unregister(stream)
            elif stream is course.process.stdout:
                lines += course.output.feed(piece)
            else:
                course.told = (course.told + piece)[-_COMPLAINTS:]
            course.heard = time.monotonic()
    course.listen(lines)


def _ending(course: _Course) -> str | None:
    return ssh.ending(course.told.decode("utf-8", "replace"), course.run)


def _ended(course: _Course, program: str) -> Ended:
    told, code = _ending(course), course.process.returncode
    if told is not None and told != ssh.CUT:
        return Ended(int(told))
    if course.cut:
        return _overrun(course, told)
    if told:
        return Ended(None, "it was ended, and not by PoM")
    if code < 0:
        return Ended(None, f"{program} was killed by signal {-code}")
    if program == "ssh" and code == _SSH_FAILED:
        return Ended(None, ssh.complaint(course.told.decode("utf-8", "replace")))
    # A command that the server forces upon this key (sshd's ForceCommand) has no script of ours around it.
    return Ended(code)


def _overrun(course: _Course, told: str | None) -> Ended:
    """Its time is over: it failed, where it is known that it ran and that the way to it was there to the end."""
    over = f"timed out after {short(timedelta(seconds=course.limit_s))}"
    if told:
        return Ended(TIMED_OUT, over)
    # No word from the script: the way is gone, the machine hardly runs, or the server forces a command upon this key.
    code = course.process.returncode
    if code == _SSH_FAILED:
        return Ended(None, f"{over}; {ssh.complaint(course.told.decode('utf-8', 'replace'))}")
    if code >= 0:  # it ended with its input
        return Ended(TIMED_OUT, over)
    ran = code == -signal.SIGKILL and course.output.count > 0
    return Ended(TIMED_OUT if ran else None, f"{over}; nothing tells whether that ended it at the far end")


def _close(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of it here: no process, no pipe."""
    streams: tuple[IO[bytes] | None, ...] = (process.stdin, process.stdout, process.stderr)
    for stream in streams:
        if stream:
            stream.close()
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its session: with what ssh itself began
        process.wait()
