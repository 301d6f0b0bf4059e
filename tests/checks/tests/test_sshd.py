"""Test runs over the system's ssh against a real sshd: what arrives, what comes back, and what is left behind."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import ssh_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ssh_server import SshServer, await_pids, gone, is_alive

from pom_cli.checks.tests.run import TIMED_OUT, make
from pom_cli.model import SuiteRun

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)

pytestmark = pytest.mark.skipif(bool(ssh_server.ABSENT), reason=ssh_server.ABSENT)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SshServer(tmp_path_factory.mktemp("ssh") / "lab") as server:
        yield server


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[SshServer]:
    """For tests that break it."""
    with SshServer(tmp_path / "lab") as server:
        yield server


Over = Callable[..., SuiteRun]


def over(server: SshServer, command: str, limit_s: float = 60.0, host: str = ssh_server.HOST) -> SuiteRun:
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("PATH", server.path)
        return make("shop", host, command, limit_s, lambda: NOW, lambda _: None)


# Each writes down its pid.
ENDLESS = """
cd {folder}
echo $$ > leader.pid
sleep 600 & echo $! > child.pid
echo begun
wait
"""
DEAF = """sh -c 'trap "" TERM; echo $$ > deaf.pid; while :; do sleep 1; done' &"""  # to the polite signal


def test_output_exit_code_and_failing_tests_come_back(lab: SshServer) -> None:
    run = over(lab, "echo 'FAILED tests/test_a.py::test_b - x'; echo '= 1 failed, 2 passed in 0.1s =' >&2; exit 1")
    assert (run.exit, run.reason) == (1, "")
    assert (run.passed, run.failed, run.failing) == (2, 1, ("tests/test_a.py::test_b",))
    assert run.log.startswith("FAILED tests/test_a.py::test_b - x\n")


def test_it_is_the_login_shell_of_the_far_end_in_its_home(lab: SshServer) -> None:
    run = over(lab, 'echo "$SSH_CONNECTION|$PWD|$0"; test -t 0 || test -t 1 || echo no terminal')
    assert run.exit == 0
    address, folder, shell = run.log.splitlines()[-2].split("|")
    assert address.startswith("127.0.0.1 ")
    assert folder == pwd.getpwuid(os.geteuid()).pw_dir
    assert shell.endswith("sh")
    assert run.log.splitlines()[-1] == "no terminal"


def test_an_exit_code_of_255_is_the_commands_own_and_not_a_failure_of_ssh(lab: SshServer) -> None:
    run = over(lab, "echo broken; exit 255")
    assert (run.exit, run.reason, run.log) == (255, "", "broken")


NASTY = (
    'echo "it\'s" \'a "b"\' `echo tick` $(echo sub) $HOME ${HOME} \\ \\\\ \\n',
    "a; b & c | d > e < f && g || h # no comment\nsecond line\n\tthird\n\n",
    "!! !x ^a^b ~ * ? [a-z] {a,b} %1 $$ $! $0 $'\\x41' -oProxyCommand=x --",
    "ünïcödé € 𝄞 \u202e \x01\x1b[31m\x7f",
    "' \"",
    "\\",
    "'; touch {canary}; '",
    "$(touch {canary})\n`touch {canary}`",
)


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SshServer, Path]]:
    """A lab whose login shell is a recorder: it writes down what it is told to run, and runs nothing."""
    folder = tmp_path_factory.mktemp("recorder")
    shell = folder / "shell"
    shell.write_text(f'#!/bin/sh\nprintf "%s." "$#" "$1" "$2" > {folder / "told"}\n')
    shell.chmod(0o755)
    with SshServer(folder / "lab", f"SetEnv SHELL={shell}") as server:
        yield server, folder


class TestWhatArrives:
    @pytest.mark.parametrize("command", NASTY)
    def test_is_what_was_written_to_the_last_byte(self, recorder: tuple[SshServer, Path], command: str) -> None:
        self._check(*recorder, command.replace("{canary}", str(recorder[1] / "canary")))

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.text(st.sampled_from("'\"\\$`;&|<>(){}[]*?!#~^%\n\t \r-=aé\x01"), min_size=1, max_size=200))
    def test_whatever_it_is(self, recorder: tuple[SshServer, Path], command: str) -> None:
        self._check(*recorder, command)

    def _check(self, server: SshServer, folder: Path, command: str) -> None:
        told = folder / "told"
        told.unlink(missing_ok=True)
        run = over(server, command)
        assert (run.exit, run.reason) == (0, "")
        assert told.read_bytes() == f"2.-c.{command}.".encode()
        assert not (folder / "canary").exists()


@pytest.mark.slow
def test_the_time_limit_ends_everything_at_the_far_end(lab: SshServer, tmp_path: Path) -> None:
    run = over(lab, f"cd {tmp_path}; {DEAF}\n{ENDLESS.format(folder=tmp_path)}", limit_s=2.0)
    pids = await_pids(tmp_path, 3)
    assert (run.exit, run.reason) == (TIMED_OUT, "timed out after 2 s")
    assert run.log == "begun"
    assert gone(pids)


def test_a_process_left_behind_on_purpose_stays_and_holds_nothing_up(lab: SshServer, tmp_path: Path) -> None:
    run = over(lab, f"sleep 600 & echo $! > {tmp_path}/left.pid; echo done; exit 4")
    (pid,) = await_pids(tmp_path, 1)
    try:
        assert (run.exit, run.log) == (4, "done")
        assert is_alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_connection_that_breaks_is_no_failure_of_tests_and_ends_them(own_lab: SshServer, tmp_path: Path) -> None:
    pids: list[int] = []

    def listen(lines: object) -> None:
        if lines and not pids:
            pids.extend(await_pids(tmp_path, 2))
            own_lab.hang_up()

    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("PATH", own_lab.path)
        run = make("shop", ssh_server.HOST, ENDLESS.format(folder=tmp_path), 60.0, lambda: NOW, listen)
    assert run.exit is None
    assert run.reason.startswith("ssh: ")
    assert "closed" in run.reason or "reset" in run.reason
    assert gone(pids)


def test_a_key_that_is_refused_is_told_in_sshs_own_words(own_lab: SshServer) -> None:
    own_lab.trust_nobody()
    run = over(own_lab, "echo never")
    assert (run.exit, run.reason, run.log) == (None, "ssh: Permission denied (publickey)", "")


def test_a_host_key_that_changed_is_never_asked_about(own_lab: SshServer) -> None:
    own_lab.change_key()
    run = over(own_lab, "echo never")
    assert (run.exit, run.reason) == (None, "ssh: Host key verification failed")


def test_a_host_that_is_unknown_is_never_asked_about(own_lab: SshServer) -> None:
    (own_lab.folder / "known_hosts").unlink()
    run = over(own_lab, "echo never")
    assert (run.exit, run.reason) == (None, "ssh: Host key verification failed")


def test_nobody_who_listens_is_told(lab: SshServer, tmp_path: Path) -> None:
    config = lab.folder / "ssh_config"
    port = ssh_server._free_port()
    config.write_text(config.read_text() + f"Host nobody\n  HostName 127.0.0.1\n  Port {port}\n")
    run = over(lab, "echo never", host="nobody")
    assert (run.exit, run.reason) == (None, f"ssh: connect to host 127.0.0.1 port {port}: Connection refused")


def test_a_command_that_the_server_forces_is_taken_by_its_exit_code(tmp_path: Path) -> None:
    with SshServer(tmp_path / "lab", 'ForceCommand echo "= 1 failed in 1.0s ="; exit 1') as server:
        run = over(server, "echo never")
    assert (run.exit, run.failed, run.reason) == (1, 1, "")


class TestPomItself:
    @pytest.fixture
    def started(self, own_lab: SshServer, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
        """Begins `pom test` on tests that never end by themselves."""
        config = tmp_path / "pom.toml"
        command = ENDLESS.format(folder=tmp_path)
        config.write_text(
            f'[instance]\ndata_dir = "{tmp_path / "data"}"\n[targets.shop]\nurl = "https://shop.example.com"\n'
            f"[targets.shop.tests]\nssh = \"{ssh_server.HOST}\"\ncommand = '''{command}'''\n"
        )
        begun: list[subprocess.Popen[str]] = []

        def start() -> subprocess.Popen[str]:
            begun.append(
                subprocess.Popen(
                    [sys.executable, "-m", "pom_cli", "--config", str(config), "test"],
                    env={**os.environ, "PATH": own_lab.path, "PYTHONPATH": str(ROOT)},
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                )
            )  # fmt: skip
            return begun[0]

        yield start
        for process in begun:
            process.kill()
            process.communicate(timeout=10)

    def test_a_ctrl_c_ends_the_tests_at_the_far_end_and_records_nothing(
        self, started: Callable[[], subprocess.Popen[str]], tmp_path: Path
    ) -> None:
        process = started()
        pids = await_pids(tmp_path, 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, "")
        assert "Traceback" not in err
        assert gone(pids)
        assert not (tmp_path / "data" / "pom.db").exists()

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
    def test_its_death_ends_the_tests_at_the_far_end(
        self, started: Callable[[], subprocess.Popen[str]], tmp_path: Path, how: signal.Signals
    ) -> None:
        process = started()
        pids = await_pids(tmp_path, 2)
        process.send_signal(how)
        assert gone(pids, 60.0)
