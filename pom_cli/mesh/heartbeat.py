"""One heartbeat from start to end: ask every peer, record and decide in one transaction, deliver.

It also looks at this instance's own runs, for it is what runs most often.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from functools import partial
from typing import Any

from pom_cli.alerting import clock, config_broken, offline, overdue, store_failed, untold
from pom_cli.alerting.announce import Case, settle
from pom_cli.alerting.cases import judge_again
from pom_cli.alerting.delivery import deliver
from pom_cli.alerting.kept import keep_alive
from pom_cli.alerting.offline import Network
from pom_cli.alerting.overdue import Look
from pom_cli.config import Config
from pom_cli.config.silences import Quiet, silenced
from pom_cli.errors import StoreError
from pom_cli.frozen import dataclass
from pom_cli.mesh import beats as mesh
from pom_cli.mesh import instance, peering, takeover
from pom_cli.mesh import report as mesh_view
from pom_cli.mesh.beats import PeerState, from_row, to_row
from pom_cli.mesh.peering import Asked
from pom_cli.model import DEGRADED, OPERATIONAL, Condition, Notice, Silence, State
from pom_cli.store import acks, crashes, deployments, ledger, results
from pom_cli.store import alerts as alert_rows
from pom_cli.store import peers as rows
from pom_cli.store import silences as silence_rows
from pom_cli.store.peers import OwnBeats
from pom_cli.store.recording import recorded
from pom_cli.store.spare import Database
from pom_cli.text import listed
from pom_cli.times import ticking

COMMAND = "heartbeat"
ASK_S = 8.0  # seconds for all peers together


@dataclass(frozen=True)
class Report:
    """What a heartbeat found and did. `faults` are PoM's own; with any of them the run has failed."""

    peers: list[dict[str, Any]]
    overdue: list[str]  # this instance's own kinds
    well: bool
    notices: list[Notice] = field(default_factory=list)
    undelivered: int = 0
    faults: tuple[str, ...] = ()
    overdue_summary: str = ""
    crashed: tuple[str, ...] = ()  # this instance's own runs that never ended
    silenced: tuple[str, ...] = ()  # long silences that have just come from peers


def run(config: Config, database: Database, now: datetime, console: str = "stdout") -> Report:
    """One heartbeat at `now`."""
    ticks = ticking(now)
    with recorded(database, COMMAND, (), now, ticks) as recording:
        own, faults = _identity(config)
        asked = peering.ask(config.peers.values(), config.secrets, database.read(rows.pins), ticks, ASK_S)
        held = _held(config, database, asked, now)
        network = _returned(config, database)
        found = database.write(
            partial(record, config=config, asked=asked, held=held, network=network, own=own, now=now)
        )
        sent = deliver(config, database, ticks, console)
        kept = keep_alive(config, database)
        done = replace(
            found,
            notices=found.notices + sent.notices,
            undelivered=sent.undelivered,
            faults=found.faults + faults + recording.crashed + asked.faults + sent.faults + kept,
        )
        recording.outcome = outcome(done)
    return done


def outcome(report: Report) -> str:
    """How a heartbeat ended, in one line."""
    peers = [f"{peer['name']} {peer['state']}" for peer in report.peers] or ["no peers"]
    late = [f"overdue: {', '.join(report.overdue)}"] if report.overdue else []
    return "; ".join([listed(peers, 10), *late, *report.silenced, *report.faults])


def _identity(config: Config) -> tuple[str | None, tuple[str, ...]]:
    """This instance's id, or what is wrong with it. Without one the peers are asked all the same."""
    try:
        return instance.identity(config.instance.data_dir), ()
    except StoreError as error:
        return None, (str(error),)


def _held(config: Config, database: Database, asked: Asked, now: datetime) -> str:
    """Why the misses of this beat do not count, "" where they do.

    Where all peers are silent it may be us; that is asked only when one would become missing by it.
    """
    if asked.stalled:
        return "stalled"
    if any(beat.answer for beat in asked.beats.values()):
        return ""
    before, own = database.write(lambda db: (_known(db), rows.own_beats(db)))
    if not mesh.vanishing(before, advanced(before, asked, config, own, "", now)):
        return ""
    places = offline.about_peers(config)
    return "offline" if places and not offline.answering(places) else ""


def _returned(config: Config, database: Database) -> Network:
    """Whether this monitor's own network is back, where it was down; asked in that case only.

    The mail that waited for it leaves with this run, and a check comes later: that it is over must be known by now.
    """
    told = database.read(partial(alert_rows.one, target="", alert="monitoring-offline"))
    found = offline.answering(offline.about_targets(config)) if told and told.open else ""
    return Network(proof=f"{found} answers again") if found else Network()


def _known(db: sqlite3.Connection) -> dict[str, PeerState]:
    return {name: from_row(row) for name, row in rows.load(db).items()}


def advanced(
    before: Mapping[str, PeerState], asked: Asked, config: Config, own: OwnBeats | None, held: str, now: datetime
) -> dict[str, PeerState]:
    """Every peer's state after this beat."""
    gap = mesh.interrupted(own, now)
    return {
        name: mesh.advance(before.get(name), asked.beats[name], peer.url, peer.misses, now, gap, held)
        for name, peer in config.peers.items()
    }


