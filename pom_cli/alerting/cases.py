"""What a run decides on: the condition of each alert, from stored states, and what keeps it quiet.

These are the alerts that the run checked, and all that are open, held, or on their way to somebody: every run
evaluates those again.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pom_cli import checks
from pom_cli.alerting import cover
from pom_cli.alerting.announce import Case, Name
from pom_cli.alerting.offline import Network
from pom_cli.alerting.states import condition
from pom_cli.config import Config
from pom_cli.config.silences import Quiet, silenced
from pom_cli.config.targets import explained_by
from pom_cli.frozen import dataclass
from pom_cli.model import OPERATIONAL, OWN_ALERTS, Condition, Key, State
from pom_cli.store import alerts as alert_rows
from pom_cli.store import deployments, ledger, reading, results
from pom_cli.store import silences as silence_rows
from pom_cli.store.alerts import Alert
from pom_cli.times import holds

_HOUR = timedelta(hours=1)  # in which a third outage is called that
QUORUM_RUNS = 3  # runs in a row that must see a problem which every fresh peer denies


@dataclass(frozen=True)
class Known:
    """The states that conditions are made of, with the numbers of their series, and what else a run has learnt."""

    states: Mapping[Key, State]
    series: Mapping[Key, int]
    network: Network = field(default_factory=Network)


def unsettled(db: sqlite3.Connection) -> dict[Name, Alert]:
    """The alerts that may need a notice even if nothing new is found."""
    book = ledger.load(db)
    return {
        name: alert
        for name, alert in alert_rows.load(db).items()
        if alert.open or alert.held or any(one.pending or one.told.status for one in book.get(name, {}).values())
    }


def judge_again(db: sqlite3.Connection, config: Config, now: datetime, network: Network | None = None) -> list[Case]:
    """Every unsettled alert, from what is stored."""
    open_ = unsettled(db)
    kinds = {kind for _, alert in open_ for kind in checks.KINDS if alert in checks.raises(kind)}
    stored = results.load(db, kinds | {"health"}) if kinds else {}
    known = Known(
        {key: one.state for key, one in stored.items()},
        {key: one.id for key, one in stored.items()},
        network or Network(),
    )
    return [*own(open_, config), *of(db, config, open_, known, now)]


def own(open_: Mapping[Name, Alert], config: Config) -> list[Case]:
    """The alerts about PoM itself and its peers: what was so when they were judged last.

    `delivery-failed` is not among them: it is judged after each delivery.
    """
    return [
        Case(Condition(one.target, one.alert, one.status, one.summary, one.subjects))
        for one in open_.values()
        if one.alert != "delivery-failed" and (_of_peer(one, config) if one.target else one.alert in OWN_ALERTS)
    ]


def _of_peer(one: Alert, config: Config) -> bool:
    return one.target in config.peers and not (one.target in config.targets and checks.kind_of(one.alert))


def of(db: sqlite3.Connection, config: Config, wanted: Iterable[Name], known: Known, now: datetime) -> list[Case]:
    """A case for each of these alerts that the config has a check for, what covers before what it covers."""
    quiet: list[Quiet] = [*config.silences, *silence_rows.load(db, now)]
    health = {
        key.target: state
        for key, state in known.states.items()
        if key.kind == "health" and key.target in config.targets and "health" in config.targets[key.target].checks
    }
    found = []
    for target, alert in sorted(set(wanted), key=lambda name: _rank(name, config)):
        seen = _seen_of(target, alert, config, known)
        if not seen:
            continue
        what = condition(target, alert, seen)
        owner = checks.kind_of(alert)
        blamed = {key.kind for key, state in seen.items() if state.verdicts[alert].status is what.status}
        about = (config.targets[target], owner, alert, config.targets, health)
        held = "silence" if all(silenced(quiet, target, kind, now) for kind in blamed) else ""
        held = held or _quorum(db, config, what, known.network, now)
        if what.status is not OPERATIONAL and (
            back := cover.stale(*about, max(one.checked_at for one in seen.values()))
        ):
            held = held or f"not checked since {back} health is back"
        found.append(Case(what, held, partial(_facts, db, alert, seen, known, now), cover.covers(*about)))
    return found


def _rank(name: Name, config: Config) -> tuple[int, bool, Name]:
    target, alert = name
    return len(explained_by(target, config.targets)), alert not in ("health", "tls-expiry"), name


def _seen_of(target: str, alert: str, config: Config, known: Known) -> dict[Key, State]:
    """The states with a verdict on this alert, of all that the config has of this target."""
    checked = config.targets[target].checks if target in config.targets else {}
    keys = [
        Key(target, kind, subject)
        for kind, check in checked.items()
        if alert in checks.raises(kind)
        for subject in checks.load(kind).subjects(check.settings)
    ]
    return {key: known.states[key] for key in keys if key in known.states and alert in known.states[key].verdicts}


def _quorum(db: sqlite3.Connection, config: Config, what: Condition, network: Network, now: datetime) -> str:
    """`quorum` while every fresh peer denies a problem that too few runs in a row have seen, this one included.

    A run that did not ask the peers uses the answers of the last one that did.
    """
    if what.alert != "health" or not config.alerts.quorum or what.status is OPERATIONAL:
        return ""
    row, view = alert_rows.one(db, what.target, what.alert), network.views.get(what.target)
    denied = view.denied if view else row is not None and row.held == "quorum"
    if not denied:
        return ""
    since = row.since if row and row.open and row.since else now
    if not holds(since, now):
        return ""
    runs = reading.bad_looks(db, Key(what.target, "health", ""), since, QUORUM_RUNS)
    return "quorum" if runs < QUORUM_RUNS else ""


def _facts(
    db: sqlite3.Connection, alert: str, seen: Mapping[Key, State], known: Known, now: datetime
) -> Mapping[str, Any]:
    """What a notice tells beyond its condition: what was seen of the worst subject, of each one, and the last good."""
    bad = {key: state for key, state in seen.items() if state.verdicts[alert].status is not OPERATIONAL} or seen
    first = min(bad, key=lambda key: (key.kind != checks.kind_of(alert), key.subject))
    state, series = bad[first], known.series.get(first)
    good = results.last_good(db, series, now) if series is not None and state.status is not OPERATIONAL else None
    view = known.network.views.get(first.target) if alert == "health" else None
    return {
        **state.detail,
        "latency_ms": state.latency_ms,
        "subject_summaries": {key.subject: one.verdicts[alert].summary for key, one in bad.items()},
        "last_good": good,
        "views": list(view.lines) if view else [],
        "network": known.network.proof,
        "deployed": deployments.fact(db, first.target, now),
        "outages": alert_rows.begun_since(db, first.target, alert, now - _HOUR) if alert == "health" else 0,
    }
