"""Pure: maintenance. Which (target, kind) is silenced at a moment: by hand for a while, or by the config every week."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from pom_cli.frozen import dataclass
from pom_cli.model import Silence
from pom_cli.times import to_ms
from pom_cli.toml.table import Table, nearest

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Quiet(Protocol):
    """Anything that keeps a target quiet at times."""

    @property
    def target(self) -> str: ...
    @property
    def kind(self) -> str: ...
    def covers(self, now: datetime) -> bool: ...
    def spans(self, since: datetime, until: datetime) -> Iterable[tuple[datetime, datetime]]: ...


@dataclass(frozen=True)
class Window:
    """A weekly window of the config, by the wall clock of `zone`. One that ends before it begins runs over midnight."""

    target: str
    kind: str
    days: frozenset[int]  # 0 is Monday: the days on which it begins
    begin: time
    end: time
    zone: tzinfo | None  # None: this machine's

    def covers(self, now: datetime) -> bool:
        """Is it open at this moment."""
        return self.opened(now) is not None

    def opened(self, now: datetime) -> Silence | None:
        """It as one silence, from when it opened to when it closes; None while it is closed."""
        today = now.astimezone(self.zone).date()
        for day in (today - timedelta(days=back) for back in (0, 1)):
            begin, end = self._span(day)
            if day.weekday() in self.days and begin <= now.timestamp() < end:
                since, until = (datetime.fromtimestamp(instant, UTC) for instant in (begin, end))
                return Silence("", self.target, self.kind, since, until, "[[silences]] of the config")
        return None

    def spans(self, since: datetime, until: datetime) -> Iterable[tuple[datetime, datetime]]:
        """From when to when it was open, in this time."""
        day = since.astimezone(self.zone).date() - timedelta(days=1)
        while day <= until.astimezone(self.zone).date():
            if day.weekday() in self.days:
                begin, end = self._span(day)
                yield datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC)
            day += timedelta(days=1)

    def _span(self, day: date) -> tuple[float, float]:
        """From when to when it is open on this day. A time that clocks skip is read as if they had not; of one
        that comes twice the first opens it and the second closes it (PEP 495: fold). Where that leaves nothing of it,
        for it begins in what is skipped and ends with that, it is as long as on other days."""
        last = day if self.begin < self.end else day + timedelta(days=1)
        first, final = datetime.combine(day, self.begin), datetime.combine(last, self.end)
        begin, end = self._instant(first, 0), max(self._instant(final, fold) for fold in (0, 1))
        if end <= begin:
            end = begin + (final - first).total_seconds()
        return begin, end

    def _instant(self, wall: datetime, fold: int) -> float:
        # Through the timestamp, since datetimes of one zone are compared by their wall clocks alone.
        wall = wall.replace(fold=fold)
        return (wall if self.zone is None else wall.replace(tzinfo=self.zone)).timestamp()


def silenced(quiet: Iterable[Quiet], target: str, kind: str, now: datetime) -> bool:
    """Is this kind of this target silenced."""
    return any(one.target in ("*", target) and one.kind in ("", kind) and one.covers(now) for one in quiet)


def maintenance(quiet: Iterable[Quiet], target: str, since: datetime, until: datetime) -> list[tuple[int, int]]:
    """When the target's health was silenced in this time: in milliseconds since the epoch, merged and in order."""
    found: list[tuple[int, int]] = []
    wanted = [one for one in quiet if one.target in ("*", target) and one.kind in ("", "health")]
    for begin, end in sorted(span for one in wanted for span in one.spans(since, until)):
        first, last = to_ms(max(begin, since)), to_ms(min(end, until))
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        elif first < last:
            found.append((first, last))
    return found


def read(top: Table, names: Sequence[str], kinds: Sequence[str]) -> tuple[Window, ...]:
    """The `[[silences]]` of the config; `names` are those that can be silenced."""
    found = []
    for table in top.tables("silences"):
        target = table.choice("target", "", ("*", *names))
        if "target" not in table.data:
            table.missing("target", f"one of *, {', '.join(names)}")
        days = table.items("days", tuple(range(7)), _day, f"a list of days: {', '.join(DAYS)}")
        window = Window(
            target=target,
            kind=table.choice("kind", "", kinds),
            days=frozenset(days),
            begin=_clock(table, "from"),
            end=_clock(table, "to"),
            zone=table.read("zone", None, _zone, 'a time zone like "Europe/Berlin"'),
        )
        table.finish()
        found.append(window)
    return tuple(found)


def _clock(table: Table, key: str) -> time:
    if key not in table.data:
        table.missing(key, 'a time of day like "02:00"')
    return table.read(key, time(), _time, 'a time of day like "02:00"')


def _time(value: object) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or len(value) not in (5, 8):
        raise ValueError
    return time.fromisoformat(value)


def _day(value: object) -> int:
    return DAYS.index(str(value).lower()[:3]) if isinstance(value, str) and len(value) >= 3 else _refuse(value)


def _refuse(value: object) -> int:
    raise ValueError(f"{value!r}{nearest(value, DAYS)}")


def _zone(value: object) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if not isinstance(value, str):
        raise ValueError
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(value) from None
