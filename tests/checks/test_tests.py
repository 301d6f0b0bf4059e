"""The tests kind: what the recorded runs say of a target."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from scene import Scene

from pom_cli.checks import tests as kind
from pom_cli.checks.tests import Observation, Settings, arrange, judge, newly
from pom_cli.checks.tests.run import TIMED_OUT
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Past, SuiteRun
from pom_cli.store import testruns
from pom_cli.store.spare import Database

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
SETTINGS = Settings("shop", "run-tests")
IDS = count(1)


def ran(ago: str | timedelta = timedelta(hours=2), **more: Any) -> SuiteRun:
    ended = NOW - (ago if isinstance(ago, timedelta) else timedelta(days=float(ago)))
    given = {"exit": 0, **more}
    return SuiteRun(next(IDS), "shop", ended - timedelta(minutes=2), ended, **given)


def failed(*names: str, ago: str | timedelta = timedelta(hours=2), passed: int = 40) -> SuiteRun:
    return ran(ago, exit=1, passed=passed, failed=len(names), failing=names)


def found(*runs: SuiteRun, fault: str = "") -> Finding:
    (finding,) = judge(arrange(runs, fault), SETTINGS, {}, NOW)
    assert set(finding.verdicts) == set(kind.RUNBOOK)
    return finding


def said(finding: Finding) -> tuple[str, str, str]:
    """The finding's status, and those of its verdicts on test-failed and test-stale."""
    return finding.status, finding.verdicts["test-failed"].status, finding.verdicts["test-stale"].status


