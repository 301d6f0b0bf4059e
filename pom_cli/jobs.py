"""The looks of a run: what there is to look at, what of it is due, the look itself, and what judging it gives."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from pom_cli import checks
from pom_cli.config import Check, Config, Target
from pom_cli.frozen import dataclass
from pom_cli.model import UNKNOWN, Finding, Key, Past, Verdict
from pom_cli.net import pool
from pom_cli.store import results
from pom_cli.store.progress import NOWHERE, Progress
from pom_cli.store.results import Stored
from pom_cli.store.spare import Database
from pom_cli.text import clean
from pom_cli.times import holds

_SLACK = 0.1  # of an interval: what was seen within nine tenths of it is not due yet


@dataclass(frozen=True)
class Job:
    """One kind of check of one target."""

    target: Target
    kind: str
    check: Check

    @property
    def key(self) -> tuple[str, str]:
        return self.target.name, self.kind


@dataclass(frozen=True)
class Lost:
    """What is left of a look whose process did not live to tell: why."""

    why: str


Look = tuple[Job, Any]


def jobs_of(targets: Iterable[Target], kinds: Iterable[str]) -> list[Job]:
    """Every configured check of these kinds on these targets."""
    wanted = set(kinds)
    return [Job(target, kind, check) for target in targets for kind, check in target.checks.items() if kind in wanted]


def due(config: Config, jobs: Sequence[Job], database: Database, now: datetime) -> list[Job]:
    """The jobs that were not seen within their interval. All of them where that cannot be known.

    What was looked for without a network was not seen. All of that goes with health, which comes round every few
    minutes: another kind would stay unknown for the rest of its hour.
    """
    known = database.read(partial(results.load, kinds={job.kind for job in jobs}))
    missed = database.read(results.missed)
    wanted = [job for job in jobs if not missed.isdisjoint(_keys(job)) or _is_due(job, known, now)]
    if not missed or not any(job.kind == "health" for job in wanted):
        return wanted
    asked = {job.key for job in jobs}
    others = [job for job in jobs_of(config.targets.values(), checks.KINDS) if job.key not in asked]
    return wanted + [job for job in others if not missed.isdisjoint(_keys(job))]


def _keys(job: Job) -> list[Key]:
    return [Key(job.target.name, job.kind, subject) for subject in checks.load(job.kind).subjects(job.check.settings)]


def _is_due(job: Job, known: Mapping[Key, Stored], now: datetime) -> bool:
    seen = [known.get(key) for key in _keys(job)]
    at = [one.state.checked_at for one in seen if one]
    fresh = [holds(instant, now) and now - instant < job.check.interval * (1 - _SLACK) for instant in at]
    return len(fresh) < len(seen) or not all(fresh)


def look(jobs: Sequence[Job], progress: Progress = NOWHERE) -> list[Look]:
    """Every job's observation: plain data, an Overdue or an exception. In the jobs' own order."""
    seen = pool.each(jobs, partial(_look, progress=progress), lambda job: job.check.settings.budget)
    order = {id(job): number for number, job in enumerate(jobs)}
    return sorted(seen, key=lambda one: order[id(one[0])])


def _look(job: Job, progress: Progress) -> Any:
    progress.begin(job.key)
    try:
        return checks.load(job.kind).look(job.check.settings)
    finally:
        progress.end(job.key)


def judge(one: Look, past: Mapping[str, Past], now: datetime) -> list[Finding]:
    """A finding for each subject. What our own code could not do is unknown, never the target's outage."""
    job, seen = one
    if isinstance(seen, pool.Overdue):
        return _untold(job, f"the look did not end within {seen.seconds:g} s", answered=False)
    if isinstance(seen, Exception | Lost):
        return _fault(job, seen)
    try:
        return checks.load(job.kind).judge(seen, job.check.settings, past, now)
    # A bug triggered by one target's answer must not keep the others from being reported.
    except Exception as error:  # noqa: BLE001
        return _fault(job, error)


def masked(finding: Finding, safe: Callable[[Any], Any]) -> Finding:
    """The finding without the secrets that came back in what was seen: every text in it goes through `safe`."""
    verdicts = {
        alert: replace(one, summary=safe(one.summary), subjects=safe(one.subjects))
        for alert, one in finding.verdicts.items()
    }
    return replace(finding, summary=safe(finding.summary), verdicts=verdicts, detail=safe(finding.detail))


def _untold(job: Job, why: str, answered: bool, detail: Mapping[str, Any] | None = None) -> list[Finding]:
    module = checks.load(job.kind)
    verdicts = dict.fromkeys(checks.KINDS[job.kind], Verdict(UNKNOWN, why))
    subjects = module.subjects(job.check.settings)
    return [Finding(subject, UNKNOWN, why, verdicts, detail=detail or {}, answered=answered) for subject in subjects]


def _fault(job: Job, error: Exception | Lost) -> list[Finding]:
    """What a bug of ours leaves: it says nothing of the target, not even that it is silent."""
    what = error.why if isinstance(error, Lost) else f"{type(error).__name__}: {error}"
    told = clean(f"PoM itself failed in {job.kind} of {job.target.name}: {what}")
    return _untold(job, what if isinstance(error, Lost) else told, answered=True, detail={"fault": told})
