"""What root does below another user's folder on a machine that is deployed to: an strace of all that ssh starts."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from boxes import Box, until

CHANGING = (
    "open openat openat2 creat mkdir mkdirat mknod mknodat rename renameat renameat2 unlink unlinkat rmdir link linkat "
    "symlink symlinkat chmod fchmodat fchmodat2 chown lchown fchownat truncate utimensat"
)
_CALL = re.compile(r"(\d+) +(\w+)\((.*)")
_BORN = re.compile(r"(\d+) +(?:<\.\.\. )?(?:clone3?|v?fork)\b.* = (?:\d+ /\* )?(\d+)(?: in strace's PID NS \*/)?$")


@dataclass
class Touched:
    """Calls that open or change something below the folder."""

    by_root: list[str] = field(default_factory=list)
    by_others: list[str] = field(default_factory=list)


def read(trace: str, folder: str) -> Touched:
    """Sort the calls of `strace -f -y --decode-pids=pidns` by who made them: root, or a user that it became."""
    lines = trace.splitlines()
    parents = {found[2]: found[1] for line in lines if (found := _BORN.match(line))}
    users: dict[str, int] = {}

    def user(pid: str) -> int:
        if pid not in users:
            users[pid] = user(parents[pid]) if pid in parents else 0
        return users[pid]

    touched = Touched()
    for line in lines:
        if not (found := _CALL.match(line)):
            continue
        pid, call, rest = found.groups()
        now = user(pid)
        if call in ("setuid", "setreuid", "setresuid"):
            if "= -1" in rest:
                continue
            numbers = re.findall(r"-?\d+", rest.partition(")")[0])
            effective = int(numbers[0] if call == "setuid" else numbers[1])
            users[pid] = now if effective == -1 else effective
            continue
        rest = re.sub(r'<[^<>]*>(?=, "/)', "", rest)  # where it stands does not matter to an absolute path
        if call in CHANGING.split() and re.search(rf'["<][^"<>]*{folder}[/>]', rest):
            (touched.by_others if now else touched.by_root).append(line)
    return touched


@contextmanager
def watch(box: Box, trace: Path, folder: str) -> Iterator[Touched]:
    """Whatever is done by ssh meanwhile; afterwards it says who touched what below `folder`. Skips without strace."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    inside = box.shown("ssh.service", "MainPID")["MainPID"]
    command = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "--decode-pids=pidns",
        "-s",
        "300",
        "-e",
        "trace=%file,%process,setuid,setreuid,setresuid",
    ]
    process = subprocess.Popen([*command, "-o", trace, "-p", _outside(box, inside)])
    touched = Touched()
    try:
        until(lambda: box.ssh("true") == "" and trace.exists() and "execve" in trace.read_text())
        yield touched
    finally:
        process.terminate()
        process.wait(30)
    seen = read(trace.read_text(errors="replace"), folder)
    touched.by_root, touched.by_others = seen.by_root, seen.by_others


def _outside(box: Box, pid: str) -> str:
    """This machine's number for a process of the box's."""
    namespace = Path(f"/proc/{box.facts['PID']}/ns/pid").readlink()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            numbers = re.search(r"^NSpid:(.*)", status.read_text(), re.MULTILINE)
            if numbers and numbers[1].split()[-1] == pid and (status.parent / "ns/pid").readlink() == namespace:
                return status.parent.name
        except OSError:
            continue  # it has ended
    raise AssertionError(f"no process {pid} in {box.name}")
