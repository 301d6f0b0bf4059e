"""Incidents as an operator reads them: what a cover explained folded under it, the deployment before it, how long
recovering took. In the API's shapes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pom_cli import checks
from pom_cli.config import Config
from pom_cli.config.targets import Target, explained_by
from pom_cli.frozen import dataclass
from pom_cli.store import deployments
from pom_cli.store.acks import Ack
from pom_cli.store.deployments import Deployment
from pom_cli.store.reading import Incident
from pom_cli.times import lasted, utc

_SLACK = timedelta(minutes=10)  # kinds look at different minutes, so what an outage explains may be found before it


@dataclass(frozen=True)
class Folded:
    """An incident with those that it explained."""

    one: Incident
    covered: tuple[Incident, ...] = ()


def fold(found: Sequence[Incident], targets: Mapping[str, Target]) -> list[Folded]:
    """The incidents in order; those that another one explains, and that sent no notice, are listed under it."""
    covers = [one for one in found if one.alert == "health"]
    under: dict[int, list[Incident]] = {}
    for one in found:
        cover = None if one.told else _cover(one, covers, targets)
        if cover is not None:
            under.setdefault(cover.id, []).append(one)
    hidden = {one.id for several in under.values() for one in several}
    return [Folded(one, _all_under(one, under)) for one in found if one.id not in hidden]


def _all_under(cover: Incident, under: Mapping[int, Sequence[Incident]]) -> tuple[Incident, ...]:
    """What it explains, and what that explains in turn: an outage covers the routes of what depends on its target."""
    direct = under.get(cover.id, ())
    return tuple(each for one in direct for each in (one, *_all_under(one, under)))


def _cover(one: Incident, covers: Iterable[Incident], targets: Mapping[str, Target]) -> Incident | None:
    """The outage that explains this incident: of the target's own health, else of what the target depends on."""
    if one.target not in targets:
        return None
    kind = checks.kind_of(one.alert)
    own = bool(kind) and one.alert in checks.load(kind).COVERED
    upstream = explained_by(one.target, targets) - {one.target} if own or one.alert == "health" else set()
    near = [other for other in covers if other.id != one.id and _during(one, other)]
    found = [other for other in near if own and other.target == one.target]
    return next(iter(found + [other for other in near if other.target in upstream]), None)


def _during(one: Incident, cover: Incident) -> bool:
    return cover.started_at - _SLACK <= one.started_at and (cover.ended_at is None or one.started_at <= cover.ended_at)


def as_json(folded: Folded, config: Config, deployed: Sequence[Deployment], now: datetime) -> dict[str, Any]:
    """The API's shape of an incident; while it lasts its duration runs. `deployed` are those to look for its in."""
    before = deployments.before(deployed, folded.one.target, folded.one.started_at)
    return {
        **_plain(folded.one, now),
        "notices": [
            {
                "reason": told.reason,
                "at": utc(told.at),
                "delivered_at": None if told.delivered_at is None else utc(told.delivered_at),
                "recipients": list(told.recipients),
            }
            for told in folded.one.told
        ],
        "covered": [_plain(one, now) for one in folded.covered],
        "deployed": deployed_json(before, config),
    }


def _plain(one: Incident, now: datetime) -> dict[str, Any]:
    return {
        "target": one.target,
        "alert": one.alert,
        "started_at": utc(one.started_at),
        "ended_at": None if one.ended_at is None else utc(one.ended_at),
        "duration_s": round(lasted(one.started_at, one.ended_at or now).total_seconds()),
        "worst": one.worst.value,
        "summary": one.summary,
    }


def recorded(one: Ack | Deployment, config: Config) -> dict[str, Any]:
    """What a person recorded: when, who, on which instance, with what note."""
    return {"at": utc(one.at), "by": one.who, "origin": one.origin or config.instance.name, "note": one.note}


def deployed_json(one: Deployment | None, config: Config) -> dict[str, Any] | None:
    """The API's shape of a deployment."""
    return None if one is None else {"rev": one.rev, **recorded(one, config)}


def mean_times_to_recover(found: Iterable[Mapping[str, Any]]) -> dict[str, timedelta]:
    """The mean duration of those incidents that have ended, by kind of alert."""
    ended: dict[str, list[int]] = {}
    for one in found:
        if one["ended_at"] is not None:
            ended.setdefault(one["alert"], []).append(one["duration_s"])
    return {alert: timedelta(seconds=sum(each) / len(each)) for alert, each in sorted(ended.items())}