class TestJudge:
    def test_before_a_first_run_nothing_is_known(self) -> None:
        assert said(found()) == (UNKNOWN, UNKNOWN, UNKNOWN)
        assert found().summary == "no test run recorded yet"

    @pytest.mark.parametrize(
        ("run", "summary"),
        [
            (ran(passed=43, failed=0), "43 tests passed"),
            (ran(passed=1, failed=0), "1 test passed"),
            (ran(), "exit 0"),
            (ran(exit=None, passed=12, failed=0), "12 tests passed"),
        ],
    )
    def test_an_exit_code_of_0_passes(self, run: SuiteRun, summary: str) -> None:
        assert said(found(run)) == (OPERATIONAL, OPERATIONAL, OPERATIONAL)
        assert found(run).summary == summary

    @pytest.mark.parametrize(
        ("run", "summary"),
        [
            (failed("a", "b", "c"), "3 of 43 tests failed; newly failing: a; b; c"),
            (failed("a", "b", "c", "d", "e"), "5 of 45 tests failed; newly failing: a; b; c; 2 more"),
            (ran(exit=None, passed=0, failed=1), "1 of 1 test failed"),
            (ran(passed=40, failed=3), "3 of 43 tests failed, though it exits with 0"),
            (ran(exit=3, log="one\nno such file\n\n"), "exit 3: no such file"),
            (ran(exit=3), "exit 3"),
            (ran(exit=2, passed=40, failed=0), "exit 2: 40 tests passed and none failed, as it says"),
        ],
    )
    def test_any_other_and_any_failure_is_an_error_with_what_is_known_of_it(self, run: SuiteRun, summary: str) -> None:
        assert said(found(run)) == (ERROR, ERROR, OPERATIONAL)
        assert found(run).summary == summary

    @pytest.mark.parametrize(
        ("before", "words"),
        [
            (ran("1", passed=42, failed=0), "newly failing: a; b"),
            (failed("a", ago="1"), "newly failing: b"),
            (failed("a", "b", "c", ago="1"), "still failing: a; b"),
            (ran("1", exit=2, log="broken"), "failing: a; b"),
        ],
    )
    def test_what_newly_fails_is_named_against_the_run_before(self, before: SuiteRun, words: str) -> None:
        assert found(failed("a", "b"), before).summary == f"2 of 42 tests failed; {words}"

    def test_the_alert_lists_the_failing_tests_but_not_without_end(self) -> None:
        names = [f"test_{number:03}" for number in range(50)]
        assert found(failed("b", "a")).verdicts["test-failed"].subjects == ("b", "a")
        finding = found(failed(*names))
        assert finding.verdicts["test-failed"].subjects == tuple(names[:20])
        assert finding.detail["failing"] == finding.detail["newly_failing"] == names[:20]
        assert finding.detail["failed"] == 50

    @pytest.mark.parametrize("now", [{"passed": 0, "failed": 0}, {}])
    def test_no_tests_at_all_where_there_were_some_is_degraded_until_there_are(self, now: dict[str, int]) -> None:
        full, empty = ran("1", passed=412, failed=0), ran("0.5", **now)
        first = found(empty, full)
        assert said(first) == (DEGRADED, DEGRADED, OPERATIONAL)
        assert first.summary == "no tests at all where there were 412"
        (again,) = judge(arrange([ran(**now), empty]), SETTINGS, {"": Past(detail=first.detail)}, NOW)
        assert said(again) == (DEGRADED, DEGRADED, OPERATIONAL)
        (over,) = judge(arrange([ran(passed=3, failed=0), empty]), SETTINGS, {"": Past(detail=again.detail)}, NOW)
        assert said(over) == (OPERATIONAL, OPERATIONAL, OPERATIONAL)

    def test_tests_that_never_told_a_number_are_judged_by_their_exit_code(self) -> None:
        assert said(found(ran(), ran("1"))) == (OPERATIONAL, OPERATIONAL, OPERATIONAL)

    def test_a_run_older_than_stale_is_degraded(self) -> None:
        assert said(found(ran("7"))) == (OPERATIONAL, OPERATIONAL, OPERATIONAL)
        finding = found(ran("8.5"))
        assert said(finding) == (DEGRADED, OPERATIONAL, DEGRADED)
        assert finding.summary == "no test run for 8 d (limit 7 d)"

    def test_failing_and_stale_are_both_told_and_the_worse_counts(self) -> None:
        finding = found(failed("a", ago="9"))
        assert said(finding) == (ERROR, ERROR, DEGRADED)
        assert finding.summary == "1 of 41 tests failed; newly failing: a; no test run for 9 d (limit 7 d)"

    def test_a_run_that_could_not_be_made_says_nothing_of_the_tests(self) -> None:
        refused = ran(timedelta(0), exit=None, reason="ssh: Permission denied (publickey)", log="ssh failed")
        for before in (failed("a", ago="1"), ran("1")):
            finding = found(refused, before)
            assert said(finding) == (UNKNOWN, UNKNOWN, OPERATIONAL)
            assert finding.summary == "could not be run: ssh: Permission denied (publickey)"
            assert finding.detail["log"] == ["ssh failed"]
            assert finding.detail["reason"] == "ssh: Permission denied (publickey)"

    def test_nor_does_it_keep_them_from_getting_stale(self) -> None:
        refused = ran(timedelta(0), exit=None, reason="ssh: Connection refused")
        finding = found(refused, ran("8"))
        assert said(finding) == (DEGRADED, UNKNOWN, DEGRADED)
        assert finding.summary == "could not be run: ssh: Connection refused; no test run for 8 d (limit 7 d)"

    def test_a_run_over_its_time_failed_and_counts_as_the_newest(self) -> None:
        overrun = ran("1", exit=TIMED_OUT, reason="timed out after 30 min", log="test_a\ntest_b hangs\n")
        finding = found(overrun, ran("8"))
        assert said(finding) == (ERROR, ERROR, OPERATIONAL)
        assert finding.summary == "timed out after 30 min: test_b hangs"
        assert (finding.detail["exit"], finding.detail["reason"]) == (124, "timed out after 30 min")
        assert finding.detail["log"] == ["test_a", "test_b hangs"]
        assert said(found(ran("0"), overrun)) == (OPERATIONAL, OPERATIONAL, OPERATIONAL)
        assert said(found(replace(overrun, ended_at=NOW - timedelta(days=8)))) == (ERROR, ERROR, DEGRADED)

    def test_what_failed_before_its_time_was_over_is_named(self) -> None:
        told: dict[str, Any] = {"passed": 40, "failed": 1, "failing": ("a",), "reason": "timed out after 30 min"}
        overrun = ran("1", exit=TIMED_OUT, **told)
        assert found(overrun).summary == "timed out after 30 min: 1 of 41 tests failed until then; newly failing: a"
        assert found(failed("a", "b"), overrun).summary == "2 of 42 tests failed; failing: a; b"

    def test_where_none_ever_could_be_made_that_gets_stale_too(self) -> None:
        tries = [ran(ago, exit=None, reason="ssh: no") for ago in ("0", "3")]
        assert said(found(*tries)) == (UNKNOWN, UNKNOWN, UNKNOWN)
        assert said(found(*tries, ran("8", exit=None, reason="ssh: no"))) == (DEGRADED, UNKNOWN, DEGRADED)

    def test_a_try_before_the_newest_run_is_forgotten(self) -> None:
        assert said(found(ran("1"), ran("2", exit=None, reason="ssh: no"))) == (OPERATIONAL, OPERATIONAL, OPERATIONAL)

    def test_a_database_that_cannot_be_read_is_unknown(self) -> None:
        finding = found(fault="/var/lib/pom/pom.db: database is locked")
        assert said(finding) == (UNKNOWN, UNKNOWN, UNKNOWN)
        assert finding.summary == "the database cannot be read: /var/lib/pom/pom.db: database is locked"

    def test_the_detail_is_the_run_for_programs(self) -> None:
        assert dict(found(failed("a", passed=3)).detail) == {
            "run_at": "2026-11-24T03:58:00Z", "duration_s": 120.0, "passed": 3, "failed": 1, "failing": ["a"],
            "usual": 4, "newly_failing": ["a"], "exit": 1,
        }  # fmt: skip
        assert found(ran(exit=3, log="x" * 5000 + "\nlast")).detail["log"][-1] == "last"

    def test_the_same_run_found_twice_counts_once(self) -> None:
        run = failed("a")
        assert newly(arrange([run, run, ran("1")]).made) == ("a",)
        assert arrange([]) == Observation()


