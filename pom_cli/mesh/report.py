"""Stored rows → what the mesh shows: /api/peer, /api/mesh, and the peers of /api/status."""

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pom_cli import __version__
from pom_cli.alerting import outbox, overdue, standing
from pom_cli.config import Config, Peer, Target
from pom_cli.errors import StoreError
from pom_cli.mesh import instance
from pom_cli.mesh.answer import MOST_CRASHES, Sight, sight_json, silence_json
from pom_cli.mesh.beats import GAP, LATE, PeerState, from_row, ids, remarks
from pom_cli.model import DEGRADED, OPERATIONAL, Key, State, Status, worst
from pom_cli.store import acks, crashes, deployments, results
from pom_cli.store import peers as rows
from pom_cli.store import silences as silence_rows
from pom_cli.store.peers import OwnBeats
from pom_cli.store.results import Stored
from pom_cli.times import short, utc


def peer_answer(db: sqlite3.Connection, config: Config, now: datetime) -> dict[str, Any]:
    """`/api/peer`: what peers ask."""
    runs = overdue.runs(db, config, now)
    owed = outbox.undelivered(db, config)
    oldest = min((row.created_at for row in owed), default=None)
    return {
        "id": own_id(config),
        "name": config.instance.name,
        "version": __version__,
        "time": f"{now.astimezone(UTC).isoformat(timespec='milliseconds')[:23]}Z",
        "runs": runs,
        "overdue": [kind for kind, run in runs.items() if run["overdue"]],
        "crashed": crashes.lines(db, config.instance.data_dir, now)[:MOST_CRASHES],
        "targets": {name: sight_json(sight) for name, sight in sights(db, config).items()},
        "silences": [silence_json(one) for one in silence_rows.load(db, now)],
        "acks": [ack_json(one) for one in acks.listed(db)],
        "deployments": [deployment_json(one) for one in deployments.own(db, now)],
        "undelivered": len(owed),
        "undelivered_s": None if oldest is None else max(0, round((now - oldest).total_seconds())),
        "delivery_failed": outbox.delivery_condition(db, config).status is not OPERATIONAL,
    }


def ack_json(one: acks.Ack) -> dict[str, Any]:
    """The shape of one ack in /api/peer. Its `at` has milliseconds: they distinguish one ack from another."""
    told = {"target": one.target, "alert": one.alert, "at": one.at.isoformat(timespec="milliseconds"), "who": one.who}
    return told | {"note": one.note, "lifted": one.lifted}


def deployment_json(one: deployments.Deployment) -> dict[str, str]:
    """The shape of one deployment in /api/peer."""
    told = {"id": one.id, "target": one.target, "at": one.at.isoformat(timespec="milliseconds"), "rev": one.rev}
    return told | {"note": one.note, "who": one.who}


def mesh(db: sqlite3.Connection, config: Config, now: datetime) -> dict[str, Any]:
    """`/api/mesh`: this instance and its peers."""
    runs = overdue.runs(db, config, now)
    return {
        "self": {
            "name": config.instance.name,
            "id": own_id(config),
            "version": __version__,
            "time": utc(now),
            "overdue": [kind for kind, run in runs.items() if run["overdue"]],
            "crashed": crashes.lines(db, config.instance.data_dir, now),
            "undelivered": len(outbox.undelivered(db, config)),
            "targets": {name: sight.status.value for name, sight in sights(db, config).items()},
        },
        "peers": peers(db, config, now),
    }


def own_id(config: Config) -> str | None:
    """This instance's id, None where it has none: a heartbeat says why. Looking makes no data folder."""
    try:
        return instance.identity(config.instance.data_dir) if config.instance.data_dir.is_dir() else None
    except (StoreError, OSError):
        return None


def sights(db: sqlite3.Connection, config: Config) -> dict[str, Sight]:
    """How this instance sees each of its targets. One that was never looked at is unknown."""
    stored = results.load(db)
    return {name: _sight(target, stored) for name, target in config.targets.items()}


def _sight(target: Target, stored: Mapping[Key, Stored]) -> Sight:
    states = [state for _, _, state in standing.seen_of(target, stored)]
    health = stored.get(Key(target.name, "health", "")) if "health" in target.checks else None
    newest = health.state.checked_at if health else max((state.checked_at for state in states), default=None)
    return Sight(worst(state.status for state in states), _health(health.state) if health else None, newest)


def _health(state: State) -> Status:
    """Its health without drift: a slow answer is an answer."""
    told = state.verdicts.get("health")
    return told.status if told and state.status is DEGRADED else state.status


def peers(db: sqlite3.Connection, config: Config, now: datetime) -> list[dict[str, Any]]:
    """The peers that the config names, as the newest heartbeat left them."""
    states = {name: from_row(row) for name, row in rows.load(db).items() if name in config.peers}
    return shown(states, config, rows.own_beats(db), own_id(config), now)


def shown(
    states: Mapping[str, PeerState], config: Config, beats: OwnBeats | None, own: str | None, now: datetime
) -> list[dict[str, Any]]:
    """The API's shape of each configured peer; one that was never asked is late."""
    known = ids(states)
    found = []
    for name, peer in config.peers.items():
        state = states.get(name)
        noted = remarks(name, state, own, config.instance.name, __version__, known) if state else []
        found.append({**_peer(peer, state), "remarks": noted + _unasked(state, beats, now)})
    return found


def _peer(peer: Peer, state: PeerState | None) -> dict[str, Any]:
    answer = state.answer if state else None
    return {
        "name": peer.name,
        "url": peer.url,
        "state": state.state if state else LATE,
        "since": utc(state.since) if state else None,
        "last_seen": utc(state.last_seen) if state and state.last_seen else None,
        "misses": state.misses if state else 0,
        "id": answer.id if answer else None,
        "version": answer.version if answer else None,
        "clock_skew_s": None if state is None or state.skew_s is None else round(state.skew_s, 1),
        "overdue": list(answer.overdue) if answer else [],
        "crashed": list(answer.crashed) if answer else [],
        "targets": {name: sight.status.value for name, sight in answer.targets.items()} if answer else {},
    }


def _unasked(state: PeerState | None, beats: OwnBeats | None, now: datetime) -> list[str]:
    """Is what is shown old: nobody runs heartbeats here."""
    if state is None or beats is None:
        return ["never asked yet"]
    age = now - beats.at
    return [f"last polled {short(age)} ago; is pom-heartbeat.timer running?"] if age > GAP else []
