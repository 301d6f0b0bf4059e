"""The status page's sentences and figures, as plain text. All times are UTC: the page is read anywhere. Pure."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from pom_cli.model import UNKNOWN
from pom_cli.web.page.model import Day, Incident, Picture, System, Uptime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAMED = 10  # of a system's days with downtime, the worst ones
FULL = 0.995  # of coverage: what rounds to all of the window


def headline(picture: Picture) -> str:
    """`All systems operational`, `2 of 5 not operational`; never better than what is known and how fresh it is."""
    systems, bad, unknown = picture.systems, picture.bad, picture.unknown
    if not systems:
        return "Nothing is watched here"
    seen = [one for one in systems if one.since is not None]
    if not seen:
        return "Nothing has been checked yet"
    if bad:
        return f"{len(bad)} of {len(systems)} not operational"
    if len(unknown) == len(systems):
        return "Status unknown"
    told = f"{len(unknown)} of {len(systems)} unknown, the rest operational" if unknown else "All systems operational"
    return f"{told} when last checked" if picture.overdue or picture.offline_since else told


def bad_since(picture: Picture) -> datetime | None:
    """Since when something is not as it should be: known to be bad, or unknown where nothing is known to be bad."""
    return min((one.since for one in picture.bad or picture.unknown if one.since), default=None)


def tone(picture: Picture) -> str:
    """`ok`, `bad`, or `unknown` where it cannot be told."""
    if picture.bad:
        return "bad"
    doubtful = picture.unknown or picture.overdue or picture.offline_since or not picture.systems
    return "unknown" if doubtful else "ok"


def caveats(picture: Picture) -> list[tuple[str, str, datetime | None, str]]:
    """Why what is shown may be old: the point, text up to an instant, that instant, text after it."""
    found: list[tuple[str, str, datetime | None, str]] = []
    if picture.offline_since:
        told = (
            ". It cannot see how the systems are, so what is shown may be old; this time counts neither as up nor down."
        )
        found.append(("This monitor itself is offline", "since", picture.offline_since, told))
    late, total = picture.overdue, len(picture.systems)
    if late:
        whose = "The checks" if len(late) == total else f"The checks of {len(late)} of {total} systems"
        seen = min((one.seen_at for one in late if one.seen_at), default=None)
        oldest = "; the oldest look is from" if seen else "."
        found.append((f"{whose} are overdue.", f"What is shown may be old{oldest}", seen, "." if seen else ""))
    return found


def instant(at: datetime, now: datetime) -> str:
    """`24 Nov, 06:10 UTC`, with the year where it is another one than now."""
    return f"{moment(at, now)} UTC"


def moment(at: datetime, now: datetime) -> str:
    """The same without the zone, for the first of two."""
    return f"{day(at.astimezone(UTC).date(), now)}, {clock(at)}"


def clock(at: datetime) -> str:
    """`06:10`, in UTC."""
    return f"{at.astimezone(UTC):%H:%M}"


def same_day(one: datetime, other: datetime) -> bool:
    return one.astimezone(UTC).date() == other.astimezone(UTC).date()


def day(on: date, now: datetime) -> str:
    """`24 Nov`, with the year where it is another one than now."""
    year = f" {on.year}" if on.year != now.astimezone(UTC).year else ""
    return f"{on.day} {_MONTHS[on.month - 1]}{year}"


def lasted(span: timedelta) -> str:
    """`45 min`, `2 h 10 min`, `3 days 4 h`, `12 days`: no finer than checks can tell."""
    minutes = span // timedelta(minutes=1)
    if minutes < 1:
        return "under a minute"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return _days(days) + (f" {hours} h" if hours and days < 7 else "")
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


def duration(incident: Incident, now: datetime) -> timedelta:
    return max(timedelta(), (incident.ended_at or now) - incident.started_at)


def iso(span: timedelta) -> str:
    """An ISO 8601 duration for `<time datetime>`: days, hours, minutes and seconds."""
    hours, seconds = divmod(span.seconds, 3600)
    return f"P{span.days}DT{hours}H{seconds // 60}M{seconds % 60}S"


def percent(uptime: Uptime) -> str:
    """`99.95%`, rounded down: never 100% where there was an outage; `no data` where nothing is known."""
    if uptime.known_ms <= 0:
        return "no data"
    if uptime.down_ms < 1:
        return "100%"
    # A hair more than it is, for what floating point has taken.
    hundredths = math.floor(10_000 * uptime.up_ms / uptime.known_ms + 1e-6)
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".") + "%"


def covered(uptime: Uptime) -> str:
    """`62% measured`; empty where the whole window was, or nothing of it."""
    if uptime.known_ms <= 0 or uptime.coverage >= FULL:
        return ""
    return f"{math.floor(100 * uptime.coverage) or 'under 1'}% measured"


def of_day(one: Day, now: datetime) -> str:
    """`3 Nov: 98.2% up`, for one bar."""
    name = day(one.date, now) + (" (today)" if one.date == now.astimezone(UTC).date() else "")
    if one.uptime.known_ms <= 0:
        return f"{name}: not measured"
    part = covered(one.uptime)
    return f"{name}: {percent(one.uptime)} up{', ' + part if part else ''}"


def of_days(days: Sequence[Day], now: datetime) -> str:
    """The bars in words: how many days were whole, which were not and how."""
    if not days:
        return ""
    measured = [one for one in days if one.uptime.known_ms > 0]
    down = [one for one in measured if one.uptime.down_ms >= 1]
    parts = [f"{_days(len(measured) - len(down))} without downtime"]
    if down:
        worst = sorted(down, key=lambda one: one.uptime.up_ms / one.uptime.known_ms)[:_NAMED]
        named = ", ".join(_of_down_day(one, now) for one in down if one in worst)
        more = f" and {_days(len(down) - _NAMED)} with less" if len(down) > _NAMED else ""
        parts.append(f"downtime on {named}{more}")
    parts += [f"{_days(len(days) - len(measured))} not measured"] if len(measured) < len(days) else []
    first, last = day(days[0].date, now), day(days[-1].date, now)
    return f"Uptime by day, {first} to {last}: {'; '.join(parts)}."


def _of_down_day(one: Day, now: datetime) -> str:
    return f"{day(one.date, now)} ({percent(one.uptime)} up)"


def _days(count: int) -> str:
    return f"{count or 'no'} day{'' if count == 1 else 's'}"


def of_latency(system: System) -> str:
    """The line in words."""
    known = [value for value in system.latency if value is not None]
    if not known:
        return ""
    gaps = system.latency[-24:].count(None)  # the hour in which the 24 began counts with this one
    told = f"Response time by the hour over the last 24 hours: from {ms(min(known))} to {ms(max(known))}"
    return told + (f"; {gaps} hour{'s' if gaps > 1 else ''} without a good answer." if gaps else ".")


def ms(value: float) -> str:
    """`84 ms`, `1.2 s`."""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{round(value)} ms"


def status(system: System) -> str:
    """`Operational`; `Unknown (was operational)`."""
    word = system.status.value.capitalize()
    was = system.last_known
    return f"{word} (last known: {was.value})" if system.status is UNKNOWN and was else word
