"""One run of checks from start to end, the only orchestration: look, weigh, record, deliver.

Looking and asking the witnesses come first, then one short transaction with no network in it, then delivery.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from functools import partial

from pom_cli import checks, isolation
from pom_cli.alerting import cases as judging
from pom_cli.alerting import clock, config_broken, own_fault, store_failed
from pom_cli.alerting import offline as evidence
from pom_cli.alerting.announce import Case, settle
from pom_cli.alerting.cases import Known
from pom_cli.alerting.delivery import deliver
from pom_cli.alerting.offline import Network
from pom_cli.alerting.overdue import limit
from pom_cli.alerting.states import advance, without_network
from pom_cli.config import Config
from pom_cli.config.silences import Quiet, maintenance
from pom_cli.config.targets import Target, explained_by
from pom_cli.frozen import dataclass
from pom_cli.jobs import Job, Look, Lost, judge, masked
from pom_cli.mesh import vantage
from pom_cli.model import ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Key, Notice, State, Status
from pom_cli.store import crashes, results
from pom_cli.store import peers as peer_rows
from pom_cli.store import silences as silence_rows
from pom_cli.store.recording import Recording, recorded
from pom_cli.store.results import Record, Stored
from pom_cli.store.spare import Database
from pom_cli.times import ticking


@dataclass(frozen=True)
class Result:
    """One finding of a run, with what it is about."""

    key: Key
    finding: Finding
    checked_at: datetime


@dataclass(frozen=True)
class Report:
    """What a run found and did. `faults` are PoM's own; with any of them the run has failed."""

    results: list[Result]
    notices: list[Notice] = field(default_factory=list)
    undelivered: int = 0
    faults: tuple[str, ...] = ()
    held: tuple[str, ...] = ()  # what is wrong and was not spoken of, with what keeps it quiet


_LOOKS_BACK = timedelta(days=1)  # for silences that ended since the last look

Glance = tuple[Look, list[Finding]]


def faults(results_: Iterable[Result]) -> tuple[str, ...]:
    """Our own bugs that these results revealed."""
    return tuple(dict.fromkeys(one.finding.detail["fault"] for one in results_ if "fault" in one.finding.detail))


def run(
    config: Config,
    jobs: Sequence[Job],
    database: Database,
    now: datetime,
    console: str = "stdout",
    command: str = "check",
) -> Report:
    """One run over these jobs: look, weigh, record and decide in one transaction, deliver."""
    ticks = ticking(now)
    kinds = tuple(dict.fromkeys(job.kind for job in jobs))
    with recorded(database, command, kinds, now, ticks) as recording:
        seen = _looks(config, jobs, recording, now)
        network = _weigh(config, seen, database, now)
        network = vantage.ask(config, network, _health(seen), database, now)
        observed = [one for one, _ in seen]
        found, notices = database.write(
            partial(record, config=config, seen=observed, network=network, now=now, ended=ticks())
        )
        report = deliver(config, database, ticks, console)
        own = faults(found) + recording.crashed + report.faults
        done = Report(found, notices + report.notices, report.undelivered, own)
        recording.outcome = outcome(done)
    return done


def outcome(report: Report) -> str:
    """How a run ended, in one line."""
    bad = sum(1 for result in report.results if result.finding.status is not OPERATIONAL)
    told = f"{bad} of {len(report.results)} not operational" if bad else f"all {len(report.results)} operational"
    return "; ".join([told, *report.faults])


def _looks(config: Config, jobs: Sequence[Job], recording: Recording, now: datetime) -> list[Glance]:
    """All that this run looks at, with what each look gives by itself: does anything answer, before the past is asked.

    What kills a run may be the judging of what was seen, so that is noted like a look.
    """

    def glances(wanted: Sequence[Job]) -> list[Glance]:
        found = []
        for one in isolation.look(wanted, recording.deadly, now, recording.progress):
            recording.progress.begin(one[0].key)
            found.append((one, judge(one, {}, now)))
            recording.progress.end(one[0].key)
        return found

    first = glances(jobs)
    seen = first + glances(_second_thoughts(first, config.targets))
    again = {glance[0][0].key: glance for glance in glances(_doubted(seen))}
    return [again.get(glance[0][0].key, glance) for glance in seen]


