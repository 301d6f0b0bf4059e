"""One test run, made: the command run to its end, and what its output tells."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pom_cli.checks.tests import process, ssh, summary
from pom_cli.checks.tests.output import Output
from pom_cli.checks.tests.process import Listener
from pom_cli.checks.tests.run import kept, new_id
from pom_cli.model import SuiteRun


def make(
    target: str, destination: str, command: str, limit_s: float, clock: Callable[[], datetime], listen: Listener
) -> SuiteRun:
    """Run `command` at the ssh destination, or here where that is "". Raises nothing but what `listen` raises."""
    run, output, started_at = os.urandom(16).hex(), Output(), clock()
    argv = ssh.there(destination, command, limit_s, run) if destination else ssh.here(command, limit_s, run)
    ended = process.run(argv, limit_s, run, output, listen)
    told = _told(ended.exit, output)
    return SuiteRun(
        id=new_id(),
        target=target,
        started_at=started_at,
        ended_at=clock(),
        exit=ended.exit,
        passed=told.passed,
        failed=told.failed,
        failing=kept(told.failing),
        reason=ended.reason,
        log=output.tail(),
    )


def _told(code: int | None, output: Output) -> summary.Summary:
    """What the runners told. Tests that failed and then had another try have passed, where the exit code says so."""
    told = summary.Summary() if code is None else summary.parse(output.telling)
    return replace(told, failed=0, failing=()) if told.mended and code == 0 else told