class TestConfig:
    def parse(self, text: str, tmp_path: Path) -> Settings:
        scene = Scene(tmp_path, f'[targets.shop]\nurl = "https://shop.example.com"\n[targets.shop.tests]\n{text}')
        settings = scene.config.targets["shop"].checks["tests"].settings
        assert isinstance(settings, Settings)
        return settings

    def test_the_defaults(self, tmp_path: Path) -> None:
        found = self.parse('command = "make test"', tmp_path)
        assert (found.command, found.ssh, found.timeout_s, found.stale) == ("make test", "", 1800, timedelta(days=7))
        assert (found.target, found.data_dir) == ("shop", str(tmp_path / "data"))

    def test_a_command_may_have_several_lines(self, tmp_path: Path) -> None:
        assert self.parse("command = '''\ncd x\n./y \"z\"\n'''", tmp_path).command == 'cd x\n./y "z"\n'

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ('command = " "', "command: ' ' is not a shell command of at most 4000 characters"),
            ('command = "a\\u0000b"', "command: 'a\\x00b' is not a shell command of at most 4000 characters"),
            ('command = "x"\nssh = "-oProxyCommand=reboot"', "ssh: '-oProxyCommand=reboot' is not a destination"),
            ('command = "x"\nssh = "max@host; reboot"', "ssh: 'max@host; reboot' is not a destination"),
            ('command = "x"\ntimeout = "soon"', "timeout: 'soon' is not a duration like \"30m\""),
            ('command = "x"\nstale = 7', 'stale: 7 is not a duration like "7d"'),
            ('command = "x"\njunit = "y"', "junit: unknown key"),
        ],
    )
    def test_mistakes(self, text: str, problem: str, tmp_path: Path) -> None:
        with pytest.raises(Exception, match="targets") as raised:
            self.parse(text, tmp_path)
        assert str(raised.value).startswith(f"targets.shop.tests.{problem}")

    def test_it_is_off_without_a_table_and_never_ad_hoc(self, tmp_path: Path) -> None:
        scene = Scene(tmp_path, '[targets.shop]\nurl = "https://shop.example.com"\n')
        target = scene.config.targets["shop"]
        assert "tests" not in target.checks
        assert not kind.adhoc(target.site)


CONFIG = (
    '[alerts]\nchannels = ["console"]\n[targets.shop]\nurl = "https://shop.example.com"\nhealth = false\ntls = false\n'
    '[targets.shop.tests]\ncommand = "true"\n'
)


class TestOverTime:
    @pytest.fixture
    def scene(self, tmp_path: Path) -> Scene:
        return Scene(tmp_path, CONFIG)

    def told(self, scene: Scene, after: str = "1h") -> list[tuple[str, str, tuple[str, ...]]]:
        report = scene.run(after, ("tests",))
        assert report.faults == ()
        return [(notice.alert, notice.reason, notice.subjects) for notice in report.notices]

    def record(self, scene: Scene, *names: str, **more: Any) -> None:
        given = {"exit": 1 if names else 0, "passed": 5, "failed": len(names), "failing": names, **more}
        database = Database(scene.path, scene.environ)
        try:
            database.write(lambda db: testruns.add(db, SuiteRun(next(IDS), "shop", scene.now, scene.now, **given)))
        finally:
            database.close()

    def test_from_the_first_failure_to_the_recovery(self, scene: Scene) -> None:
        assert self.told(scene) == []
        self.record(scene)
        assert self.told(scene) == []
        self.record(scene, "a")
        assert self.told(scene) == [("test-failed", "new", ("a",))]
        assert self.told(scene, "5m") == []
        self.record(scene, "a", "b")
        report = scene.run("5m", ("tests",))
        assert [(notice.reason, notice.subjects) for notice in report.notices] == [("changed", ("a", "b"))]
        assert report.notices[0].summary == "2 of 7 tests failed; newly failing: b"
        self.record(scene, exit=None, passed=None, failed=None, reason="ssh: no")
        assert self.told(scene, "5m") == []
        self.record(scene)
        assert self.told(scene, "5m") == [("test-failed", "recovered", ("a", "b"))]

    def test_stale_and_fresh_again(self, scene: Scene) -> None:
        self.record(scene)
        assert self.told(scene, "6d") == []
        assert self.told(scene, "25h") == [("test-stale", "new", ())]
        self.record(scene, exit=None, passed=None, failed=None, reason="ssh: no")
        assert scene.run("5m", ("tests",)).results[0].finding.status is DEGRADED
        self.record(scene)
        assert self.told(scene, "5m") == [("test-stale", "recovered", ())]

    def test_it_needs_no_network(self, scene: Scene) -> None:
        assert kind.NETWORK is False
        assert scene.run("1h", ("tests",)).results[0].finding.status is UNKNOWN

    def test_a_database_that_cannot_be_read_is_no_fault_of_the_target(self, scene: Scene) -> None:
        self.record(scene)
        scene.path.write_bytes(b"no database" * 1000)
        seen = kind.look(scene.config.targets["shop"].checks["tests"].settings)
        assert seen.made == ()
        assert f"{scene.path}: damaged" in seen.fault
