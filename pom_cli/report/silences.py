"""The active silences: in the API's shape, and as lines for people."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pom_cli.config import Config
from pom_cli.config.silences import Quiet, maintenance
from pom_cli.model import Silence
from pom_cli.store import silences
from pom_cli.store.results import Stored
from pom_cli.text import clean
from pom_cli.times import local, utc

Shown = Mapping[str, Any]


def running(db: sqlite3.Connection, config: Config, now: datetime) -> list[Silence]:
    """The silences active now, manual and from the config, of targets in the config."""
    names = {*config.targets, *config.peers, "*"}
    opened = [window.opened(now) for window in config.silences]
    found = [*silences.load(db, now), *filter(None, opened)]
    return [one for one in found if one.covers(now) and one.target in names]


def since_looked(
    db: sqlite3.Connection, config: Config, health: Mapping[str, tuple[Stored, int]], now: datetime
) -> dict[str, list[tuple[int, int]]]:
    """The maintenance of each of these targets since its health was last looked at."""
    oldest = min((one.state.checked_at for one, _ in health.values()), default=now)
    quiet: list[Quiet] = [*config.silences, *silences.load(db, oldest)]
    return {name: maintenance(quiet, name, one.state.checked_at, now) for name, (one, _) in health.items()}


def quiet_until(found: Sequence[Silence], target: str) -> datetime | None:
    """When the maintenance of this target ends, None without one. Only silences of health or of all kinds count."""
    ends = [one.until for one in found if one.target in ("*", target) and one.kind in ("", "health")]
    return max(ends, default=None)


def silence_json(one: Silence) -> dict[str, Any]:
    """The API's shape. `by` and `origin` are empty for a window of the config."""
    return {
        "id": one.id,
        "target": one.target,
        "kind": one.kind,
        "since": utc(one.since),
        "until": utc(one.until),
        "reason": one.reason,
        "by": one.by,
        "origin": one.origin,
    }


def line(one: Shown) -> str:
    """`makenotwork silenced until …, by max on hetzner: database upgrade`."""
    return f"{_name(one)} silenced until {_end(one)}"


def headline(found: Sequence[Shown]) -> list[str]:
    """The same for the first line of the overview: what is silenced, until when and by what."""
    told = "; ".join(f"{_name(one)} until {_end(one)}" for one in found[:3])
    return [f"silenced: {told}{_more(found)}"] if found else []


def of_target(found: Sequence[Shown], target: str) -> list[str]:
    """What of this target is silenced, for its row."""
    return [
        f"silenced{_kind(one)} until {local(datetime.fromisoformat(one['until']))}"
        for one in found
        if one["target"] in ("*", target)
    ]


def _more(found: Sequence[Shown]) -> str:
    return f" and {len(found) - 3} more" if len(found) > 3 else ""


def _name(one: Shown) -> str:
    return f"{'everything' if one['target'] == '*' else one['target']}{_kind(one)}"


def _kind(one: Shown) -> str:
    return f" {one['kind']}" if one["kind"] else ""


def _end(one: Shown) -> str:
    who = f", by {one['by'] or 'somebody'} on {one['origin']}" if one["origin"] else ""
    reason = f": {one['reason']}" if one["reason"] else ""
    return clean(f"{local(datetime.fromisoformat(one['until']))}{who}{reason}", 200)
