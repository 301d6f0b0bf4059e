"""The net under all that decides: what has been bad for long and was said to nobody, whatever kept it quiet.

It reads plain rows and knows nothing of covers, cooldowns or decisions. What it finds is a fault of PoM's own.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from pom_cli import checks
from pom_cli.alerting import audience
from pom_cli.alerting.overdue import limit
from pom_cli.config import Config
from pom_cli.config.silences import Quiet, silenced
from pom_cli.config.targets import explained_by
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, SEVERITY, Condition, Entry, Status
from pom_cli.store import acks, ledger, results
from pom_cli.store import silences as silence_rows
from pom_cli.text import listed
from pom_cli.times import short

_OUTAGES = ("health", "tls-expiry")  # the alerts that may explain others


@dataclass(frozen=True)
class Bad:
    """A subject that is known to be bad, and the alerts that may cover it."""

    target: str
    kind: str
    subject: str
    status: Status
    summary: str
    since: datetime
    patience: timedelta
    alerts: tuple[str, ...]  # worst verdict first
    needs: frozenset[str]  # the targets whose outage would explain it


@dataclass(frozen=True)
class Word:
    """A notice that a recipient in the config got or will get. `over`: it is a recovery."""

    target: str
    alert: str
    subjects: tuple[str, ...]
    at: datetime | None
    over: bool = False


def untold(
    bad: Iterable[Bad], words: Sequence[Word], quiet: Callable[[Bad], bool], cooldown: timedelta, now: datetime
) -> list[Bad]:
    """Those that have been bad for longer than is allowed without a notice. Pure."""
    late = [one for one in bad if now - one.since > one.patience and not quiet(one)]
    return [one for one in late if not any(_tells(word, one) or _fresh(word, one, cooldown, now) for word in words)]


def _tells(word: Word, bad: Bad) -> bool:
    """Does it report this subject, or what explains it."""
    if word.over:
        return False
    if word.alert == "monitoring-offline" or (word.target in bad.needs and word.alert in _OUTAGES):
        return True
    if word.target != bad.target or word.alert not in bad.alerts:
        return False
    own = word.alert in checks.KINDS[bad.kind]
    return not (own and bad.subject) or bad.subject in word.subjects


def _fresh(word: Word, bad: Bad, cooldown: timedelta, now: datetime) -> bool:
    """So short a time after the last word the next one may still have to wait."""
    same = word.target == bad.target and word.alert in bad.alerts
    return same and word.at is not None and abs(now - word.at) <= cooldown + timedelta(minutes=1)


def look(db: sqlite3.Connection, config: Config, now: datetime) -> list[Bad]:
    """What the database has of it."""
    quiet: list[Quiet] = [*config.silences, *silence_rows.load(db, now)]
    taken = acks.load(db)
    return untold(
        _bad(db, config),
        _words(db, config),
        lambda one: silenced(quiet, one.target, one.kind, now) or (one.target, one.alerts[0]) in taken,
        config.alerts.cooldown,
        now,
    )


def conditions(found: Iterable[Bad]) -> list[Condition]:
    """As alerts: the worst of each, with its subjects."""
    grouped: dict[tuple[str, str], list[Bad]] = {}
    for one in found:
        grouped.setdefault((one.target, one.alerts[0]), []).append(one)
    return [
        Condition(
            target,
            alert,
            max((one.status for one in ones), key=SEVERITY.__getitem__),
            listed(f"{one.subject}: {one.summary}" if one.subject else one.summary for one in ones),
            tuple(sorted({one.subject for one in ones} - {""})),
        )
        for (target, alert), ones in grouped.items()
    ]


def line(one: Bad, now: datetime) -> str:
    """`shop health: error for 15 min, and nobody was notified`."""
    name = f"{one.target} {one.kind} {one.subject}".strip()
    return f"{name}: {one.status} for {short(now - one.since)}, and nobody was notified"


def _bad(db: sqlite3.Connection, config: Config) -> list[Bad]:
    found = []
    for key, stored in results.load(db).items():
        target, state = config.targets.get(key.target), stored.state
        check = target.checks.get(key.kind) if target else None
        if target is None or check is None or key.subject not in checks.load(key.kind).subjects(check.settings):
            continue
        if state.known is None or SEVERITY[state.known] < SEVERITY[DEGRADED] or not audience.usual(config, key.target):
            continue
        worst = sorted(state.verdicts, key=lambda alert: -SEVERITY[state.verdicts[alert].status])
        others = explained_by(key.target, config.targets) - {key.target}
        covered = bool(checks.load(key.kind).COVERED)
        needs = frozenset(others if covered or key.kind == "health" else ()) | ({key.target} if covered else set())
        runs = 3 if config.alerts.quorum else 2
        found.append(
            Bad(
                *(key.target, key.kind, key.subject, state.known, state.summary),
                since=state.known_since or state.since,
                patience=limit(check.interval) + (runs - 2) * check.interval,
                alerts=tuple(dict.fromkeys([*worst, *checks.raises(key.kind)])),
                needs=needs,
            )
        )
    return found


def _words(db: sqlite3.Connection, config: Config) -> list[Word]:
    found = []
    for (target, alert), entries in ledger.load(db).items():
        usual = audience.usual(config, target)
        found += [_word(target, alert, entry) for one, entry in entries.items() if one in usual]
    return found


def _word(target: str, alert: str, entry: Entry) -> Word:
    """What was given up counts as sent: `delivery-failed` reports that it did not arrive."""
    told, pending = entry.told, entry.pending
    if pending is not None:
        return Word(target, alert, pending.subjects, pending.at, over=SEVERITY[pending.status] < SEVERITY[DEGRADED])
    return Word(target, alert, told.subjects, told.last_at, over=told.status is None)
