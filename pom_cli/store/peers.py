"""The peers as the newest heartbeat left them, and this instance's own row of heartbeats."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pom_cli.times import from_ms, to_ms

_COLUMNS = (
    "name, url, state, since, asked_at, last_seen, misses, held, fault, skew_ms, late_beats, answer, pinned, doubt"
)


Pins = Mapping[tuple[str, str], str]  # by a peer's name and URL, the id of the instance first seen there


class PeerRow(NamedTuple):
    """One peer by its newest beat; `answer` is the text of its newest good one, `pinned` the id first seen there."""

    url: str
    state: str
    since: datetime
    asked_at: datetime
    last_seen: datetime | None
    misses: int
    held: str
    fault: str
    skew_s: float | None
    late_beats: int
    answer: str | None
    pinned: str = ""
    doubt: str = ""  # why the newest answer was not accepted; "" where it was, or where there was none


class OwnBeats(NamedTuple):
    """This instance's own row of heartbeats: the newest, and when the row began; None: it never was interrupted."""

    at: datetime
    since: datetime | None = None


def load(db: sqlite3.Connection) -> dict[str, PeerRow]:
    """Every peer that was ever asked, by name."""
    return {row[0]: _row(row) for row in db.execute(f"SELECT {_COLUMNS} FROM peers")}


def save(db: sqlite3.Connection, name: str, peer: PeerRow) -> None:
    row = (
        name,
        peer.url,
        peer.state,
        to_ms(peer.since),
        to_ms(peer.asked_at),
        _ms(peer.last_seen),
        peer.misses,
        peer.held,
        peer.fault,
        None if peer.skew_s is None else round(peer.skew_s * 1000),
        peer.late_beats,
        peer.answer,
        peer.pinned,
        peer.doubt,
    )
    db.execute(f"INSERT OR REPLACE INTO peers ({_COLUMNS}) VALUES ({','.join('?' * len(row))})", row)


def keep(db: sqlite3.Connection, names: Iterable[str]) -> None:
    """Forget all other peers: the config no longer names them."""
    kept = tuple(names)
    db.execute(f"DELETE FROM peers WHERE name NOT IN ({','.join('?' * len(kept))})", kept)


def pins(db: sqlite3.Connection) -> Pins:
    return {(name, url): id_ for name, url, id_ in db.execute("SELECT name, url, pinned FROM peers")}


def unpin(db: sqlite3.Connection, name: str) -> bool:
    """Forget which instance this peer is: the next one that proves to know the token is it. Was any pinned."""
    return db.execute("UPDATE peers SET pinned = '' WHERE name = ? AND pinned <> ''", (name,)).rowcount > 0


def own_beats(db: sqlite3.Connection) -> OwnBeats | None:
    row = db.execute("SELECT at, since FROM beats").fetchone()
    return None if row is None else OwnBeats(from_ms(row[0]), _instant(row[1]))


def save_own(db: sqlite3.Connection, beats: OwnBeats) -> None:
    row = (to_ms(beats.at), _ms(beats.since))
    db.execute("INSERT OR REPLACE INTO beats (one, at, since) VALUES (1, ?, ?)", row)


def _row(row: Sequence[Any]) -> PeerRow:
    return PeerRow(
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
        answer=row[11],
        pinned=row[12],
        doubt=row[13],
    )


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)
