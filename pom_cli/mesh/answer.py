"""What a peer says of itself over /api/peer, read with care: it comes from outside. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from pom_cli.frozen import dataclass
from pom_cli.model import Silence, Status
from pom_cli.outside import Unreadable, from_json
from pom_cli.store import acks, deployments
from pom_cli.store.acks import Ack
from pom_cli.store.deployments import Deployment
from pom_cli.text import clean
from pom_cli.times import utc

T = TypeVar("T")
MOST_TARGETS = 2000
MOST_KINDS = 50
MOST_SILENCES = 100
MOST_CRASHES = 10
LONGEST_SILENCE = timedelta(days=90)  # as `pom silence` allows
_MOST = 10**9  # mails, seconds
_ID = re.compile(r"[0-9a-f]{32}")
_OTHER = "its answer is not a PoM's"


@dataclass(frozen=True)
class Sight:
    """How a peer sees one target: its whole status, its health alone, and when that was looked at."""

    status: Status
    health: Status | None = None
    checked_at: datetime | None = None


@dataclass(frozen=True)
class PeerAnswer:
    """One answer. Times are by the peer's own clock."""

    name: str
    id: str | None = None
    version: str = ""
    time: datetime | None = None
    overdue: tuple[str, ...] = ()
    crashed: tuple[str, ...] = ()  # a line for each of its runs that never ended
    targets: Mapping[str, Sight] = field(default_factory=dict)
    undelivered: int = 0
    undelivered_s: int | None = None  # age of the oldest undelivered mail
    delivery_failed: bool = False  # a permanent fault keeps someone from being reached
    silences: tuple[Silence, ...] = ()  # active there; like the next two taken over at once, not kept with the answer
    acks: tuple[Ack, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    unread: tuple[str, ...] = ()  # its parts that are not as they should be


def read(text: bytes | str, safe: Callable[[str], str] = str) -> PeerAnswer:
    """The answer in `text`. A part that is wrong is left out and named in `unread`, for the peer is alive all the same.

    Every text in it goes through `safe`. Raises ValueError, with a reason, where it is no peer's answer at all.
    """
    data = _object(text, safe)
    if not isinstance(data.get("name"), str) or not isinstance(data.get("version"), str):
        raise ValueError(f"{_OTHER}: name and version are missing")
    unread: list[str] = []

    def part(key: str, default: T, parse: Callable[[Any], T]) -> T:
        try:
            return default if data.get(key) is None else parse(data[key])
        except (ValueError, TypeError, ArithmeticError):
            unread.append(key)
            return default

    return PeerAnswer(
        name=clean(data["name"], 64),
        id=part("id", None, _uuid),
        version=clean(data["version"], 40),
        time=part("time", None, _instant),
        overdue=part("overdue", (), _kinds) if "overdue" in data else _late(data.get("runs")),
        crashed=part("crashed", (), _lines),
        targets=part("targets", {}, _sights),
        undelivered=part("undelivered", 0, _count),
        undelivered_s=part("undelivered_s", None, _count),
        delivery_failed=part("delivery_failed", False, _flag),
        silences=part("silences", (), _each(MOST_SILENCES, _silence)),
        acks=part("acks", (), _each(acks.MOST, _ack)),
        deployments=part("deployments", (), _each(deployments.MOST, _deployment)),
        unread=tuple(unread),
    )


def written(answer: PeerAnswer) -> str:
    """The answer as JSON that `read` reads, for keeping it."""
    told = {
        "name": answer.name,
        "id": answer.id,
        "version": answer.version,
        "time": None if answer.time is None else answer.time.isoformat(),
        "overdue": answer.overdue,
        "crashed": answer.crashed,
        "targets": {name: sight_json(sight) for name, sight in answer.targets.items()},
        "undelivered": answer.undelivered,
        "undelivered_s": answer.undelivered_s,
        "delivery_failed": answer.delivery_failed,
    }
    # What could not be read stays unreadable: 0.5 is right for no part.
    return json.dumps(told | dict.fromkeys(answer.unread, 0.5), ensure_ascii=False, allow_nan=False)


def sight_json(sight: Sight) -> dict[str, str | None]:
    """The shape of one target in /api/peer."""
    return {
        "status": sight.status.value,
        "health": None if sight.health is None else sight.health.value,
        "checked_at": None if sight.checked_at is None else utc(sight.checked_at),
    }


def silence_json(one: Silence) -> dict[str, str | None]:
    """The shape of one silence in /api/peer."""
    return {
        "id": one.id,
        "target": one.target,
        "kind": one.kind,
        "since": one.since.isoformat(),
        "until": one.until.isoformat(),
        "reason": one.reason,
        "lifted_at": None if one.lifted_at is None else one.lifted_at.isoformat(),
        "by": one.by,
        "origin": one.origin,
    }


def _object(text: bytes | str, safe: Callable[[str], str]) -> dict[str, Any]:
    try:
        data = _with(safe, from_json(text))
    except Unreadable:
        raise ValueError(f"{_OTHER}: not JSON") from None
    if not isinstance(data, dict):
        raise ValueError(f"{_OTHER}: no JSON object")
    return data


def _with(safe: Callable[[str], str], value: Any) -> Any:
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list):
        return [_with(safe, item) for item in value]
    if isinstance(value, dict):
        return {safe(key): _with(safe, item) for key, item in value.items()}
    return value