def record(
    db: sqlite3.Connection, config: Config, asked: Asked, held: str, network: Network, own: str | None, now: datetime
) -> Report:
    """Store what was learnt and decide what to say, in the caller's transaction."""
    before = rows.own_beats(db)
    # Once more: since they were asked, another heartbeat may have been the first to see one of them.
    asked = replace(asked, beats=mesh.accepted(asked.beats, config.peers.values(), rows.pins(db)))
    beats = mesh.own(before, now)
    states = advanced(_known(db), asked, config, before, held, now)
    rows.keep(db, config.peers)
    for name, state in states.items():
        rows.save(db, name, to_row(state))
    rows.save_own(db, beats)
    quiet = silence_rows.load(db, now)
    taken = _take_over(db, config, asked, own, quiet, now)
    looks = overdue.looks(db, config)
    crashed = crashes.lines(db, config.instance.data_dir, now)
    late = [look for look in looks if overdue.is_overdue(look, now)]
    cases = [*config_broken.cases(config), *_peer_cases(db, config, states, now), *_own_cases(late, beats, now)]
    cases += [Case(one) for one in offline.conditions(network, (), False)]
    wrong = clock.condition(clock.others(config, _health(db), rows.load(db), now))
    cases += [Case(wrong)] if wrong else []
    # What is in memory alone would be new with every beat: then the checks say it, which run less often.
    cases += store_failed.cases(db) if getattr(db, "lasting", True) else []
    fresh = {case.name for case in cases}
    cases += [case for case in judge_again(db, config, now, network) if case.name not in fresh]
    notices = settle(db, cases, config, now)
    missed = untold.look(db, config, now)
    caught = [f"PoM's own fault: {untold.line(one, now)} until now" for one in missed]
    for one, told in zip(missed, caught, strict=True):
        ledger.catch(db, one.target, one.alerts[0], told, now)
    notices += settle(db, [Case(one, urgent=True) for one in untold.conditions(missed)], config, now)
    return Report(
        peers=mesh_view.shown(states, config, beats, own, now),
        overdue=list(dict.fromkeys(look.kind for look in late)),
        crashed=tuple(crashed),
        well=not late and not crashed and _all_well(config, states, own),
        notices=notices,
        faults=tuple(caught),
        overdue_summary=overdue.summary(late, now),
        silenced=takeover.arrivals(taken, quiet, now),
    )


def _health(db: sqlite3.Connection) -> dict[str, State]:
    return {key.target: one.state for key, one in results.load(db, ("health",)).items()}


def _take_over(
    db: sqlite3.Connection, config: Config, asked: Asked, own: str | None, known: Sequence[Silence], now: datetime
) -> list[takeover.Taken]:
    """What peers report on what this instance watches: maintenance, an ack or a deployment is announced once."""
    answers = {name: beat.answer for name, beat in asked.beats.items() if beat.answer and beat.answer.id != own}
    watched = {*config.targets, *config.peers}
    taken = takeover.silences(answers, [*watched, "*"], known, now)
    silence_rows.merge(db, [one.silence for one in taken])
    deployed = deployments.since(db, now - deployments.SHARED, now)
    for name, answer in answers.items():
        acks.merge(db, takeover.acks(name, answer, watched, now))
        deployments.merge(db, takeover.deployments(name, answer, config.targets, deployed, now))
    return taken


def _peer_cases(db: sqlite3.Connection, config: Config, states: Mapping[str, PeerState], now: datetime) -> list[Case]:
    # No peer silences its own absence, so only what was set here counts.
    by_hand = [one for one in silence_rows.load(db, now) if one.origin in ("", config.instance.name)]
    quiet: list[Quiet] = [*config.silences, *by_hand]
    cases = []
    for name, state in states.items():
        seen = partial(_seen, config.peers[name].url, state)
        held = "silence" if silenced(quiet, name, "", now) else ""
        ignored = config.peers[name].on_missing == "ignore"
        cases += [Case(one, held, seen) for one in mesh.conditions(name, state, ignored)]
    return cases


def _seen(url: str, state: PeerState) -> Mapping[str, Any]:
    """What a notice about a peer tells beyond its condition."""
    return {"error": state.fault or None, "url": url, "last_good": state.last_seen, "doubt": state.doubt or None}


def _own_cases(late: Sequence[Look], beats: OwnBeats, now: datetime) -> list[Case]:
    """Do not report overdue checks while timers catch up after this host slept."""
    judged = [look for look in late if overdue.judged(look, beats.since, now)]
    if not late:
        return [Case(Condition("", "checks-overdue", OPERATIONAL, "every check has run again"))]
    if not judged:
        return []
    kinds = tuple(sorted({look.kind for look in judged}))
    summary = overdue.summary(judged, now)
    return [Case(Condition("", "checks-overdue", DEGRADED, summary, kinds))]


def _all_well(config: Config, states: Mapping[str, PeerState], own: str | None) -> bool:
    known = mesh.ids(states)
    noted = [mesh.troubles(name, state, own, config.instance.name, known) for name, state in states.items()]
    silent = [name for name, state in states.items() if state.state != mesh.ALIVE]
    return not any(noted) and all(config.peers[name].on_missing == "ignore" for name in silent)
