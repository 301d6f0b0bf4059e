"""Instants and durations as text: RFC 3339 in UTC for programs, local time with its offset for people."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
AHEAD = timedelta(seconds=30)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WRITTEN = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


@lru_cache(256)  # a config repeats its few durations for every target
def duration(text: str) -> timedelta:
    """`"10s"`, `"5m"`, `"1h30m"`, `"14d"` as a timedelta. Raises ValueError for anything else."""
    parts: list[tuple[str, str]] = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("not a duration")
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError("too long a duration") from None


def written(span: timedelta) -> str:
    """A timedelta as the config writes it, to the millisecond: `5m`, `1h30m`, `500ms`; what `duration` reads."""
    left = round(span / timedelta(milliseconds=1))
    parts = []
    # Days from two on: a day is written "24h", as people write it in a row of hours.
    for unit, size in _WRITTEN if span >= timedelta(days=2) else _WRITTEN[1:]:
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def short(span: timedelta) -> str:
    """A duration for people, its two largest units: `45 s`, `5 min`, `2 h 10 min`, `3 d 4 h`."""
    seconds = max(0, round(span.total_seconds()))
    names = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for name, size in names:
        count, seconds = divmod(seconds, size)
        if count or parts or name == "s":
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count) or "0 s"


def utc(instant: datetime) -> str:
    """RFC 3339 in UTC with whole seconds: `2026-11-24T06:40:15Z`."""
    return f"{instant.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"


def local(instant: datetime) -> str:
    """For people: this machine's time with its offset, `2026-11-24 07:40:15 +01:00`."""
    text = instant.astimezone().isoformat(sep=" ", timespec="seconds")
    return f"{text[:19]} {text[19:]}"


def brief(instant: datetime, now: datetime, offset: bool = True) -> str:
    """The same as short as it is clear: `12:34 +01:00` today, `23 Nov 05:04 +01:00`, with the year in another one."""
    here, today = instant.astimezone(), now.astimezone()
    month = f"{here.day} {_MONTHS[here.month - 1]}"
    date = "" if here.date() == today.date() else f"{month} " if here.year == today.year else f"{month} {here.year} "
    text = here.isoformat(timespec="minutes")
    return f"{date}{text[11:16]}{f' {text[16:]}' if offset else ''}"


def between(start: datetime, end: datetime, now: datetime) -> str:
    """`24 Nov 07:40 to 07:52 +01:00`; the date of the end where it is another day."""
    return f"{brief(start, now, offset=False)} to {brief(end, start)}"


def lasted(start: datetime, end: datetime) -> timedelta:
    """From one instant to another as both are shown, each cut to its second: so that the numbers agree."""
    return end.replace(microsecond=0) - start.replace(microsecond=0)


def moment(text: Any) -> datetime | None:
    """An instant that was stored as text, aware; None for anything else."""
    try:
        parsed = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def holds(instant: datetime, now: datetime) -> bool:
    """Can this stored instant hold anything back? One in the future is void: a wrong clock wrote it.

    Nothing else compares what was stored with `now` for that. 30 s are what two runs, or two hosts, may differ by.
    """
    return instant <= now + AHEAD


def from_ms(ms: int) -> datetime:
    """Milliseconds since the epoch, as stored, as an aware UTC datetime."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_ms(instant: datetime) -> int:
    """An aware datetime as whole milliseconds since the epoch."""
    return round(instant.timestamp() * 1000)


def ticking(now: datetime) -> Callable[[], datetime]:
    """A clock that starts at `now` and goes on by the monotonic clock: one reading of the time a run."""
    start = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - start)