def _uuid(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > 60:
        raise ValueError
    return str(UUID(value))


def _instant(value: Any) -> datetime:
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)


def _kinds(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_KINDS or not all(isinstance(kind, str) for kind in value):
        raise ValueError
    return tuple(clean(kind, 40) for kind in value)


def _lines(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_CRASHES or not all(isinstance(line, str) for line in value):
        raise ValueError
    return tuple(clean(line, 300) for line in value)


def _late(runs: Any) -> tuple[str, ...]:
    """The overdue kinds by `runs`, of a peer that does not list them."""
    told = runs if isinstance(runs, dict) else {}
    late = [kind for kind, run in told.items() if isinstance(run, dict) and run.get("overdue") is True]
    return _kinds(late[:MOST_KINDS])


def _sights(value: Any) -> Mapping[str, Sight]:
    if not isinstance(value, dict) or len(value) > MOST_TARGETS:
        raise ValueError
    return {clean(name, 64): _sight(told) for name, told in value.items()}


def _sight(value: Any) -> Sight:
    """A table, or the status alone."""
    if isinstance(value, str):
        return Sight(Status(value))
    if not isinstance(value, dict):
        raise ValueError
    health, checked_at = value.get("health"), value.get("checked_at")
    return Sight(
        Status(str(value.get("status"))),
        None if health is None else Status(str(health)),
        None if checked_at is None else _instant(checked_at),
    )


def _each(most: int, parse: Callable[[Mapping[str, Any]], T]) -> Callable[[Any], tuple[T, ...]]:
    """Reads a list of tables, up to a limit."""

    def read_(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list) or len(value) > most or not all(isinstance(one, dict) for one in value):
            raise ValueError
        return tuple(parse(one) for one in value)

    return read_


def _silence(value: Mapping[str, Any]) -> Silence:
    since, until, lifted_at = _instant(value.get("since")), _instant(value.get("until")), value.get("lifted_at")
    if not timedelta(0) < until - since <= LONGEST_SILENCE:
        raise ValueError
    return Silence(
        id=_id(value),
        target=_text(value, "target", 64),
        kind=_text(value, "kind", 40),
        since=since,
        until=until,
        reason=_text(value, "reason"),
        lifted_at=None if lifted_at is None else _instant(lifted_at),
        by=clean(str(value.get("by") or ""), 64),
        origin=clean(str(value.get("origin") or ""), 64),
    )


def _ack(value: Mapping[str, Any]) -> Ack:
    return Ack(
        target=_text(value, "target", 64),
        alert=_text(value, "alert", 40),
        at=_instant(value.get("at")),
        who=_text(value, "who", 64),
        note=_text(value, "note"),
        lifted=_flag(value.get("lifted")),
    )


def _deployment(value: Mapping[str, Any]) -> Deployment:
    return Deployment(
        id=_id(value),
        target=_text(value, "target", 64),
        at=_instant(value.get("at")),
        rev=_text(value, "rev"),
        note=_text(value, "note"),
        who=_text(value, "who", 64),
    )


def _id(value: Mapping[str, Any]) -> str:
    found = value.get("id")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise ValueError
    return found


def _text(value: Mapping[str, Any], key: str, most: int = 200) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise ValueError
    return clean(found, most)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value
