"""A run that dies of a signal: the next ones say so, and what kills twice is looked at in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import ROOT, Pom, Ran
from web_server import HANG, WebServer, answer

from pom_cli import config, store
from pom_cli.mesh import report
from pom_cli.mesh.answer import PeerAnswer, read

# A look that ends its process with the signal that the file `deadly` names, as long as there is one.
DEADLY = """
import os, pathlib
from pom_cli.checks import health
real, order = health.look, pathlib.Path({order!r})
def look(settings):
    if settings.url.endswith("/bad") and order.exists():
        os.kill(os.getpid(), int(order.read_text()))
    return real(settings)
health.look = look
"""
NEVER = r"the run of \S+ \S+ \S+ \(check health\) never ended: killed or crashed while checking bad health"


class Site:
    """`pom` as a process in which the look at one of three targets is deadly."""

    def __init__(self, folder: Path, web: WebServer, run: Pom, write: Callable[[str], Path]) -> None:
        self.order, self.run, self.folder = folder / "deadly", run, folder
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(DEADLY.format(order=str(self.order)))
        self.env = {"PYTHONPATH": f"{folder / 'site'}{os.pathsep}{ROOT}"}
        for name in ("one", "bad", "two"):
            web.on(f"/{name}", answer(200))
        self.config = write(
            f'[instance]\nname = "hetzner"\ndata_dir = "{folder / "data"}"\n[offline]\nwitnesses = []\n'
            + "".join(
                f'[targets.{name}]\nurl = "{web.url(f"/{name}")}"\nhealth.timeout = "60s"\n'
                for name in ("one", "bad", "two")
            )
        )

    def kills(self, number: int | None) -> None:
        if number is None:
            self.order.unlink()
        else:
            self.order.write_text(str(int(number)))

    def pom(self, *words: str) -> Ran:
        return self.run("--config", str(self.config), *words, env=self.env)

    def answer(self) -> PeerAnswer:
        loaded = config.load(self.config, {})
        with store.reader(self.folder / "data" / "pom.db") as db:
            assert db is not None
            return read(json.dumps(report.peer_answer(db, loaded, datetime.now(UTC))))

    def health(self) -> dict[str, str]:
        found = json.loads(self.pom("status", "--json").out)
        return {one["name"]: one["status"] for one in found["targets"]}


@pytest.fixture
def site(tmp_path: Path, server: WebServer, pom_process: Pom, config_file: Callable[[str], Path]) -> Site:
    return Site(tmp_path, server, pom_process, config_file)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
def test_whatever_it_died_of_the_next_ones_say_so(site: Site, number: int) -> None:
    site.kills(number)
    assert site.pom("check", "health").code == -number
    status = site.pom("status")
    assert status.code == 1 and "a run never ended" in status.out.splitlines()[0]
    assert says(status.out.splitlines()[1], NEVER), status.out
    assert [line for line in json.loads(site.pom("status", "--json").out)["crashed"] if says(line, NEVER)]
    doctor = site.pom("doctor")
    assert doctor.code == 1 and says(doctor.out, f"fault: checks: {NEVER}")
    assert says(site.pom("mesh").out, NEVER)
    assert [line for line in site.answer().crashed if says(line, NEVER)], "as a peer reads it"
    beat = site.pom("heartbeat")
    assert beat.code == 3 and says(beat.out, NEVER) and says(beat.err, f"pom: {NEVER}")
    assert site.pom("heartbeat").code == 1, "it was said once as our own fault; it still shows"
    site.kills(None)
    assert site.pom("check", "health").code == 0
    assert site.pom("heartbeat").code == 0 and site.pom("status").code == 0
    assert list((site.folder / "data" / "running").iterdir()) == []


def test_what_killed_two_runs_is_looked_at_apart_until_it_lives(site: Site) -> None:
    site.kills(signal.SIGSEGV)
    assert [site.pom("check", "health").code for _ in range(2)] == [-signal.SIGSEGV] * 2
    for _ in range(2):
        third = site.pom("check", "health")
        assert third.code == 3
        assert "bad health: unknown, the check crashed (signal 11)" in third.out
        assert "PoM itself failed in health of bad: the check crashed (signal 11)" in third.err
        assert site.health() == {"one": "operational", "bad": "unknown", "two": "operational"}
    assert json.loads(site.pom("alerts", "--json").out)["alerts"] == [], "it is no outage"
    site.kills(None)
    assert site.pom("check", "health").code == 0, "in a process of its own it was seen as well as ever"
    assert site.health()["bad"] == "operational"
    site.kills(signal.SIGSEGV)
    assert site.pom("check", "health").code == -signal.SIGSEGV, "the quarantine has ended"


def test_a_run_that_lived_in_between_counts_from_the_start_again(site: Site) -> None:
    for _ in range(2):
        site.kills(signal.SIGKILL)
        assert site.pom("check", "health").code == -signal.SIGKILL
        site.kills(None)
        assert site.pom("check", "health").code in (0, 3)
    site.kills(signal.SIGKILL)
    assert site.pom("check", "health").code == -signal.SIGKILL


@pytest.fixture
def hanging(site: Site, server: WebServer) -> threading.Event:
    """Set when the look at `bad` has begun; it does not end."""
    begun = threading.Event()
    server.on("/bad", [lambda _: begun.set(), HANG])
    return begun


def begun(site: Site, program: str) -> subprocess.Popen[bytes]:
    words = ["--config", str(site.config), "check", "health"]
    return subprocess.Popen(
        [sys.executable, "-c", program, *words], env={**os.environ, **site.env}, stdout=subprocess.DEVNULL
    )


POM = "from pom_cli.__main__ import main; main()"
# A test may run where SIGINT is ignored.
AT_A_TERMINAL = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {POM}"


def test_a_run_that_is_still_going_has_not_crashed(site: Site, hanging: threading.Event) -> None:
    with begun(site, POM) as running:
        assert hanging.wait(60)
        assert json.loads(site.pom("status", "--json").out)["crashed"] == []
        assert site.pom("heartbeat").code == 0
        running.send_signal(signal.SIGKILL)
    (line,) = json.loads(site.pom("status", "--json").out)["crashed"]
    assert says(line, NEVER), line


def test_ctrl_c_is_an_end(site: Site, hanging: threading.Event) -> None:
    with begun(site, AT_A_TERMINAL) as running:
        assert hanging.wait(60)
        running.send_signal(signal.SIGINT)
    assert running.returncode == 130
    assert json.loads(site.pom("status", "--json").out)["crashed"] == []


def says(text: str, pattern: str) -> bool:
    return re.search(pattern, text) is not None
