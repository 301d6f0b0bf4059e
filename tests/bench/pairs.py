"""Two commands in turn, A B A B, and the ratio of each pair: what holds on a machine whose speed drifts."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PYTHON = sys.executable
# The installed command where there is one: it is what timers start.
POM = [found] if (found := shutil.which("pom", path=Path(PYTHON).parent)) else [PYTHON, "-m", "pom_cli"]


@dataclass(frozen=True)
class Cost:
    """What one whole process took: seconds, and its peak memory in MiB."""

    cpu: float
    wall: float
    mib: float


def cost(command: Sequence[str], env: dict[str, str] | None = None, codes: Sequence[int] = (0,)) -> Cost:
    """Run it with its output piped, as a timer does; the operating system's own account of it."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            out.seek(0)
            raise SystemExit(f"{command}: exit {process.returncode}\n{out.read().decode()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024)


def paired(
    name: str, ours: Callable[[], Cost], theirs: Callable[[], Cost], of: str, goal: float, runs: int = 7
) -> float:
    """Print the median of the ratios ours / theirs over `runs` pairs, after one of each that is not counted."""
    ours(), theirs()
    ratios = [getattr(ours(), of) / getattr(theirs(), of) for _ in range(runs)]
    ratio = statistics.median(ratios)
    print(f"{name}: {of} ratio {ratio:.2f} (goal ≤ {goal:g}; {min(ratios):.2f} to {max(ratios):.2f} in {runs} pairs)")
    return ratio


@contextmanager
def server(*arguments: str):
    """The fast server beside this file in a process of its own; gives its port."""
    command = [PYTHON, str(Path(__file__).with_name("fast_server.py")), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def config(folder: Path, urls: Sequence[str], more: str = "") -> Path:
    """A config of one target for each URL, with this text in its table."""
    path = folder / "pom.toml"
    targets = "".join(f'[targets.t{number}]\nurl = "{url}"\n{more}\n' for number, url in enumerate(urls))
    path.write_text(f'[instance]\nname = "bench"\ndata_dir = "{folder / "data"}"\n{targets}')
    return path
