"""The status page's sentences and figures, as plain text. All times are UTC: the page is read anywhere. Pure."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from pom_cli.config.page import Announcement
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Status
from pom_cli.web.page.data import Day, Picture, System, Uptime
from pom_cli.web.page.incidents import Incident

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAMED = 10  # of a system's days with downtime, the worst ones
NAMED = 3  # of the systems that are not well, in the headline
FULL = 0.995  # of coverage: what rounds to all of the window
# For visitors: what they would call it.
_STATUS = {
    OPERATIONAL: "operational",
    DEGRADED: "degraded",
    ERROR: "failing",
    UNREACHABLE: "unreachable",
    UNKNOWN: "unknown",
}
_OF_HEALTH = {DEGRADED: "Not fully working", ERROR: "Answered with errors", UNREACHABLE: "Did not answer"}
_WHAT = {
    "latency-drift": "Slower than usual",
    "tls-expiry": "Certificate due for renewal",
    "tls-failed": "Certificate problem",
    "route": "Some pages failed",
    "dns": "Domain name problem",
    "whois-expiry": "Domain registration due for renewal",
    "cors": "Access from other sites failed",
    "port": "A service did not answer",
}


def word(status: Status) -> str:
    """A status as visitors would call it."""
    return _STATUS[status]


def what(incident: Incident) -> str:
    """A word of what an incident was. No text from a server: that may tell what is not the public's."""
    return _WHAT.get(incident.alert) or _OF_HEALTH.get(incident.worst, "Problem")


def headline(picture: Picture) -> str:
    """What can be said in one line where nothing is bad; never better than what is known and how fresh it is."""
    seen = [one for one in picture.systems if one.since is not None]
    if not picture.systems:
        return "No systems are monitored yet"
    if not seen:
        return "No system has been checked yet"
    if picture.bad:
        told = [f"{one.label} {word(one.status)}{_since(one, picture.at)}" for one in picture.bad[:NAMED]]
        return "; ".join([*told, *more(picture)])
    if len(picture.unknown) == len(picture.systems):
        return "Status unknown"
    if picture.unknown:
        told_ = f"Status of {len(picture.unknown)} of {len(picture.systems)} systems unknown"
    else:
        told_ = "Maintenance in progress" if picture.maintained else "All systems operational"
    return f"{told_} when last checked" if picture.overdue or picture.offline_since else told_


def _since(system: System, now: datetime) -> str:
    return f" since {moment(system.since, now)}" if system.since else ""


def more(picture: Picture) -> list[str]:
    """The systems that the headline does not name."""
    return [f"{len(picture.bad) - NAMED} more"] if len(picture.bad) > NAMED else []


def tone(picture: Picture) -> str:
    """`ok`, `bad`, or `unknown`."""
    if picture.bad:
        return "bad"
    doubtful = picture.unknown or picture.overdue or picture.offline_since or not picture.systems
    return "unknown" if doubtful else "ok"


def caveats(picture: Picture) -> list[tuple[str, str, datetime | None, str]]:
    """Why what is shown may be old: the point, text up to an instant, that instant, text after it."""
    found: list[tuple[str, str, datetime | None, str]] = []
    if picture.offline_since:
        told = ". The status shown may be out of date; this time counts neither as up nor as down."
        found.append(("Our monitoring is offline", "since", picture.offline_since, told))
    late, total = picture.overdue, len(picture.systems)
    if late:
        whose = "Checks" if len(late) == total else f"Checks of {len(late)} of {total} systems"
        seen = min((one.seen_at for one in late if one.seen_at), default=None)
        oldest = "; last checked" if seen else "."
        told = f"The status shown may be out of date{oldest}"
        found.append((f"{whose} are overdue.", told, seen, "." if seen else ""))
    return found


def span(begun: datetime, ended: datetime, now: datetime) -> str:
    """`1 Dec, 20:00 to 22:00`."""
    last = clock(ended) if same_day(begun, ended) else moment(ended, begun)
    return f"{moment(begun, now)} to {last}"


def running(one: Announcement, now: datetime) -> bool:
    return one.at <= now < one.until


def instant(at: datetime, now: datetime) -> str:
    """The same with the zone, for where it stands alone."""
    return f"{moment(at, now)} UTC"


