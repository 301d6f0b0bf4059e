"""pom test: run the targets' own tests, or record a run made elsewhere; then judge it like any other check."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pom_cli import session
from pom_cli.errors import UsageError

if TYPE_CHECKING:
    from pom_cli.checks.tests.run import Listener
    from pom_cli.config import Config
    from pom_cli.config.targets import Target
    from pom_cli.model import SuiteRun

RECORD = "record"
_COUNT = click.IntRange(0, 10**9)
_NAMED = 20  # failing tests, or else lines of the log, that are shown
_EVERY_S = 0.5  # between two states of the progress line
_CLEAR = "\r\x1b[K"


@click.command()
@click.argument(
    "words",
    nargs=-1,
    metavar="[TARGET]... | record TARGET",
    shell_complete=session.completing("targets", RECORD),
)
@click.option("-v", "--verbose", is_flag=True, help="Show the tests' output as it comes.")
@click.option("--passed", type=_COUNT, metavar="N", help="With record: number of tests that passed.")
@click.option("--failed", type=_COUNT, metavar="N", help="With record: number of tests that failed.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help="With record: a JUnit XML file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    verbose: bool,
    passed: int | None,
    failed: int | None,
    junit: Path | None,
    as_json: bool,
) -> int:
    """Run a target's tests over ssh (or locally), store the run, and send alerts.

    Without TARGET, every target with a tests table is run. Ctrl-C ends the tests, remotely too. `pom test record`
    stores a run made elsewhere: its numbers, or a JUnit file.

    Example: pom test makenotwork, or pom test record makenotwork --passed 40 --failed 0
    """
    from pom_cli.times import ticking

    # Without words it is what the timer runs. A record's file may be one that root alone can read.
    loaded = session.config(context, step_down=words[:1] != (RECORD,)) if words else session.config_for_timer(context)
    clock = ticking(session.now())
    if words[:1] == (RECORD,):
        if len(words) != 2:
            raise UsageError(f"record takes one target: pom test {RECORD} TARGET --passed N --failed N")
        named = session.targets(loaded, words[1:])
        (target,) = _with(named, True, "tests to record", "", lambda one: "tests" in one.checks)
        runs = [_recorded(target.name, passed, failed, junit, clock())]
        _store(loaded, runs[0])
    elif passed is not None or failed is not None or junit is not None:
        raise UsageError(f"--passed, --failed and --junit go with record: pom test {RECORD} TARGET --passed N …")
    else:
        runs = _made(loaded, _targets(loaded, words), clock, verbose, as_json)
    return _tell(loaded, runs, clock(), as_json)


def _targets(loaded: "Config", names: Sequence[str]) -> "list[Target]":
    """The targets of these names, all that have tests for none. Raises UsageError for one that has none."""
    return _with(session.targets(loaded, names), bool(names), "tests to run", " with a command", _runs)


def _runs(target: "Target") -> bool:
    return "tests" in target.checks and bool(target.checks["tests"].settings.command)


def _with(
    found: "Sequence[Target]", named: bool, what: str, how: str, has: "Callable[[Target], bool]"
) -> "list[Target]":
    fit = [target for target in found if has(target)]
    if not fit or (named and len(fit) < len(found)):
        name = next((target.name for target in found if not has(target)), "NAME")
        who = f"{name} has no" if named else "no target has"
        raise UsageError(f"{who} {what}: add a table [targets.{name}.tests]{how} to the config")
    return fit


def _recorded(target: str, passed: int | None, failed: int | None, junit: Path | None, now: datetime) -> "SuiteRun":
    from pom_cli.checks.tests import junit as junit_xml
    from pom_cli.checks.tests.run import kept, new_id
    from pom_cli.checks.tests.summary import Summary
    from pom_cli.model import SuiteRun

    told = junit_xml.read(junit) if junit else Summary()
    passed = told.passed if passed is None else passed
    failed = told.failed if failed is None else failed
    if passed is None or failed is None:
        missing = "--passed" if passed is None else "--failed"
        raise UsageError(f"{missing} is missing; give both numbers, or a JUnit file (--junit)")
    if told.failed and not failed:
        such = f", such as {told.failing[0]}" if told.failing else ""
        raise UsageError(f"--failed 0, but {junit} has {told.failed} that failed{such}")
    return SuiteRun(new_id(), target, now, now, passed=passed, failed=failed, failing=kept(told.failing))


def _made(
    loaded: "Config", targets: "Iterable[Target]", clock: Callable[[], datetime], verbose: bool, as_json: bool
) -> "list[SuiteRun]":
    """Run one after the other, for they may well share a machine; each is stored as it ends."""
    from pom_cli.checks.tests.run import make

    runs = []
    for target in targets:
        settings = target.checks["tests"].settings
        with _showing(as_json) if verbose else _progress(target.name) as listen:
            run = make(target.name, settings.ssh, settings.command, settings.timeout_s, clock, listen)
        _store(loaded, run)
        runs.append(run)
        for line in [] if as_json else _lines(run, seen=verbose):
            click.echo(line)
    return runs


@contextmanager
def _showing(err: bool) -> "Iterator[Listener]":
    """Each line as it comes; on standard error if standard output is for JSON."""
    yield lambda lines: click.echo("\n".join(lines), err=err) if lines else None


@contextmanager
def _progress(name: str) -> "Iterator[Listener]":
    """One line on a terminal, rewritten while the run lasts and removed at the end."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    begun, written, count, newest = time.monotonic(), 0.0, 0, ""

    def listen(lines: Sequence[str]) -> None:
        nonlocal written, count, newest
        count += len(lines)
        newest = next((line.strip() for line in reversed(lines) if line.strip()), newest)
        if time.monotonic() - written >= _EVERY_S:
            written = time.monotonic()
            line = running(name, timedelta(seconds=written - begun), count, newest)
            click.echo(_CLEAR + line[: shutil.get_terminal_size().columns - 1], nl=False, err=True)

    try:
        yield listen
    finally:
        click.echo(_CLEAR, nl=False, err=True)


