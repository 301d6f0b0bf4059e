"""Real systemd machines for tests, by the tool that $SYSTEMD_BOX names; a skip with the reason where there is none."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

TOOL = os.environ.get("SYSTEMD_BOX", "")


def need() -> None:
    """Skip where there are no boxes."""
    if not TOOL or not Path(TOOL).is_file():
        pytest.skip("systemd machines are needed: $SYSTEMD_BOX names no tool that boots them")
    if os.geteuid() != 0:
        pytest.skip("systemd machines are needed, and booting them needs root")


def tool(*words: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [TOOL, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def until(what: Callable[[], Any], seconds: float = 60) -> Any:
    """Ask until the answer is true, and give it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(1.5)  # the API answers a client sixty times a minute
    return found


@dataclass
class Box:
    """One machine. `user` is who logs in: root, or deploy with sudo. `suite`: another Debian than the tool's usual one.

    Where that cannot be had it is the usual one, and `lacks` says why.
    """

    folder: Path
    user: str = "root"
    suite: str = ""
    lacks: str = ""
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def address(self) -> str:
        return self.facts["ADDR"]

    @property
    def login(self) -> str:
        return f"{self.user}@{self.name}"

    def start(self) -> None:
        if self.suite:
            self._build_suite()
        tool("build", self.folder)
        tool("start", self.folder)
        self.facts = dict(line.split("=", 1) for line in tool("info", self.folder).stdout.splitlines())

    def _build_suite(self) -> None:
        """The tool takes packages from where this machine does; for its eyes alone that is the other suite."""
        script = """
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    [ -s $file ] || continue
    sed "s/$(. /etc/os-release; echo $VERSION_CODENAME)/$SYSTEMD_BOX_SUITE/g" $file >"$1"
    mount --bind "$1" $file
    break
done
exec "$2" build "$3"
"""
        sources = self.folder.with_suffix(".sources")
        command = ["unshare", "--mount", "sh", "-euc", script, "sh", str(sources), TOOL, str(self.folder)]
        environ = {**os.environ, "SYSTEMD_BOX_SUITE": self.suite}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=900, check=False)
        sources.unlink(missing_ok=True)
        if done.returncode:
            self.lacks = f"no {self.suite}: {(done.stderr.splitlines() or [''])[-1]}"

    def destroy(self) -> None:
        if self.facts:
            self._kill()  # nobody misses an orderly end
        tool("destroy", self.folder)

    def run(self, *command: object, check: bool = True) -> str:
        """Run a command in it as root; gives its standard output, and its code before it without `check`."""
        done = tool("exec", self.folder, *command, check=check)
        return done.stdout if check else f"{done.returncode} {done.stdout}{done.stderr}"

    def sh(self, script: str, check: bool = True) -> str:
        return self.run("bash", "-euo", "pipefail", "-c", script, check=check)

    def ssh(self, command: str) -> str:
        """What an operator types: root as it is, the other with sudo."""
        config = self.facts["SSH_CONFIG"]
        words = ["ssh", "-F", config, "-o", f"User={self.user}", self.name, command]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        assert done.returncode in (0, 3), f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def pom(self, *words: str, user: str = "root") -> tuple[int, str]:
        """`pom` by hand; code and output."""
        done = tool("exec", self.folder, "runuser", "-u", user, "--", "pom", *words, check=False)
        return done.returncode, done.stdout

    def shown(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        lines = self.run("systemctl", "show", unit, f"--property={','.join(names)}").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def active(self, unit: str) -> str:
        return self.shown(unit, "ActiveState")["ActiveState"]

    def get(self, path: str, token: str = "") -> tuple[int, Any]:
        """Ask its API from within the machines' network."""
        header = ["-H", f"Authorization: Bearer {token}"] if token else []
        url = f"http://{self.address}:9100{path}"
        command = ["curl", "-sS", "-m", "10", "-w", "\n%{http_code}", *header, url]
        done = tool("netns", *command, check=False)
        body, _, code = done.stdout.rpartition("\n")
        return int(code or 0), json.loads(body) if body.startswith(("{", "[")) else body

    def well(self) -> bool:
        return self.get("/api/health")[0] == 200

    def query(self, sql: str) -> list[list[Any]]:
        """Rows of its database, read on the machine as the timers' user."""
        code = (
            "import json, sqlite3, sys\n"
            "db = sqlite3.connect('/var/lib/pom/pom.db', timeout=20)\n"  # read-only cannot mend what a kill left
            "db.execute('PRAGMA query_only=ON')\n"
            "print(json.dumps(db.execute(sys.argv[1]).fetchall()))"
        )
        found: list[list[Any]] = json.loads(self.run("runuser", "-u", "pom", "--", "python3", "-c", code, sql))
        return found

    def write(self, sql: str) -> None:
        """Change its database, as the timers' user."""
        code = (
            "import sqlite3, sys\n"
            "sqlite3.connect('/var/lib/pom/pom.db', timeout=20, isolation_level=None).execute(sys.argv[1])"
        )
        self.run("runuser", "-u", "pom", "--", "python3", "-c", code, sql)

    def reboot(self) -> None:
        """From inside, as an operator does."""
        self.run("systemctl", "reboot", check=False)
        until(lambda: self._leader() not in ("", self.facts["PID"]))
        tool("start", self.folder)  # waits until it is up
        self.facts["PID"] = self._leader()

    def _leader(self) -> str:
        lines = tool("info", self.folder, check=False).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines).get("PID", "")

    def cut_power(self) -> None:
        """Nobody is told: every process dies in the same moment."""
        self._kill()
        tool("start", self.folder)
        self.facts["PID"] = self._leader()
        tool("netns", "ip", "neigh", "flush", "all")  # its network card is another one now

    def _kill(self) -> None:
        supervisor = int((self.folder / "state" / "supervisor").read_text().split()[0])
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        for number in (self.facts["PID"], supervisor, *children):
            os.kill(int(number), 9)