def moment(at: datetime, now: datetime) -> str:
    """`06:10` today, else `23 Nov, 06:10`, with the year where it is another one than now."""
    return clock(at) if same_day(at, now) else f"{day(at.astimezone(UTC).date(), now)}, {clock(at)}"


def clock(at: datetime) -> str:
    """`06:10`, in UTC."""
    return f"{at.astimezone(UTC):%H:%M}"


def same_day(one: datetime, other: datetime) -> bool:
    return one.astimezone(UTC).date() == other.astimezone(UTC).date()


def day(on: date, now: datetime) -> str:
    """`24 Nov`, with the year where it is another one than now."""
    year = f" {on.year}" if on.year != now.astimezone(UTC).year else ""
    return f"{on.day} {_MONTHS[on.month - 1]}{year}"


def lasted(length: timedelta) -> str:
    """`45 min`, `2 h 10 min`, `3 days 4 h`, `12 days`: no finer than checks can tell."""
    minutes = length // timedelta(minutes=1)
    if minutes < 1:
        return "under a minute"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return _days(days) + (f" {hours} h" if hours and days < 7 else "")
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


def duration(incident: Incident, now: datetime) -> timedelta:
    return max(timedelta(), (incident.ended_at or now) - incident.started_at)


def iso(length: timedelta) -> str:
    """An ISO 8601 duration for `<time datetime>`: days, hours, minutes and seconds."""
    hours, seconds = divmod(length.seconds, 3600)
    return f"P{length.days}DT{hours}H{seconds // 60}M{seconds % 60}S"


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
    """`3 Nov: 98.2% up, degraded for 2 h, maintenance for 1 h, 1 deployment`, for one bar."""
    name = day(one.date, now) + (" (today)" if one.date == now.astimezone(UTC).date() else "")
    parts = [f"{percent(one.uptime)} up"] if one.uptime.known_ms > 0 else ["not measured"]
    parts += [f"down for {_of_ms(one.uptime.down_ms)}"] if one.uptime.down_ms >= 1 else []
    parts += [f"degraded for {_of_ms(one.degraded_ms)}"] if one.degraded_ms >= 1 else []
    parts += [f"maintenance for {_of_ms(one.maintenance_ms)}"] if one.maintenance_ms >= 1 else []
    parts += [covered(one.uptime)] if covered(one.uptime) else []
    parts += [f"{one.deployments} deployment{'' if one.deployments == 1 else 's'}"] if one.deployments else []
    return f"{name}: {', '.join(parts)}"


def _of_ms(ms: float) -> str:
    return lasted(timedelta(milliseconds=ms))


def of_days(days: Sequence[Day], now: datetime) -> str:
    """The bars in words: how many days were whole, which were not and how."""
    if not days:
        return ""
    measured = [one for one in days if one.uptime.known_ms > 0]
    down = [one for one in measured if one.uptime.down_ms >= 1]
    parts = [f"{_days(len(measured) - len(down))} without downtime"]
    if down:
        worst = sorted(down, key=lambda one: one.uptime.up_ms / one.uptime.known_ms)[:_NAMED]
        named = ", ".join(f"{day(one.date, now)} ({percent(one.uptime)} up)" for one in down if one in worst)
        others = f" and {_days(len(down) - _NAMED)} with less" if len(down) > _NAMED else ""
        parts.append(f"downtime on {named}{others}")
    for name, count in (
        ("degraded at times", sum(1 for one in days if one.degraded_ms >= 1)),
        ("with maintenance", sum(1 for one in days if one.maintenance_ms >= 1)),
        ("not measured", len(days) - len(measured)),
    ):
        parts += [f"{_days(count)} {name}"] if count else []
    first, last = day(days[0].date, now), day(days[-1].date, now)
    return f"Uptime by day, {first} to {last}: {'; '.join(parts)}."


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
    """`Operational`; `Unknown (last known: operational)`; `Under maintenance`."""
    if system.maintenance_until:
        return "Under maintenance"
    was = system.last_known
    told = word(system.status).capitalize()
    return f"{told} (last known: {word(was)})" if system.status is UNKNOWN and was else told