def running(name: str, since: timedelta, count: int, newest: str) -> str:
    """`shop: running for 5 s, 12 lines; test_b PASSED`."""
    from pom_cli.times import short

    lines = f"{count or 'no'} line{'' if count == 1 else 's'}"
    return f"{name}: running for {short(since)}, {lines}{f'; {newest}' if newest else ''}"


def _store(loaded: "Config", run: "SuiteRun") -> None:
    """In a separate transaction: what follows may take half an hour, and may be interrupted."""
    from functools import partial

    from pom_cli.store import testruns

    database = session.database(loaded)
    try:
        database.write(partial(testruns.add, run=run))
    finally:
        database.close()


def _lines(run: "SuiteRun", seen: bool) -> list[str]:
    """How a run ended, and what fails in it; the log's end, unless it was seen, where no names tell that."""
    from pom_cli.times import short

    how = run.reason or f"exit {run.exit}"
    lines = [f"{run.target}: {how}, after {short(run.ended_at - run.started_at)}"]
    lines += [f"  failed: {name}" for name in run.failing[:_NAMED]]
    if len(run.failing) > _NAMED:
        lines.append(f"  and {len(run.failing) - _NAMED} more")
    if not run.failing and not seen and (run.reason or run.failed_tests):
        lines += [f"  | {line}" for line in run.log.splitlines()[-_NAMED:]]
    return lines


def _tell(loaded: "Config", runs: "Sequence[SuiteRun]", now: datetime, as_json: bool) -> int:
    """Judge the targets of these runs, store, alert and print; returns the exit code."""
    from pom_cli import jobs as looks
    from pom_cli import pipeline
    from pom_cli.commands import check

    jobs = [
        replace(job, check=replace(job.check, settings=replace(job.check.settings, fresh=run)))
        for run in runs
        for job in looks.jobs_of([loaded.targets[run.target]], ("tests",))
    ]
    database = session.database(loaded)
    try:
        report = pipeline.run(loaded, jobs, database, now, "stderr" if as_json else "stdout", command="test")
    finally:
        database.close()
    if as_json:
        session.print_json({**check.as_json_of(report), "runs": [_run_json(run) for run in runs]})
    else:
        check.show(report, as_json)
    session.complain(report.faults)
    if report.faults:
        return 3
    if loaded.broken:
        return 2
    return 1 if any(one.finding.status != "operational" for one in report.results) else 0


def _run_json(run: "SuiteRun") -> dict[str, Any]:
    from pom_cli.times import utc

    return {
        "target": run.target,
        "started_at": utc(run.started_at),
        "duration_s": round((run.ended_at - run.started_at).total_seconds(), 1),
        "passed": run.passed,
        "failed": run.failed,
        "failing": list(run.failing),
        "exit": run.exit,
        "reason": run.reason or None,
    }
