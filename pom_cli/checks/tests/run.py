"""One test run: the command over ssh, or here, to its end; and the SuiteRun that comes of it.

Both ways are one line, `timeout -k … /bin/sh -c SCRIPT`. What a command starts is ended with it, except what leaves
its process group (setsid, a daemon). The database and the verdict are elsewhere.
"""

import math
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pom_cli.checks.tests import summary
from pom_cli.checks.tests.output import Output
from pom_cli.model import SuiteRun
from pom_cli.text import clean
from pom_cli.times import short
from pom_cli.toml.secrets import without_secrets

NAMES = 200  # failing tests that are kept by name; their number is kept whole
TIMED_OUT = 124  # the exit code of a run that its time limit ended: timeout(1)

Listener = Callable[[Sequence[str]], None]  # gets new lines of output, or none, at least once a tick

# The command arrives as the first bytes of standard input, so no shell on the way reads or quotes it. That input ends
# when PoM lets go, dies, or the connection breaks: then the whole group gets SIGTERM, as it does from `timeout`. The
# script outlives that for as long as the command does, so that `timeout` may kill a deaf one, and a second longer.
# Standard error is the script's alone. It reports the exit code there, since ssh uses 255 for itself and waits for
# anyone who still holds the output.
_SCRIPT = (
    'command=$(head -c "$1"; echo .); command=${command%.}; exec 3<&0 </dev/null; trap ended=1 TERM; '
    "{ trap - TERM; cat <&3; kill -s TERM 0; } >/dev/null 2>&1 & "
    "exec 3<&- 4>&2 2>/dev/null; "  # no `Terminated` from the script's own shell
    '(exec "${SHELL:-/bin/sh}" -c "$command" 2>&1 4>&-); code=$?; '
    "if [ $ended ]; then sleep 1; kill -s KILL 0; fi; "
    'kill -s KILL $!; echo "pom-test-exit $code" >&4; exit $code'
)
_MARK = re.compile(r"^pom-test-exit (\d{1,3})\r?$", re.MULTILINE)
_SSH = (
    "BatchMode=yes",  # never a prompt
    "ConnectTimeout=10",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "RemoteCommand=none",  # one in the user's ssh_config would conflict with ours
)
_SSH_FAILED = 255  # ssh(1)
_KILL_S = 10  # from SIGTERM to SIGKILL
_LOST_S = 75.0  # after all that, ssh has noticed that the connection is gone
_TICK_S, _QUIET_S, _DRAIN_S = 0.5, 2.0, 30.0
_COMPLAINTS = 8 << 10  # bytes of standard error that are kept


class _Ended(NamedTuple):
    """`exit` is None where the tests were not run, or nobody knows how they ended; `reason` then says why."""

    exit: int | None
    reason: str = ""


def new_id() -> int:
    """An id for a new run."""
    return int.from_bytes(os.urandom(6))  # not by `secrets`, which takes milliseconds to import


def kept(names: Iterable[str]) -> tuple[str, ...]:
    """Names of failing tests as they are kept: each once, printable, not too many; sorted, as runners mix them up."""
    return tuple(sorted({name for raw in names if (name := clean(raw))})[:NAMES])


def make(
    target: str, destination: str, command: str, limit_s: float, clock: Callable[[], datetime], listen: Listener
) -> SuiteRun:
    """Run `command` at the ssh destination, or here if that is "". Raises only what `listen` raises."""
    output, started_at = Output(), clock()
    ended = _run(arguments(destination, command, limit_s), command, limit_s, output, listen)
    told = summary.Summary() if ended.exit is None else summary.parse(output.telling)
    return SuiteRun(
        id=new_id(),
        target=target,
        started_at=started_at,
        ended_at=clock(),
        exit=ended.exit,
        passed=told.passed,
        failed=told.failed,
        failing=kept(told.failing),
        reason=ended.reason,
        log=output.tail(),
    )


def arguments(destination: str, command: str, limit_s: float) -> list[str]:
    """The argument list of a run. Of the command it holds only the length; the destination cannot be an option."""
    limit = ["timeout", "-k", str(_KILL_S), str(math.ceil(limit_s))]
    size = str(len(command.encode()))
    if not destination:
        return [*limit, "/bin/sh", "-c", _SCRIPT, "pom", size]
    options = [word for option in _SSH for word in ("-o", option)]
    # Single quotes mean the same in every login shell, csh and fish included: the script has none.
    line = f"exec {' '.join(limit)} /bin/sh -c '{_SCRIPT}' pom {size}"
    return ["ssh", *options, "-T", "--", destination, line]


