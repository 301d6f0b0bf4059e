"""What a run is to look at: every check that was asked for, or those of them that are due."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from pom_cli import checks
from pom_cli.config import Check, Config, Target
from pom_cli.frozen import dataclass
from pom_cli.model import Key
from pom_cli.store import results
from pom_cli.store.results import Stored
from pom_cli.store.spare import Database

_SLACK = 0.1  # of an interval: what was seen within nine tenths of it is not due yet


@dataclass(frozen=True)
class Job:
    """One kind of check of one target."""

    target: Target
    kind: str
    check: Check


def jobs_of(targets: Iterable[Target], kinds: Iterable[str]) -> list[Job]:
    """Every configured check of these kinds on these targets."""
    wanted = set(kinds)
    return [Job(target, kind, check) for target in targets for kind, check in target.checks.items() if kind in wanted]


def due(config: Config, jobs: Sequence[Job], database: Database, now: datetime) -> list[Job]:
    """The jobs that were not seen within their interval. All of them where that cannot be known.

    With health goes all that could not be seen for want of a network: it comes round every few minutes, while another
    kind would stay unknown for the rest of its hour.
    """
    known = database.read(partial(results.load, kinds={job.kind for job in jobs}))
    wanted = [job for job in jobs if _is_due(job, known, now)]
    if not any(job.kind == "health" for job in wanted):
        return wanted
    asked = {(job.target.name, job.kind) for job in jobs}
    missed = database.read(results.missed) - asked
    return wanted + [
        job for job in jobs_of(config.targets.values(), checks.KINDS) if (job.target.name, job.kind) in missed
    ]


def _is_due(job: Job, known: Mapping[Key, Stored], now: datetime) -> bool:
    subjects = checks.load(job.kind).subjects(job.check.settings)
    seen = [known.get(Key(job.target.name, job.kind, subject)) for subject in subjects]
    # abs: what was seen in a future that a clock set back has left is no reason to stop looking.
    fresh = [abs(now - one.state.checked_at) < job.check.interval * (1 - _SLACK) for one in seen if one]
    return len(fresh) < len(seen) or not all(fresh)
