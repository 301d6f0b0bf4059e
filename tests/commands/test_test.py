"""pom test and pom test record, as an operator or a timer types them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ssh_server import await_pids, is_alive

from pom_cli import cli
from pom_cli.commands.test import running

ROOT = Path(__file__).parents[2]
PASSES = "echo '== 3 passed in 0.1s =='"
FAILS = "echo 'FAILED test_a.py::test_b - x'; echo '== 1 failed, 2 passed in 0.1s =='; exit 1"

Run = Callable[..., tuple[int, str, str]]


def config(tmp_path: Path, **commands: str) -> Path:
    """A target for each command, the host of its url nowhere, and one without tests."""
    path = tmp_path / "pom.toml"
    text = f'[instance]\nname = "hetzner"\ndata_dir = "{tmp_path / "data"}"\n[alerts]\nchannels = ["console"]\n'
    for name, command in {**commands, "untested": ""}.items():
        text += f'[targets.{name}]\nurl = "https://{name}.example.com"\nhealth = false\ntls = false\n'
        text += f'tests = {{ command = {json.dumps(command)}, timeout = "2s" }}\n' if command else "dns = {}\n"
    path.write_text(text.replace("dns = {}\n", ""))
    return path


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("shop", shop="a command", …)`: exit code, standard output, standard error of `pom test shop`."""

    def run_(*arguments: str, **commands: str) -> tuple[int, str, str]:
        path = config(tmp_path, **commands) if commands else tmp_path / "pom.toml"
        code = cli.run(["--config", str(path), "test", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_


def report(ran: tuple[int, str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ran[1])
    return found


def rows(tmp_path: Path, sql: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(tmp_path / "data" / "pom.db")
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def test_tests_that_pass_are_0_and_recorded(run: Run, tmp_path: Path) -> None:
    code, out, err = run("shop", shop=PASSES)
    assert (code, err) == (0, "")
    assert out.splitlines() == ["shop: exit 0, after 0 s", "shop tests: operational, 3 tests passed"]
    assert rows(tmp_path, "SELECT target, exit, passed, failed FROM test_runs") == [("shop", 0, 3, 0)]
    assert rows(tmp_path, "SELECT command, kinds, outcome FROM runs") == [("test", "tests", "all 1 operational")]


def test_tests_that_fail_are_1_named_and_told(run: Run) -> None:
    code, out, _ = run(shop=FAILS)
    assert code == 1
    assert out.startswith("shop: exit 1, after 0 s\n  failed: test_a.py::test_b\n")
    assert "[PoM hetzner] shop tests: 1 of 3 failed; newly failing: test_a.py::test_b" in out
    assert "Problem: 1 of 3 tests failed; newly failing: test_a.py::test_b" in out
    assert "pom --config" in out
    assert "test shop" in out
    assert "shop tests: error, 1 of 3 tests failed; newly failing: test_a.py::test_b" in out
    assert "notice: shop test-failed: operational → error (new)" in out


def test_json_is_as_checks_with_the_runs_and_nothing_else_on_standard_output(run: Run) -> None:
    ran = run("--json", "-v", shop=FAILS)
    found = report(ran)
    assert ran[0] == 1
    assert set(found) == {"results", "notices", "undelivered", "runs"}
    (one,) = found["runs"]
    assert set(one) == {"target", "started_at", "duration_s", "passed", "failed", "failing", "exit", "reason"}
    assert {key: one[key] for key in ("target", "passed", "failed", "failing", "exit", "reason")} == {
        "target": "shop", "passed": 2, "failed": 1, "failing": ["test_a.py::test_b"], "exit": 1, "reason": None,
    }  # fmt: skip
    assert [(row["kind"], row["subject"], row["status"]) for row in found["results"]] == [("tests", "", "error")]
    assert found["notices"][0]["subjects"] == ["test_a.py::test_b"]
    assert "FAILED test_a.py::test_b - x" in ran[2]
    assert "[PoM hetzner]" in ran[2]


def test_every_target_with_tests_has_its_turn_and_one_message_tells_of_all(run: Run) -> None:
    found = report(run("--json", shop=FAILS, blog=PASSES, wiki="echo no such thing; exit 3"))
    assert [(one["target"], one["exit"]) for one in found["runs"]] == [("shop", 1), ("blog", 0), ("wiki", 3)]
    assert [one["status"] for one in found["results"]] == ["error", "operational", "error"]
    assert found["results"][2]["summary"] == "exit 3: no such thing"
    assert found["results"][2]["detail"]["log"] == ["no such thing"]
    assert [notice["target"] for notice in found["notices"]] == ["shop", "wiki"]


def test_verbose_shows_the_output_made_harmless(run: Run) -> None:
    _, out, err = run("-v", shop="printf '\\033[31mred\\033[0m\\007 \\033]0;title\\007one\\n'; exit 3")
    assert out.splitlines()[:2] == ["red  one", "shop: exit 3, after 0 s"]
    assert "\x1b" not in out + err


def test_without_verbose_the_end_of_the_log_tells_what_no_names_tell(run: Run) -> None:
    _, out, _ = run(shop="for n in $(seq 50); do echo line $n; done; exit 3")
    lines = out.splitlines()
    assert lines[0] == "shop: exit 3, after 0 s"
    assert lines[1:21] == [f"  | line {number}" for number in range(31, 51)]


def test_a_run_over_its_time_is_one_that_failed(run: Run) -> None:
    ran = run("--json", shop="echo begun; exec sleep 600")
    found = report(ran)
    assert ran[0] == 1
    assert (found["runs"][0]["exit"], found["runs"][0]["reason"]) == (124, "timed out after 2 s")
    (result,) = found["results"]
    assert (result["status"], result["summary"]) == ("error", "timed out after 2 s: begun")
    assert (result["detail"]["reason"], result["detail"]["log"]) == ("timed out after 2 s", ["begun"])
    assert [(notice["alert"], notice["to"]) for notice in found["notices"]] == [("test-failed", "error")]


def test_the_alert_of_a_run_over_its_time_stands_until_one_ends_well(run: Run) -> None:
    _, out, _ = run(shop="exec sleep 600")
    assert "[PoM hetzner] shop tests: timed out after 2 s" in out
    assert "Problem: timed out after 2 s" in out
    assert "If it timed out: find the test that hangs" in out
    assert "(recovered)" in run(shop=PASSES)[1]


def test_a_failure_stands_while_ssh_fails_and_recovers_with_the_next_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(shop=FAILS)
    path = config(tmp_path, shop=FAILS)
    path.write_text(path.read_text().replace("tests = {", 'tests = { ssh = "max@192.0.2.10",'))
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'max@192.0.2.10: Permission denied (publickey).' >&2\nexit 255\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    code, out, _ = run()
    assert code == 1
    assert out.splitlines() == [
        "shop: ssh: Permission denied (publickey), after 0 s",
        "shop tests: unknown, could not be run: ssh: Permission denied (publickey)",
    ]
    assert "(recovered)" in run(shop=PASSES)[1]


class TestRecord:
    def test_numbers(self, run: Run, tmp_path: Path) -> None:
        code, out, err = run("record", "shop", "--passed", "40", "--failed", "0", shop=PASSES)
        assert (code, out, err) == (0, "shop tests: operational, 40 tests passed\n", "")
        code, out, _ = run("record", "shop", "--passed", "37", "--failed", "3")
        assert code == 1
        assert "shop tests: error, 3 of 40 tests failed" in out
        assert "notice: shop test-failed: operational → error (new)" in out
        assert rows(tmp_path, "SELECT exit, passed, failed FROM test_runs ORDER BY ended_at") == [
            (None, 40, 0), (None, 37, 3),
        ]  # fmt: skip

    @pytest.fixture
    def junit(self, tmp_path: Path) -> Path:
        path = tmp_path / "report.xml"
        path.write_text(
            '<testsuite><testcase classname="a" name="good"/><testcase classname="a" name="bad"><failure/></testcase>'
            "</testsuite>"
        )
        return path

    def test_a_junit_file_tells_the_numbers_and_the_names(self, run: Run, junit: Path) -> None:
        found = report(run("record", "shop", "--junit", str(junit), "--json", shop=PASSES))
        (one,) = found["runs"]
        assert (one["passed"], one["failed"], one["failing"], one["exit"]) == (1, 1, ["a.bad"], None)
        assert found["results"][0]["summary"] == "1 of 2 tests failed; newly failing: a.bad"

    def test_numbers_beside_a_junit_file_count(self, run: Run, junit: Path) -> None:
        words = ("record", "shop", "--passed", "7", "--failed", "2", "--junit", str(junit), "--json")
        (one,) = report(run(*words, shop=PASSES))["runs"]
        assert (one["passed"], one["failed"], one["failing"]) == (7, 2, ["a.bad"])

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("record",), "record takes one target"),
            (("record", "shop"), "--passed is missing; give both numbers, or a JUnit file (--junit)"),
            (("record", "shop", "--passed", "3"), "--failed is missing"),
            (("record", "shop", "blog", "--passed", "3", "--failed", "0"), "record takes one target"),
            (("record", "shopp", "--passed", "3", "--failed", "0"), "'shopp' is not a target; did you mean 'shop'?"),
            (("record", "shop", "--passed", "-3", "--failed", "0"), "-3 is not in the range"),
            (("record", "untested", "--passed", "3", "--failed", "0"), "untested has no tests"),
            (("record", "shop", "--junit", "absent.xml"), "absent.xml: cannot be read: No such file"),
        ],
    )
    def test_wrong_use_is_one_line_and_records_nothing(
        self, run: Run, words: tuple[str, ...], told: str, tmp_path: Path
    ) -> None:
        code, out, err = run(*words, shop=PASSES, blog=PASSES)
        assert (code, out, len(err.splitlines())) == (2, "", 1)
        assert told in err
        assert not (tmp_path / "data" / "pom.db").exists()

    def test_a_junit_file_with_failures_is_no_run_without(self, run: Run, junit: Path) -> None:
        words = ("record", "shop", "--passed", "1", "--failed", "0", "--junit", str(junit))
        code, _, err = run(*words, shop=PASSES)
        assert code == 2
        assert err == f"pom: --failed 0, but {junit} has 1 that failed, such as a.bad\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("shopp",), "'shopp' is not a target; did you mean 'shop'?"),
        (("untested",), "untested has no tests to run: add a table [targets.untested.tests] with a command"),
        (("shop", "untested"), "untested has no tests to run"),
        (("shop", "--passed", "3"), "--passed, --failed and --junit go with record"),
    ],
)
def test_wrong_use_is_2_and_runs_nothing(run: Run, words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    code, out, err = run(*words, shop=f"touch {tmp_path}/ran")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert told in err
    assert not (tmp_path / "ran").exists()


def test_where_no_target_has_tests_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config(tmp_path)
    assert cli.run(["--config", str(path), "test"]) == 2
    assert capsys.readouterr().err == (
        "pom: no target has tests to run: add a table [targets.untested.tests] with a command to the config\n"
    )


def test_a_database_that_cannot_be_used_is_3_and_a_failure_is_still_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data" / "pom.db").mkdir(parents=True)
    code, out, err = run(shop=FAILS)
    assert code == 3
    assert "notice: shop test-failed: operational → error (new)" in out
    assert err.startswith("pom: ")
    assert "Traceback" not in err


def test_a_check_of_the_kind_tells_the_same(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(shop=FAILS)
    code = cli.run(["--config", str(tmp_path / "pom.toml"), "check", "tests"])
    assert code == 1
    assert capsys.readouterr().out == "shop tests: error, 1 of 3 tests failed; newly failing: test_a.py::test_b\n"


def test_the_help_says_how_and_gives_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["test", "--help"]) == 0
    out = capsys.readouterr().out
    assert "pom test [OPTIONS] [TARGET]... | record TARGET" in out
    assert "Example: pom test makenotwork" in out


class TestAsAProcess:
    def start(self, tmp_path: Path, command: str, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        path = config(tmp_path, shop=command)
        path.write_text(path.read_text().replace('timeout = "2s"', 'timeout = "60s"'))
        return subprocess.Popen(
            [sys.executable, "-m", "pom_cli", "--config", str(path), "test", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "60"}, **more,
        )  # fmt: skip

    def test_a_ctrl_c_ends_the_tests_and_records_nothing(self, tmp_path: Path) -> None:
        command = f"echo $$ > {tmp_path}/leader.pid; exec sleep 600"
        process = self.start(tmp_path, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pids = await_pids(tmp_path, 1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (130, b"", b"")
        assert not any(map(is_alive, pids))
        assert not (tmp_path / "data" / "pom.db").exists()

    def test_a_terminal_gets_a_line_that_tells_how_it_goes_and_is_wiped_at_the_end(self, tmp_path: Path) -> None:
        ours, theirs = os.openpty()
        command = f"echo '\x1b[31mtest one'; sleep 1; {PASSES}"
        process = self.start(tmp_path, command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs)
        out, _ = process.communicate(timeout=60)
        shown = os.read(ours, 1 << 16).decode()
        os.close(ours)
        os.close(theirs)
        assert process.returncode == 0
        assert out.decode().splitlines() == ["shop: exit 0, after 1 s", "shop tests: operational, 3 tests passed"]
        assert "\r\x1b[Kshop: running for 0 s, 1 line; test one" in shown
        assert shown.endswith("\r\x1b[K")
        assert "\n" not in shown


@pytest.mark.parametrize(
    ("count", "newest", "line"),
    [
        (0, "", "shop: running for 5 s, no lines"),
        (1, "test one", "shop: running for 5 s, 1 line; test one"),
        (12, "test b", "shop: running for 5 s, 12 lines; test b"),
        (2, "", "shop: running for 5 s, 2 lines"),
    ],
)
def test_the_progress_line_counts_lines_and_ends_with_the_newest(count: int, newest: str, line: str) -> None:
    assert running("shop", timedelta(seconds=5), count, newest) == line
