"""Two vantage points: before a health alert goes out the peers are asked how they see that target.

Briefly, and failing open: a peer that says nothing, or nothing fresh, changes nothing: the alert goes out.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from pom_cli.alerting import audience
from pom_cli.alerting import decide as alerts
from pom_cli.alerting.decide import Policy
from pom_cli.alerting.offline import Network, View
from pom_cli.alerting.overdue import limit
from pom_cli.config import Config, Target
from pom_cli.model import OPERATIONAL, UNKNOWN, Condition, Entry, Finding, Key, Status, Verdict
from pom_cli.store import ledger, results
from pom_cli.store import peers as peer_rows
from pom_cli.store.spare import Database
from pom_cli.times import short, ticking

if TYPE_CHECKING:
    from pom_cli.mesh.answer import PeerAnswer, Sight
    from pom_cli.mesh.beats import Beat

ASK_S = 2.0  # seconds for all peers together
_ALERT = "health"


def ask(config: Config, network: Network, health: Mapping[str, Finding], database: Database, now: datetime) -> Network:
    """Add the peers' view of each target whose health this run would report; without such a target, ask nobody."""
    if network.offline or network.ours:
        return network
    verdicts = {name: finding.verdicts[_ALERT] for name, finding in health.items() if _ALERT in finding.verdicts}
    bad = {name: one for name, one in verdicts.items() if one.status not in (OPERATIONAL, UNKNOWN)}
    if not config.peers or not bad:
        return network
    book = database.read(ledger.load)
    spoken = [name for name, one in bad.items() if _speaks(config, name, one, book.get((name, _ALERT), {}), now)]
    if not spoken:
        return network
    from pom_cli.mesh import peering
    from pom_cli.mesh import report as mesh_view

    pins = database.read(peer_rows.pins)
    beats = peering.ask(config.peers.values(), config.secrets, pins, ticking(now), ASK_S).beats
    own = mesh_view.own_id(config)
    well = database.read(partial(_last_well, names=spoken, now=now))
    views = {name: view(config.targets[name], bad[name].status, beats, own, well.get(name)) for name in spoken}
    return replace(network, views=views)


def _last_well(db: sqlite3.Connection, names: Iterable[str], now: datetime) -> dict[str, timedelta]:
    """How long ago each of these targets was found well here for the last time."""
    stored = results.load(db, ("health",))
    series = {name: stored[key].id for name in names if (key := Key(name, "health", "")) in stored}
    good = {name: results.last_good(db, number, now) for name, number in series.items()}
    return {name: now - instant for name, instant in good.items() if instant}


def _speaks(config: Config, name: str, verdict: Verdict, entries: Mapping[str, Entry], now: datetime) -> bool:
    """Would a notice go out to anybody, judging by what is stored so far."""
    condition = Condition(name, _ALERT, verdict.status, verdict.summary)
    policy = Policy(config.alerts.cooldown, config.alerts.remind)
    usual, more = audience.of(config, condition, entries, now)
    known = [entries.get(one, Entry()) for one in [*usual, *more]]
    return any(alerts.decide(condition, one.told, policy, now, pending=one.pending).speak for one in known)


def view(
    target: Target,
    status: Status,
    beats: "Mapping[str, Beat]",
    own_id: str | None,
    well: timedelta | None = None,
) -> View:
    """The peers' words about a target that this instance finds in `status`, and found `well` that long ago."""
    fresh = limit(target.checks[_ALERT].interval)
    lines, seen = [], []
    for name, beat in beats.items():
        answer = beat.answer
        if answer is None:
            lines.append(f"{name}: {'its answer is not accepted' if beat.doubt else 'does not answer'}")
        elif own_id is not None and answer.id == own_id:
            lines.append(f"{name}: is this instance itself, or a copy of it")
        elif (sight := answer.targets.get(target.name)) is None:
            lines.append(f"{name}: does not watch it")
        else:
            lines.append(f"{name}: {_words(sight, answer, status, fresh, well)}")
            seen += [_status(sight)] if _is_fresh(sight, answer, fresh, well) else []
    known = [one for one in seen if one is not UNKNOWN]
    return View(tuple(lines), bool(known) and all(one is OPERATIONAL for one in known))


def _words(
    sight: "Sight", answer: "PeerAnswer", status: Status, fresh: timedelta, well: timedelta | None = None
) -> str:
    """`unreachable too (40 s ago)`, `operational (20 s ago): perhaps our path`, or `has not looked since (…)`."""
    seen, age = _status(sight), _age(sight, answer)
    if age is None:
        return str(seen)
    if not _is_fresh(sight, answer, fresh, well):
        return f"has not looked since ({seen} {short(age)} ago)"
    path = ": perhaps our path" if seen is OPERATIONAL and status is not OPERATIONAL else ""
    return f"{seen}{' too' if seen is status else ''} ({short(age)} ago){path}"


def _status(sight: "Sight") -> Status:
    """Its health where the peer watches that; a certificate near its end is no word about being up."""
    return sight.health or sight.status


def _age(sight: "Sight", answer: "PeerAnswer") -> timedelta | None:
    """How long ago the peer looked, by its own clock alone."""
    if sight.checked_at is None or answer.time is None:
        return None
    return max(timedelta(0), answer.time - sight.checked_at)


def _is_fresh(sight: "Sight", answer: "PeerAnswer", fresh: timedelta, well: timedelta | None = None) -> bool:
    """Has the peer looked lately, and later than this instance last found the target `well`."""
    age = _age(sight, answer)
    return age is not None and age <= fresh and (well is None or age < well)
