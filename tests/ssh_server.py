"""A real sshd on loopback for the user who runs the tests, and an `ssh` that knows the way to it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
SSH = shutil.which("ssh") or "/usr/bin/ssh"
ABSENT = "" if Path(SSHD).exists() and Path(SSH).exists() else "no sshd here: apt-get install openssh-server"
HOST = "lab"  # what the client's config calls it


class SshServer:
    """`with SshServer(folder) as server:`; then `server.path` has to stand first on PATH, and the host is `lab`."""

    def __init__(self, folder: Path, server_options: str = "") -> None:
        self.folder = folder
        folder.mkdir(mode=0o700)
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True, timeout=30
            )
        self.authorized = folder / "authorized_keys"
        self.authorized.write_bytes((folder / "user.pub").read_bytes())
        self.server_options = server_options
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SshServer:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd insists on it, for root alone
        for _ in range(5):
            self.port = _free_port()
            if self._start():
                break
        else:
            raise AssertionError(f"sshd does not start: {self.log}")
        self._write_client()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process
        self.hang_up()
        self.process.terminate()
        self.process.wait(10)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    @property
    def path(self) -> str:
        """A folder with an `ssh` in it that reads the lab's config, before all others."""
        return f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def hang_up(self) -> None:
        """Kill the server's side of every connection, as a machine that goes down does."""
        assert self.process
        for pid in _descendants(self.process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end meanwhile
                if Path(f"/proc/{pid}/comm").read_text().startswith("sshd"):
                    os.kill(pid, signal.SIGKILL)

    def trust_nobody(self) -> None:
        self.authorized.write_text("")

    def change_key(self) -> None:
        """The client then knows another key for this host than the one that it presents."""
        known = self.folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {(self.folder / 'user.pub').read_text()}")

    def _start(self) -> bool:
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.folder / 'host'}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.authorized}\nStrictModes no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n{self.server_options}\n"
        )
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        for _ in range(200):
            if self.process.poll() is not None:
                return False
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.02)
        return False

    def _write_client(self) -> None:
        user = pwd.getpwuid(os.geteuid()).pw_name
        public = (self.folder / "host.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {public}")
        config = self.folder / "ssh_config"
        config.write_text(
            f"Host {HOST}\n  HostName 127.0.0.1\n  Port {self.port}\n  User {user}\n  IdentitiesOnly yes\n"
            f"  IdentityFile {self.folder / 'user'}\n  UserKnownHostsFile {self.folder / 'known_hosts'}\n"
            "  GlobalKnownHostsFile /dev/null\n"
        )
        (self.folder / "bin").mkdir()
        program = self.folder / "bin" / "ssh"
        program.write_text(f'#!/bin/sh\nexec {SSH} -F {config} "$@"\n')
        program.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [grand for child in children for grand in _descendants(child)]


def is_alive(pid: int) -> bool:
    """Does this process run; one that only waits to be collected by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: list[int], within_s: float = 30.0) -> bool:
    """Have all these ended, at the latest after so long."""
    ends = time.monotonic() + within_s
    while any(map(is_alive, pids)):
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


def await_pids(folder: Path, count: int, within_s: float = 30.0) -> list[int]:
    """The process ids that a command wrote into `folder/*.pid`, once there are so many."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        found = [text for path in folder.glob("*.pid") if (text := path.read_text().strip())]
        if len(found) >= count:
            return [int(text) for text in found]
        time.sleep(0.05)
    raise AssertionError(f"fewer than {count} processes began")