def _run(argv: Sequence[str], command: str, limit_s: float, output: Output, listen: Listener) -> _Ended:
    """If the caller is interrupted, in `listen` too, everything is ended first, at the far end as well."""
    begun, complaints = time.monotonic(), bytearray()
    try:
        # In a new session: a Ctrl-C is ours to pass on, and ssh finds no terminal to ask on.
        process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell; see `arguments`
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd=_home(),
            env=_environment(local=argv[0] != "ssh"),
        )
    except OSError as error:
        return _Ended(None, f"{argv[0]} cannot be started: {error.strerror or error}")
    try:
        with suppress(BrokenPipeError):  # it ended before it had read anything; its exit code says more
            process.stdin.write(command.encode())  # type: ignore[union-attr]  # a pipe, as is the rest
        over = _follow(process, begun + limit_s + _KILL_S + _LOST_S, output, complaints, listen)
        late = time.monotonic() - begun >= limit_s
    except BaseException:
        process.stdin.close()  # type: ignore[union-attr]
        _follow(process, time.monotonic() + _KILL_S + _TICK_S, output, complaints, lambda _: None)
        raise
    finally:
        _close(process)
    return _ended(argv[0], process.returncode, complaints.decode("utf-8", "replace"), limit_s if late else None, over)


def _home() -> str:
    """Where the command starts, as it would over ssh: it does not depend on where PoM was started."""
    home = os.environ.get("HOME", "")
    return home if Path(home).is_absolute() and Path(home).is_dir() and os.access(home, os.X_OK) else "/"


def _environment(local: bool) -> dict[str, str]:
    """Without PoM's secrets; here the shell is /bin/sh, for that of user pom is nologin."""
    kept_ = without_secrets(os.environ)
    return {**kept_, "SHELL": "/bin/sh"} if local else kept_


def _follow(
    process: subprocess.Popen[bytes], until: float, output: Output, complaints: bytearray, listen: Listener
) -> bool:
    """Read until the command has ended and its output is read; False if `until` comes first.

    What a command leaves behind on purpose may hold its output open: after the end, silence is enough.
    """
    ended: float | None = None
    in_time = True
    heard = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]  # both are pipes
        while selector.get_map():
            now = time.monotonic()
            if ended is None and (process.poll() is not None or _MARK.search(complaints.decode("utf-8", "replace"))):
                ended = heard = now
            in_time = ended is not None or now < until
            if not in_time or (ended is not None and (now - heard > _QUIET_S or now - ended > _DRAIN_S)):
                break
            lines: list[str] = []
            for key, _ in selector.select(_TICK_S):
                piece, heard = os.read(key.fd, 1 << 16), time.monotonic()
                if not piece:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    lines += output.feed(piece)
                else:
                    complaints += piece
                    del complaints[:-_COMPLAINTS]
            listen(lines)
    listen(output.feed(b"", last=True))
    return in_time


def _ended(program: str, code: int, said: str, limit_s: float | None, over: bool) -> _Ended:
    """How a run ended, by its own report, else by the exit code of `timeout` or ssh. `limit_s` is set once it is over.

    Without a report the script was ended, or never ran: sshd may force another command upon this key.
    """
    if mark := _MARK.search(said):
        return _Ended(int(mark[1]))
    lost = program == "ssh" and code == _SSH_FAILED and complaint(said)
    if limit_s is not None:
        timed_out = f"timed out after {short(timedelta(seconds=limit_s))}"
        if not over or lost:
            return _Ended(None, f"{timed_out}; {lost or 'it may still be running at the far end'}")
        return _Ended(TIMED_OUT, timed_out)
    if program == "ssh" and code == _SSH_FAILED:
        return _Ended(None, lost or "ssh: failed without a message")
    if code < 0 or code in (128 + signal.SIGTERM, 128 + signal.SIGKILL):
        number = -code if code < 0 else code - 128
        return _Ended(None, f"ended by signal {number}, not by PoM")
    if code in (125, 126, 127):  # timeout(1), or the shell that did not find it
        return _Ended(None, complaint(said) or f"timeout: failed with exit code {code}")
    return _Ended(code)


def complaint(said: str) -> str:
    """The last line of ssh's standard error, in short: `ssh: Permission denied (publickey)`; else ""."""
    lines = [line for raw in said.splitlines() if (line := clean(summary.plain(raw))) and not _MARK.search(line)]
    word = re.sub(r"^\S+@\S+: ", "", lines[-1].rstrip(".")) if lines else ""
    return word if not word or word.startswith("ssh: ") else f"ssh: {word}"


def _close(process: subprocess.Popen[bytes]) -> None:
    """Leave no process and no pipe here."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its session, with what ssh itself started
        process.wait()
