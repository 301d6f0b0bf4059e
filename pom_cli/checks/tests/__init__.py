"""tests: the newest test run that was recorded: what fails, what fails newly, and how long ago it was.

It makes no run itself: `pom test` does, with what these settings say.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pom_cli.checks import Site
from pom_cli.checks.steps import Section, Step
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Finding, Past, State, SuiteRun, Verdict, worst
from pom_cli.text import clean, listed
from pom_cli.times import holds, short, utc
from pom_cli.toml.address import SSH
from pom_cli.toml.table import Table

HELP = "the newest test run that was recorded: what fails, and how old it is"
COVERED: Mapping[str, Callable[[State], bool]] = {}  # tests run elsewhere, whatever becomes of the site
INTERVAL = timedelta(hours=1)
NETWORK = False

_LONGEST = 4_000  # characters of a command
_NAMED = 20  # failing tests that an alert lists
_EXCERPT = 10  # lines of the log's end that a finding carries


HINTS = (
    ("command", '"/home/max/staging/run-tests.sh"', "run by `pom test`"),
    ("ssh", '"max@192.0.2.7"', "where; absent: here"),
)
_RUN_TESTS = (
    Step("SSH into {test_host} and run tests manually:", ("ssh {test_ssh} {test_command}",)),
    Step("Run tests manually:", ("{test_command:whole}",), lacking="test_ssh"),
)

RUNBOOK = {
    "test-failed": Section(
        "Test Run Failed",
        "The newest test run has failing tests, or did not end within its time.",
        (
            *_RUN_TESTS,
            Step("If tests fail: investigate failures, check recent deploys, fix, re-run"),
            Step("If tests pass: suspect a flaky test or a shared resource (database, port, disk)"),
            Step("If it timed out: find the test that hangs, or raise its timeout in PoM config"),
            Step("If no tests ran: look for a build that failed before them, or a filter that matches none"),
            Step(
                "Store a new run, which ends this alert when it passes:",
                ("{pom:whole} test {target}",),
                lacking="tests_elsewhere",
            ),
            Step("Record a new run (pom test record), which ends this alert when it passes", having="tests_elsewhere"),
        ),
        plural="tests",
    ),
    "test-stale": Section(
        "Test Run Stale",
        "No test run recorded in 7+ days.",
        (
            *_RUN_TESTS,
            Step("If tests fail: investigate failures, fix, re-run"),
            Step("If SSH test execution fails: check SSH key, connectivity, permissions"),
            Step("Store a new run, which ends this alert:", ("{pom:whole} test {target}",), lacking="tests_elsewhere"),
            Step("Record a new run (pom test record), which ends this alert", having="tests_elsewhere"),
        ),
    ),
}


@dataclass(frozen=True)
class Settings:
    """What to run where, and where the runs are recorded."""

    target: str
    command: str
    ssh: str = ""  # "": here
    timeout_s: float = 1800.0
    stale: timedelta = timedelta(days=7)
    data_dir: str = ""
    fresh: SuiteRun | None = None  # the run just made, which counts even where it could not be stored

    @property
    def budget(self) -> float:
        """For reading the database, which another process may hold for ten seconds."""
        return 30.0


@dataclass(frozen=True)
class Observation:
    """What is recorded, newest first: the runs that were made, and a try since that came to nothing."""

    made: Sequence[SuiteRun] = ()
    failed_try: SuiteRun | None = None
    first_at: datetime | None = None  # of all that is recorded
    fault: str = ""  # why that may not be all


def default(site: Site) -> bool:
    return False


def adhoc(site: Site) -> bool:
    return False


def parse(table: Table, site: Site) -> Settings:
    """The Settings from a target's `tests` table. `command` is for the shell at the far end, and may be any text.

    Without one nothing is run: runs made elsewhere are recorded.
    """
    return Settings(
        target=site.name,
        command=table.read("command", "", _command, f"a shell command of at most {_LONGEST} characters"),
        ssh=table.matching("ssh", "", SSH, 'a destination for ssh like "max@192.0.2.10"'),
        timeout_s=table.duration("timeout", timedelta(minutes=30), "30m", low="1s", high="24h").total_seconds(),
        stale=table.duration("stale", timedelta(days=7), "7d", low="1m"),
        data_dir=site.data_dir,
    )


def _command(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST or "\0" in value:
        raise ValueError
    return value


def facts(settings: Settings) -> Mapping[str, Any]:
    return {
        "test_ssh": settings.ssh,
        "test_command": settings.command,
        "tests_elsewhere": "" if settings.command else "yes",
    }


def subjects(settings: Settings) -> tuple[str, ...]:
    return ("",)


def look(settings: Settings) -> Observation:
    """Read what is recorded, in the database and in its spare; a database that cannot be read is a fault of ours."""
    import os
    from pathlib import Path

    from pom_cli.store import testruns

    runs, fault = testruns.read(Path(settings.data_dir) / "pom.db", os.environ, settings.target)
    return arrange([*runs, *([settings.fresh] if settings.fresh else [])], fault)


def arrange(runs: Iterable[SuiteRun], fault: str = "") -> Observation:
    """What judging needs of these runs."""
    # The spare and the main database, or a run just stored, may hold the same one twice.
    distinct = {run.id: run for run in runs}.values()
    ordered = sorted(distinct, key=lambda run: run.ended_at, reverse=True)
    made = [run for run in ordered if run.made]
    tried = [run for run in ordered[:1] if not run.made]
    first = min((run.started_at for run in ordered), default=None)
    return Observation(tuple(made), tried[0] if tried else None, first, fault)


def judge(seen: Observation, settings: Settings, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """One Finding. A try that came to nothing says nothing of the tests, and does not keep them from getting stale."""
    if not seen.made and not seen.failed_try:
        why = f"the database cannot be read: {seen.fault}" if seen.fault else "no test run recorded yet"
        return [Finding("", UNKNOWN, clean(why), dict.fromkeys(RUNBOOK, Verdict(UNKNOWN, clean(why))))]
    seen = _sequence(seen, now)
    stale = _stale(seen, settings, now)
    usual = _usual(seen.made, past)
    failed = _failed(seen.made, usual)
    parts = [verdict for verdict in (failed, stale) if verdict.status in (ERROR, DEGRADED)]
    if seen.failed_try:
        why = f"could not be run: {clean(seen.failed_try.reason, 150)}"
        failed = Verdict(UNKNOWN, why)
        parts = [failed, *(part for part in parts if part is stale)]
    status = worst(part.status for part in parts) if parts else OPERATIONAL
    summary = "; ".join(part.summary for part in parts or [failed])
    verdicts = {"test-failed": failed, "test-stale": stale}
    return [Finding("", status, summary, verdicts, detail=_detail(seen) | ({"usual": usual} if usual else {}))]


def _sequence(seen: Observation, now: datetime) -> Observation:
    """Without what a clock that was ahead recorded, as long as anything else is known."""
    known = tuple(run for run in seen.made if holds(run.ended_at, now))
    tried = seen.failed_try if seen.failed_try and (holds(seen.failed_try.ended_at, now) or not known) else None
    return replace(seen, made=known or seen.made, failed_try=tried)


def _stale(seen: Observation, settings: Settings, now: datetime) -> Verdict:
    """By the newest run that was made; without one by the first try, as long as nothing else is known."""
    last = seen.made[0].ended_at if seen.made else None
    since = last or seen.first_at or now
    if not holds(since, now):
        return Verdict(DEGRADED, f"the newest test run is dated in the future ({since:%Y-%m-%d %H:%M} UTC)")
    age = now - since
    if age > settings.stale:
        # In whole days, so that the summary does not change every hour.
        told = short(timedelta(days=age.days) if age.days > 1 else age)
        return Verdict(DEGRADED, f"no test run for {told} (limit {short(settings.stale)})")
    return Verdict(OPERATIONAL, f"run of {last:%Y-%m-%d}") if last else Verdict(UNKNOWN, "no test run recorded yet")


def _usual(made: Sequence[SuiteRun], past: Mapping[str, Past]) -> int:
    """How many tests the newest run had that had any, as far as is known; 0 if none had."""
    counts = [(run.passed or 0) + (run.failed or 0) for run in made]
    return next(filter(None, counts), 0) or int(past.get("", Past()).detail.get("usual") or 0)


def _failed(made: Sequence[SuiteRun], usual: int) -> Verdict:
    if not made:
        return Verdict(UNKNOWN, "no test run recorded yet")
    run = made[0]
    if run.failed_tests:
        summary = "; ".join(filter(None, [_count(run), _names(run, newly(made))]))
        return Verdict(ERROR, summary, subjects=run.failing[:_NAMED])
    if usual and not run.passed:  # a pipe may hide that nothing was built, a filter that nothing was chosen
        return Verdict(DEGRADED, f"no tests at all where there were {usual}")
    return Verdict(OPERATIONAL, _count(run))


def newly(made: Sequence[SuiteRun]) -> tuple[str, ...] | None:
    """The tests of the newest run that did not fail in the one before it; None if unknown."""
    run, *before = made
    if before and before[0].failed_tests and (before[0].reason or not before[0].failing):
        return None  # one that its time limit ended never came to some of its tests
    known = set(before[0].failing) if before and before[0].failed_tests else set()
    return tuple(name for name in run.failing if name not in known)


def _count(run: SuiteRun) -> str:
    """`3 of 43 tests failed`, `43 tests passed`, `exit 3: …`, `timed out after 30 min: …`.

    The count of what failed, the exit code, and the last line of the log where no runner told a number.
    """
    passed, failed = run.passed or 0, run.failed or 0
    if run.reason:
        told = f"{failed} of {_tests(passed + failed)} failed until then" if failed else _last_line(run.log)
        return clean(run.reason) + (f": {told}" if told else "")
    if failed:
        return f"{failed} of {_tests(passed + failed)} failed" + (", though it exits with 0" if run.exit == 0 else "")
    if run.failed_tests:
        told = f"{_tests(passed)} passed and none failed, as it says" if run.passed is not None else _last_line(run.log)
        return f"exit {run.exit}" + (f": {told}" if told else "")
    return f"{_tests(passed)} passed" if run.passed is not None else "exit 0"


def _tests(count: int) -> str:
    return f"{count} test{'' if count == 1 else 's'}"


def _last_line(log: str) -> str:
    return next((clean(line, 100) for line in reversed(log.splitlines()) if line.strip()), "")


def _names(run: SuiteRun, new: tuple[str, ...] | None) -> str:
    if new:
        return f"newly failing: {_listed(new)}"
    return f"{'failing' if new is None else 'still failing'}: {_listed(run.failing)}" if run.failing else ""


def _listed(names: Sequence[str]) -> str:
    return listed(clean(name, 80) for name in names)


def _detail(seen: Observation) -> dict[str, Any]:
    """What was recorded, for programs: of the newest run that was made, and of the try since."""
    detail: dict[str, Any] = {}
    if seen.made:
        run = seen.made[0]
        detail = {
            "run_at": utc(run.started_at),
            "duration_s": round((run.ended_at - run.started_at).total_seconds(), 1),
            "passed": run.passed,
            "failed": run.failed,
            "failing": list(run.failing[:_NAMED]),
            "newly_failing": list((newly(seen.made) or ())[:_NAMED]),
            "exit": run.exit,
        }
        detail |= {"reason": clean(run.reason)} if run.reason else {}
        if run.failed_tests and (run.reason or not run.failing):
            detail["log"] = _excerpt(run)
    if seen.failed_try:
        detail |= {"tried_at": utc(seen.failed_try.started_at), "reason": clean(seen.failed_try.reason)}
        detail["log"] = _excerpt(seen.failed_try)
    return detail


def _excerpt(run: SuiteRun) -> list[str]:
    return [clean(line) for line in run.log.splitlines()[-_EXCERPT:]]