@dataclass
class Lab:
    """Two machines and, in their network, a site to watch and a stand-in for Postmark."""

    folder: Path
    boxes: tuple[Box, Box]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    postmark_url: str = ""
    site_url: str = ""

    @property
    def gateway(self) -> str:
        """The address of the network's own end, where site and Postmark are."""
        return self.boxes[0].address.rpartition(".")[0] + ".1"

    def start(self) -> None:
        for box in self.boxes:
            box.start()
        configs = [Path(box.facts["SSH_CONFIG"]).read_text() for box in self.boxes]
        text = "".join(configs).replace("    User root\n", "")
        (self.folder / "ssh_config").write_text(text)
        self.site(200)
        here = Path(__file__).parent
        stand_in = [str(here / "postmark_server.py"), "0", "--host", self.gateway, "--token", "pm-token"]
        self.postmark_url = self._serve("postmark", *stand_in)
        self.site_url = self._serve("site", "-c", _SITE, self.gateway, str(self.folder / "site-status"))

    def _serve(self, name: str, *words: str) -> str:
        """A server in the machines' network, at a port of its own choice; gives its URL."""
        path = self.folder / f"{name}.log"
        with path.open("w") as log:
            command = [TOOL, "netns", sys.executable, "-u", *words]
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, text=True)
        self.processes.append(process)
        found: str = until(lambda: re.findall(r"listening at (http://[0-9.:]+)", path.read_text()))[0]
        return found

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for box in self.boxes:
            box.destroy()

    def site(self, status: int) -> None:
        """From now on the site answers so."""
        (self.folder / "site-status").write_text(str(status))

    def mails(self) -> list[str]:
        """The subjects of all mails so far."""
        lines = (self.folder / "postmark.log").read_text().splitlines()
        return [line.partition(": ")[2] for line in lines if line.startswith("accepted ")]

    def deploy(self, checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("POM_")}
        environ |= {"POM_SSH": f"ssh -F {self.folder / 'ssh_config'}", "HOME": pwd.getpwuid(0).pw_dir}
        command = [str(checkout / "deploy.sh"), *words]
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=400, stdin=subprocess.DEVNULL, cwd="/"
        )


_SITE = """
import http.server, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status = int(pathlib.Path(sys.argv[2]).read_text())
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer((sys.argv[1], 0), Handler)
print(f"listening at http://{sys.argv[1]}:{server.server_port}", flush=True)
server.serve_forever()
"""


def checkout(source: Path, target: Path) -> Path:
    """What a clone of this work tree would hold, uncommitted files included."""
    target.mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE", "deploy.sh"):
        shutil.copy2(source / name, target / name)
    for name in ("pom_cli", "timers"):
        shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return target
