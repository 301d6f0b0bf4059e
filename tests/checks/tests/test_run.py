"""Runs on this machine: limits, ends, and what is left behind, with real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ssh_server import await_pids, gone, is_alive

from pom_cli.checks.tests import run as runs
from pom_cli.checks.tests.run import TIMED_OUT, arguments, complaint, make
from pom_cli.model import SuiteRun

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
SHELLS = (["bash"], ["dash"], ["zsh"], ["fish"], ["tcsh"], ["mksh"], ["ksh"], ["busybox", "sh"])
TELLING = "echo 'a b' $(echo sub) `echo tick`; echo 'x\\ty!z' \\\\ ! ^a^b % '#' ~\nprintf %s '*' ü€; exit 7"


def here(command: str, limit_s: float = 60.0) -> SuiteRun:
    return make("shop", "", command, limit_s, lambda: NOW, lambda _: None)


def test_output_and_exit_code() -> None:
    run = here("echo out; echo err >&2; exit 3")
    assert (run.exit, run.reason, sorted(run.log.splitlines())) == (3, "", ["err", "out"])
    assert (run.passed, run.failed, run.failing) == (None, None, ())
    assert (run.target, run.started_at, run.ended_at) == ("shop", NOW, NOW)


def test_an_exit_code_of_0_does_not_hide_a_failure_that_is_told() -> None:
    run = here("{ echo 'FAILED test_a.py::test_b - x'; echo '= 1 failed, 2 passed in 0.1s ='; false; } | cat")
    assert (run.exit, run.passed, run.failed, run.failing) == (0, 2, 1, ("test_a.py::test_b",))
    assert run.failed_tests


def test_lines_are_heard_as_they_come() -> None:
    heard: list[str] = []

    def listen(lines: Sequence[str]) -> None:
        heard.extend(lines)
        if "first" in heard and "go" not in heard:
            Path(os.environ["HOME"], "go").touch()
            heard.append("go")

    run = make("shop", "", "echo first; until [ -e go ]; do sleep 0.05; done; echo last", 60.0, lambda: NOW, listen)
    assert heard == ["first", "go", "last"]
    assert run.log == "first\nlast"


def test_it_starts_at_home_with_nothing_to_read_and_without_poms_secrets(
    monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("POM_POSTMARK_TOKEN", "hush")
    monkeypatch.chdir(tmp_path)
    run = here("pwd; cat; env | grep POM_ | cut -d= -f1")
    assert run.log.splitlines() == [str(home)]


def test_a_command_may_have_many_lines_and_any_characters() -> None:
    run = here("echo 'it'\"'\"'s' \\\n  \"ü €\"\nx=$(printf '%s' a b)\nprintf '%s\\n' \"$x\" '!' '\\n' | cat\n")
    assert run.log.splitlines() == ["it's ü €", "ab", "!", "\\n"]


def test_the_time_limit_ends_it_with_all_of_its_process_group(tmp_path: Path) -> None:
    run = here(f"cd {tmp_path}; echo $$ > leader.pid; sleep 600 & echo $! > child.pid; echo begun; wait", limit_s=1.0)
    assert (run.exit, run.reason, run.log) == (TIMED_OUT, "timed out after 1 s", "begun")
    assert (run.made, run.failed_tests) == (True, True)
    assert gone(await_pids(tmp_path, 2))


def test_what_leaves_the_process_group_is_left_alone(tmp_path: Path) -> None:
    run = here(f"setsid sh -c 'echo $$ > {tmp_path}/away.pid; exec sleep 600' & exec sleep 600", limit_s=1.0)
    (pid,) = await_pids(tmp_path, 1)
    assert run.exit == TIMED_OUT
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_the_command_may_end_tidily_when_its_time_is_over() -> None:
    run = here("trap 'sleep 1; echo tidied; exit 0' TERM; echo begun; while :; do sleep 0.1; done", limit_s=1.0)
    assert (run.exit, run.log.splitlines()[-1]) == (TIMED_OUT, "tidied")


def test_pom_s_own_death_ends_it(tmp_path: Path) -> None:
    script = (
        "from pom_cli.checks.tests.run import make\n"
        f"command = 'sleep 600 & echo $! > {tmp_path}/child.pid; echo $$ > {tmp_path}/leader.pid; exec sleep 600'\n"
        "make('shop', '', command, 60.0, lambda: None, lambda _: None)\n"
    )
    started = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)})
    pids = await_pids(tmp_path, 2)
    started.kill()
    started.wait(10)
    assert gone(pids)


def test_a_run_that_somebody_else_ends_says_so() -> None:
    assert here("kill -KILL $PPID; exec sleep 600").reason == "ended by signal 9, not by PoM"


class TestOverSsh:
    """What `ssh` is given, and what is made of a bad end, with an ssh that is a shell script."""

    @pytest.fixture
    def fake(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
        def install(does: str) -> None:
            (tmp_path / "bin").mkdir()
            (tmp_path / "bin" / "ssh").write_text(f"#!/bin/sh\n{does}\n")
            (tmp_path / "bin" / "ssh").chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

        return install

    def test_it_never_prompts_and_its_options_end_before_the_destination(self) -> None:
        argv = arguments("max@192.0.2.10", "/home/max/staging/run-tests.sh", 1800.0)
        assert argv[0] == "ssh"
        assert {"BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=3"} <= set(argv)
        assert argv[-4:-1] == ["-T", "--", "max@192.0.2.10"]
        assert argv[-1].startswith("exec timeout -k 10 1800 /bin/sh -c '")

    @pytest.mark.parametrize("command", ["'; touch canary; '", "$(touch canary)", "`touch canary`\n\\", "!! ünï"])
    def test_no_word_of_the_command_is_in_the_arguments(self, command: str) -> None:
        assert arguments("lab", command, 60.0) == arguments("lab", "x" * len(command.encode()), 60.0)

    @pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
    def test_every_login_shell_reads_the_same(self, shell: list[str], fake: Callable[[str], None]) -> None:
        if not shutil.which(shell[0]):
            pytest.skip(f"no {shell[0]} here")
        fake(f'for line; do :; done; export SHELL=/bin/sh; exec {" ".join(shell)} -c "$line"')
        assert make("shop", "lab", TELLING, 60.0, lambda: NOW, lambda _: None).log == here(TELLING).log

    def test_without_an_ssh_here_that_is_the_reason(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        run = make("shop", "lab", "echo never", 60.0, lambda: NOW, lambda _: None)
        assert (run.exit, run.reason) == (None, "ssh cannot be started: No such file or directory")

    def test_an_ssh_that_does_not_let_go_is_ended_and_the_doubt_is_reported(
        self, fake: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        fake(f"echo $$ > {tmp_path}/ssh.pid; sleep 600 & echo $! > {tmp_path}/proxy.pid; wait")
        monkeypatch.setattr(runs, "_LOST_S", 0.0)
        monkeypatch.setattr(runs, "_KILL_S", 0)
        run = make("shop", "lab", "echo never", 1.0, lambda: NOW, lambda _: None)
        assert run.reason == "timed out after 1 s; it may still be running at the far end"
        assert (run.exit, run.made) == (None, False)
        assert gone(await_pids(tmp_path, 2))

    @pytest.mark.parametrize(
        ("does", "code", "reason"),
        [
            ("exit 3", 3, ""),  # a command that sshd forces upon this key
            ("echo 'sh: 1: exec: timeout: not found' >&2; exit 127", None, "ssh: sh: 1: exec: timeout: not found"),
            ("echo 'Connection lost.' >&2; exit 255", None, "ssh: Connection lost"),
            ("exit 255", None, "ssh: failed without a message"),
            ("sleep 1; exit 255", TIMED_OUT, "timed out after 1 s"),  # so ends a `timeout` that had to kill
            ("sleep 1; echo 'Connection lost.' >&2; exit 255", None, "timed out after 1 s; ssh: Connection lost"),
            ("exit 143", None, "ended by signal 15, not by PoM"),
        ],
    )
    def test_without_a_report_the_exit_code_says_what_is_known(
        self, fake: Callable[[str], None], does: str, code: int | None, reason: str
    ) -> None:
        fake(does)
        run = make("shop", "lab", "echo never", 1.0, lambda: NOW, lambda _: None)
        assert (run.exit, run.reason) == (code, reason)

    @pytest.mark.parametrize(
        ("said", "word"),
        [
            ("max@192.0.2.10: Permission denied (publickey).\r\n", "ssh: Permission denied (publickey)"),
            ("@@@ WARNING @@@\nHost key verification failed.\n", "ssh: Host key verification failed"),
            (
                "ssh: connect to host 192.0.2.10 port 22: Connection refused\r\n",
                "ssh: connect to host 192.0.2.10 port 22: Connection refused",
            ),
            ("\x1b[31mred\x1b[0m\n\n", "ssh: red"),
            ("pom-test-exit 255\n", ""),
            ("", ""),
        ],
    )
    def test_a_complaint_is_ssh_s_last_line(self, said: str, word: str) -> None:
        assert complaint(said) == word


def test_a_run_over_its_limit_tells_what_its_runners_told_until_then() -> None:
    run = here("echo '= 1 failed in 1.0s ='; exec sleep 600", limit_s=1.0)
    assert (run.exit, run.passed, run.failed) == (TIMED_OUT, 0, 1)
    assert run.log == "= 1 failed in 1.0s ="


def test_one_that_says_nothing_and_hangs_was_made_all_the_same() -> None:
    assert here("exec sleep 600", limit_s=1.0).exit == TIMED_OUT


@pytest.mark.slow
def test_what_is_deaf_to_the_polite_signal_is_killed(tmp_path: Path) -> None:
    run = here(f"trap '' TERM; echo $$ > {tmp_path}/deaf.pid; while :; do sleep 1; done", limit_s=1.0)
    assert run.reason == "timed out after 1 s"
    assert not any(map(is_alive, await_pids(tmp_path, 1)))


def test_a_process_left_behind_on_purpose_stays_and_holds_nothing_up(tmp_path: Path) -> None:
    run = here(f"sleep 600 & echo $! > {tmp_path}/left.pid; echo done; exit 4")
    (pid,) = await_pids(tmp_path, 1)
    assert (run.exit, run.log) == (4, "done")
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_endless_output_is_bounded_and_the_limit_still_holds() -> None:
    run = here("yes 'a line of noise'", limit_s=1.0)
    assert run.reason == "timed out after 1 s"
    assert 60_000 < len(run.log) <= 65_536


def test_whoever_listens_and_fails_ends_it(tmp_path: Path) -> None:
    def listen(lines: Sequence[str]) -> None:
        if lines:
            raise BrokenPipeError

    command = f"echo $$ > {tmp_path}/leader.pid; echo hello; exec sleep 600"
    with pytest.raises(BrokenPipeError):
        make("shop", "", command, 60.0, lambda: NOW, listen)
    assert not any(map(is_alive, await_pids(tmp_path, 1)))


def test_a_signal_that_ends_the_command_is_its_exit_code() -> None:
    assert here("kill -KILL $$").exit == 137


def test_real_pytest_is_understood(home: Path) -> None:
    (home / "test_cart.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "@pytest.mark.parametrize('kind', ['a - b'])\n"
        "def test_bad(kind): assert kind == [1]\n"
        "@pytest.fixture\n"
        "def broken(): raise RuntimeError('no database')\n"
        "def test_setup(broken): pass\n"
    )
    for options in ("-q", "-v --color=yes -rA"):
        run = here(
            f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {sys.executable} -m pytest -p no:cacheprovider {options} test_cart.py"
        )
        assert (run.exit, run.passed, run.failed) == (1, 1, 2)
        assert run.failing == ("test_cart.py::test_bad[a - b]", "test_cart.py::test_setup")
        assert "\x1b" not in run.log


def test_it_takes_as_long_as_the_clock_says() -> None:
    ticks = iter([NOW, NOW + timedelta(seconds=90)])
    run = make("shop", "", "exit 0", 60.0, lambda: next(ticks), lambda _: None)
    assert run.ended_at - run.started_at == timedelta(seconds=90)