def _second_thoughts(glances: Sequence[Glance], targets: Mapping[str, Target]) -> list[Job]:
    """Health jobs whose outage would explain what this run found silent or failing throughout, and did not ask for.

    Another kind's run, or that of a target that depends on this one, may come first: so an outage speaks once.
    """
    asked = {job.target.name for (job, _), _ in glances if job.kind == "health"}
    doubted = {name for (job, _), findings in glances if _fails(job, findings)
               for name in explained_by(job.target.name, targets)}  # fmt: skip
    found = [(target, target.checks.get("health")) for name, target in targets.items() if name in doubted - asked]
    return [Job(target, "health", health) for target, health in found if health]


def _doubted(glances: Sequence[Glance]) -> list[Job]:
    """What failed although this very run sees its target's health well: it is asked once more before it counts.

    A restart may have been under way, and what was silent for that second is no outage.
    """
    well = {name for name, finding in _health(glances).items() if finding.status is OPERATIONAL}
    return [
        job
        for (job, _), findings in glances
        if job.target.name in well
        and checks.load(job.kind).COVERED
        and any(finding.status in (ERROR, UNREACHABLE) for finding in findings)
    ]


def _fails(job: Job, findings: Sequence[Finding]) -> bool:
    statuses = [finding.status for finding in findings]
    return _of_target(job.kind) and (UNREACHABLE in statuses or all(status in (ERROR, UNKNOWN) for status in statuses))


def _of_target(kind: str) -> bool:
    """Does this kind look at the target itself, and not ask others about it."""
    return kind == "health" or bool(checks.load(kind).COVERED)


def _weigh(config: Config, glances: Sequence[Glance], database: Database, now: datetime) -> Network:
    """Is it us: what this host itself explains, or our own network that is down.

    The latter is asked only when this run got silence, and every target's newest health is silence.
    """

    def last_known() -> dict[str, Status | None]:
        stored = database.read(partial(results.load, kinds=("health",)))
        return {key.target: one.state.known for key, one in stored.items()}

    peers = clock.others(config, {}, database.read(peer_rows.load), now) if config.peers else []
    if (explained := own_fault.explain(config.targets, _health(glances), last_known, peers)).ours:
        return explained
    networked = [findings for (job, _), findings in glances if checks.load(job.kind).NETWORK]
    silence = any(not any(finding.answered for finding in findings) for findings in networked)
    answered = {name: finding.answered for name, finding in _health(glances).items()}
    if not silence or any(answered.values()):
        return Network()
    watched = [target.name for target in config.targets.values() if "health" in target.checks]
    known = database.read(partial(results.load, kinds=("health",)))
    before = {key.target: one.state.answered for key, one in known.items()}
    newest = [{**before, **answered}.get(name) for name in watched]
    return evidence.ask(evidence.about_targets(config), len(watched)) if evidence.doubtful(newest) else Network()


def _health(glances: Sequence[Glance]) -> dict[str, Finding]:
    """What this run found of each target's health."""
    return {job.target.name: findings[0] for (job, _), findings in glances if job.kind == "health"}


def record(
    db: sqlite3.Connection,
    config: Config,
    seen: Sequence[Look],
    network: Network,
    now: datetime,
    ended: datetime | None = None,
) -> tuple[list[Result], list[Notice]]:
    """Judge against what is stored, store it, decide what to say. All in the caller's transaction.

    `now` is when the run began, `ended` when it had looked, where that may be much later.
    """
    crashes.acquit(db, [job.key for job, observed in seen if not isinstance(observed, Lost)])
    stored = results.load(db, {job.kind for job, _ in seen} | {"health"})
    records = [one for look_ in seen for one in _records(db, config, look_, stored, network, now, ended)]
    quiet: list[Quiet] = [*config.silences, *silence_rows.load(db, now - _LOOKS_BACK)]
    records = [(job, _with_maintenance(one, stored, quiet, now)) for job, one in records]
    results.record(db, [one for _, one in records], stored, now)
    cases = _cases(db, config, records, stored, network, now)
    notices = settle(db, cases, config, now)
    return [Result(one.key, one.finding, now) for _, one in records], notices


