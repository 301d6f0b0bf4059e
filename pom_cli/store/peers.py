"""The peers as the newest heartbeat left them, and this instance's own row of heartbeats."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pom_cli.mesh.answer import PeerAnswer, read, written
from pom_cli.mesh.beats import OwnBeats, PeerState
from pom_cli.times import from_ms, to_ms

_COLUMNS = "name, url, state, since, asked_at, last_seen, misses, held, fault, skew_ms, late_beats, answer"


def load(db: sqlite3.Connection) -> dict[str, PeerState]:
    """Every peer that was ever asked, by name."""
    return {row[0]: _state(row) for row in db.execute(f"SELECT {_COLUMNS} FROM peers")}


def save(db: sqlite3.Connection, name: str, state: PeerState) -> None:
    row = (
        name,
        state.url,
        state.state,
        to_ms(state.since),
        to_ms(state.asked_at),
        _ms(state.last_seen),
        state.misses,
        state.held,
        state.fault,
        None if state.skew_s is None else round(state.skew_s * 1000),
        state.late_beats,
        None if state.answer is None else written(state.answer),
    )
    db.execute(f"INSERT OR REPLACE INTO peers ({_COLUMNS}) VALUES ({','.join('?' * len(row))})", row)


def keep(db: sqlite3.Connection, names: Iterable[str]) -> None:
    """Forget all other peers: the config no longer names them."""
    kept = tuple(names)
    db.execute(f"DELETE FROM peers WHERE name NOT IN ({','.join('?' * len(kept))})", kept)


def own_beats(db: sqlite3.Connection) -> OwnBeats | None:
    row = db.execute("SELECT at, since FROM beats").fetchone()
    return None if row is None else OwnBeats(from_ms(row[0]), _instant(row[1]))


def save_own(db: sqlite3.Connection, beats: OwnBeats) -> None:
    row = (to_ms(beats.at), _ms(beats.since))
    db.execute("INSERT OR REPLACE INTO beats (one, at, since) VALUES (1, ?, ?)", row)


def _state(row: Sequence[Any]) -> PeerState:
    return PeerState(
        url=row[1],
        state=row[2],
        since=from_ms(row[3]),
        asked_at=from_ms(row[4]),
        last_seen=_instant(row[5]),
        misses=row[6],
        held=row[7],
        fault=row[8],
        skew_s=None if row[9] is None else row[9] / 1000,
        late_beats=row[10],
        answer=_answer(row[11]),
    )


def _answer(text: str | None) -> PeerAnswer | None:
    return None if text is None else read(text)


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)
