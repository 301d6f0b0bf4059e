"""Runs on this machine: limits, ends, and what is left behind, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ssh_server import await_pids, gone, is_alive

from pom_cli.checks.tests import process
from pom_cli.checks.tests.make import make
from pom_cli.checks.tests.run import TIMED_OUT
from pom_cli.model import SuiteRun

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


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


@pytest.mark.parametrize(("code", "failing"), [(0, ()), (1, ("test_a.py::test_b",))])
def test_a_failure_that_another_try_took_back_is_none_where_the_exit_code_says_so(
    code: int, failing: tuple[str, ...]
) -> None:
    told = "echo 'FAILED test_a.py::test_b - x'; echo '= 1 failed, 2 passed in 0.1s ='; echo '= 1 passed in 0.1s ='"
    run = here(f"{told}; exit {code}")
    assert (run.passed, run.failed, run.failing, run.failed_tests) == (3, code, failing, bool(code))


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
    assert run.log.splitlines() == [str(home), "POM_TEST_RUN"]


def test_a_command_may_have_many_lines_and_any_characters() -> None:
    run = here("echo 'it'\"'\"'s' \\\n  \"ü €\"\nx=$(printf '%s' a b)\nprintf '%s\\n' \"$x\" '!' '\\n' | cat\n")
    assert run.log.splitlines() == ["it's ü €", "ab", "!", "\\n"]


def test_the_time_limit_ends_it_with_all_that_it_began(tmp_path: Path) -> None:
    run = here(
        f"cd {tmp_path}; echo $$ > leader.pid; sleep 600 & echo $! > child.pid;"
        "setsid sh -c 'echo $$ > away.pid; exec sleep 600' & echo begun; wait",
        limit_s=1.0,
    )
    assert (run.exit, run.reason, run.log) == (TIMED_OUT, "timed out after 1 s", "begun")
    assert (run.made, run.failed_tests) == (True, True)
    pids = await_pids(tmp_path, 3)
    assert not any(map(is_alive, pids))


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


def test_poms_own_death_ends_it(tmp_path: Path) -> None:
    script = (
        "from pom_cli.testrun.make import make\n"
        f"make('shop', '', 'echo $$ > {tmp_path}/leader.pid; exec sleep 600', 60.0, lambda: None, lambda _: None)\n"
    )
    root = str(Path(__file__).parent.parent.parent)
    started = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": root})
    pids = await_pids(tmp_path, 1)
    started.kill()
    started.wait(10)
    assert gone(pids)


def test_one_that_somebody_ends_says_so() -> None:
    assert here("kill -TERM $PPID; exec sleep 600").reason == "it was ended, and not by PoM"
    assert here("kill -KILL $PPID; exit 0").reason == "/bin/sh was killed by signal 9"


def test_a_signal_that_ends_the_command_is_its_exit_code() -> None:
    assert here("kill -KILL $$").exit == 137


def test_without_an_ssh_here_that_is_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    run = make("shop", "lab", "echo never", 60.0, lambda: NOW, lambda _: None)
    assert (run.exit, run.reason) == (None, "ssh cannot be started: No such file or directory")


def test_an_ssh_that_does_not_let_go_is_ended_and_the_doubt_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "ssh"
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/ssh.pid; sleep 600 & echo $! > {tmp_path}/proxy.pid; wait\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(process, "_LOST_S", 1.0)
    run = make("shop", "lab", "echo never", 1.0, lambda: NOW, lambda _: None)
    assert run.reason == "timed out after 1 s; nothing tells whether that ended it at the far end"
    assert (run.exit, run.made) == (None, False)
    assert gone(await_pids(tmp_path, 2))


@pytest.mark.parametrize(
    ("does", "code", "more"),
    [
        ("echo begun; exec sleep 600", TIMED_OUT, "; nothing tells whether that ended it at the far end"),
        ("cat >/dev/null; exit 1", TIMED_OUT, ""),  # an exit code came through
        ("cat >/dev/null; echo 'Connection lost.' >&2; exit 255", None, "; ssh: Connection lost"),
    ],
)
def test_without_a_word_from_the_script_it_failed_where_it_is_known_that_it_ran(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str, code: int | None, more: str
) -> None:
    (tmp_path / "ssh").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(process, "_LOST_S", 1.0)
    run = make("shop", "lab", "echo never", 1.0, lambda: NOW, lambda _: None)
    assert (run.exit, run.made, run.reason) == (code, code is not None, f"timed out after 1 s{more}")


def test_it_ends_where_no_setsid_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sh", "sleep", "grep"):
        (tmp_path / "bin" / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    run = here(f"echo $$ > {tmp_path}/leader.pid; sleep 600 & echo $! > {tmp_path}/child.pid; wait", limit_s=1.0)
    assert run.reason == "timed out after 1 s"
    assert not any(map(is_alive, await_pids(tmp_path, 2)))


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
