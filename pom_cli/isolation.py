"""Looks that killed runs before: made last, each in a separate process, which may die without the others.

`python -m pom_cli.isolation` is that process: a pickled job comes in, its pickled observation goes out.
"""

import os
import sys
import time
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from pom_cli import jobs as looks
from pom_cli.jobs import Job, Look, Lost
from pom_cli.store.progress import Progress
from pom_cli.toml.secrets import without_secrets

AT_ONCE = 4  # a process takes 30 MiB and a third of a second of the processor to start
START_S = 15.0  # for it to start on a busy machine, on top of the look's own budget
ALL_S = 60.0  # for all of them together: a unit's time is limited, and the run must still record and alert


def look(jobs: Sequence[Job], deadly: Collection[tuple[str, str]], now: datetime, progress: Progress) -> list[Look]:
    """Every job's observation, in the jobs' own order; those that are `deadly` last and apart."""
    apart = [job for job in jobs if job.key in deadly]
    seen = looks.look([job for job in jobs if job.key not in deadly], progress)
    if not apart:
        return seen
    found = {id(one[0]): one for one in [*seen, *_apart(apart, now)]}
    return [found[id(job)] for job in jobs]


def _apart(jobs: Sequence[Job], now: datetime) -> list[Look]:
    from concurrent.futures import ThreadPoolExecutor

    end = time.monotonic() + ALL_S
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(zip(jobs, threads.map(partial(_alone, now=now, end=end), jobs), strict=True))


def _alone(job: Job, now: datetime, end: float) -> Any:
    import pickle
    import subprocess

    limit = min(job.check.settings.budget + START_S, end - time.monotonic())
    if limit <= 0:
        return Lost("no time was left to check it in a separate process")
    command = [sys.executable, "-P", "-m", "pom_cli.isolation"]
    environ = {**without_secrets(os.environ), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603 - this very program
            command, input=pickle.dumps((job, now)), stdout=subprocess.PIPE, env=environ, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return Lost(f"the check hung: its process was killed after {limit:.0f} s")
    except OSError as error:
        return Lost(f"no process could be started to check it: {error.strerror or error}")
    if done.returncode:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
        return Lost(f"the check crashed ({how})")
    return pickle.loads(done.stdout)  # noqa: S301 - from this very program


def main() -> None:
    """Look and judge, since either may be what kills; then hand over what was seen."""
    import pickle

    job, now = pickle.load(sys.stdin.buffer)  # noqa: S301 - from this very program
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)  # nothing that is printed meanwhile gets into the answer
        (one,) = looks.look([job])
        looks.judge(one, {}, now)
        text = pickle.dumps(one[1])
        pickle.loads(text)  # noqa: S301 - what cannot be read back, as some exceptions, fails here and not there
        answer.write(text)
    os._exit(0)  # a thread that hangs does not hold it up


if __name__ == "__main__":
    main()