def _with_maintenance(one: Record, stored: Mapping[Key, Stored], quiet: Sequence[Quiet], now: datetime) -> Record:
    have = stored.get(one.key)
    if one.key.kind != "health" or have is None:
        return one
    return replace(one, quiet=maintenance(quiet, one.key.target, have.state.checked_at, now))


def _records(
    db: sqlite3.Connection,
    config: Config,
    one: Look,
    stored: Mapping[Key, Stored],
    network: Network,
    now: datetime,
    ended: datetime | None,
) -> list[tuple[Job, Record]]:
    job = one[0]
    name, module = job.target.name, checks.load(job.kind)
    known = {subject: stored.get(Key(name, job.kind, subject)) for subject in module.subjects(job.check.settings)}
    findings = judge(one, {subject: results.past(db, have, now) for subject, have in known.items()}, now)
    holds_ms = round(limit(job.check.interval).total_seconds() * 1000)
    records = []
    for finding in (masked(one, config.secrets.masked) for one in findings):
        if network.offline and module.NETWORK and not finding.answered:
            finding = without_network(finding, f"this monitor is offline: {network.proof}")
        elif network.ours and _of_target(job.kind) and finding.status is not OPERATIONAL:
            finding = without_network(finding, network.ours.summary)
        key = Key(name, job.kind, finding.subject)
        have = stored.get(key)
        records.append(
            (job, Record(key, finding, advance(have.state if have else None, finding, now, ended), holds_ms))
        )
    return records


def _cases(
    db: sqlite3.Connection,
    config: Config,
    records: Sequence[tuple[Job, Record]],
    stored: Mapping[Key, Stored],
    network: Network,
    now: datetime,
) -> list[Case]:
    """Of this run's own looks, which are newer than what is stored, and of every alert that is not settled."""
    open_ = judging.unsettled(db)
    wanted = {*open_, *((job.target.name, alert) for job, _ in records for alert in checks.raises(job.kind))}
    kinds = {kind for _, alert in wanted for kind in checks.KINDS if alert in checks.raises(kind)}
    stored = {**results.load(db, kinds - {key.kind for key in stored}), **stored}
    states = {key: have.state for key, have in stored.items()} | {one.key: one.state for _, one in records}
    known = Known(states, {key: have.id for key, have in stored.items()}, network)
    health = {key.target: state for key, state in states.items() if key.kind == "health"}
    fresh = [*config_broken.cases(config), *store_failed.cases(db), *_network_cases(config, records, network)]
    fresh += _clock_cases(db, config, health, network, now)
    names = {case.name for case in fresh}
    again = [case for case in judging.own(open_, config) if case.name not in names]
    return [*fresh, *again, *judging.of(db, config, wanted, known, now)]


def _clock_cases(
    db: sqlite3.Connection, config: Config, health: Mapping[str, State], network: Network, now: datetime
) -> list[Case]:
    if network.ours and network.ours.alert == clock.ALERT:
        return []  # it is among the network's
    found = clock.condition(clock.others(config, health, peer_rows.load(db) if config.peers else {}, now))
    return [Case(found)] if found else []


def _network_cases(config: Config, records: Sequence[tuple[Job, Record]], network: Network) -> list[Case]:
    # What others answer about a target is no proof: a resolver on this machine says SERVFAIL without any network.
    answer = any(one.finding.answered and _of_target(job.kind) for job, one in records)
    watched = [target.name for target in config.targets.values() if "health" in target.checks]
    return [Case(one) for one in evidence.conditions(network, watched, answer)]
