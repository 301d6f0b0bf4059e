"""One notice in full: what, since when, what was seen, how peers see it. Pure, and no fact twice.

Whatever came from outside goes through `clean`.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pom_cli.messages import subject
from pom_cli.messages.procedures import plural
from pom_cli.messages.runbook import wrapped
from pom_cli.model import Notice
from pom_cli.text import clean
from pom_cli.times import lasted, moment, short, utc

_SHOWN = 5  # subjects and peers' views of one notice
_DETAILS = (
    ("http_status", "HTTP {}"),
    ("phase", "phase {}"),
    ("address", "address {}"),
    ("latency_ms", "{} ms"),
)  # of what was seen: its key, and how it is said
_FRESH = timedelta(days=1)  # an older deployment is no news
_ORDINALS = ("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def recovered(notice: Notice) -> bool:
    """Is it good news: a problem that has ended."""
    return notice.reason == "recovered"


def name(notice: Notice, known: Mapping[str, Any]) -> str:
    """Whose alert it is: `shop health`, `The Shop (shop) health`; the alert alone where it is about this instance."""
    target, label = clean(notice.target, 50), subject.label(notice, known)
    who = target if label == target else f"{label} ({target})"
    return f"{who} {clean(notice.alert, 30)}".strip()


def block(notice: Notice, known: Mapping[str, Any], now: datetime, origin: str = "") -> str:
    """One notice in full. `origin` is the line that says where it was seen from, "" if the mail has it elsewhere."""
    lines = [
        f"{name(notice, known)}: {_status(notice)}",
        *_outages(notice),
        *(_ended(notice) if recovered(notice) else _begun(notice, now)),
        *_seen(notice),
        *([origin] if origin else []),
        *_list("Peers", [clean(str(view), 120) for view in notice.facts.get("views") or ()]),
        *([f"Network: {network}"] if (network := _fact(notice, "network")) and network not in notice.summary else []),
        *_last_good(notice, now),
        *_deployed(notice),
    ]
    return "\n".join(map(wrapped, lines))


def when(instant: datetime) -> str:
    """`2026-11-24 06:40:17 UTC (07:40:17 +01:00)`: in UTC and, where that differs, in this machine's time."""
    here = instant.astimezone()
    same_day = here.date() == datetime.fromisoformat(utc(instant)).date()
    there = here.isoformat(sep=" ", timespec="seconds")[11 if same_day else 0 :]
    local = f" ({there[:-6]} {there[-6:]})" if here.utcoffset() else ""
    return f"{utc(instant)[:-1].replace('T', ' ')} UTC{local}"


def _status(notice: Notice) -> str:
    """With the runbook's capitals, since its steps go on with "If Unreachable"."""
    now, before = notice.now.value.capitalize(), notice.before.value.capitalize()
    if notice.before != notice.now:
        return f"{now}, was {before}"
    return f"still {now}" if notice.reason in ("reminder", "escalated") else now


def _outages(notice: Notice) -> list[str]:
    count = notice.facts.get("outages")
    if recovered(notice) or not isinstance(count, int) or count < 3:
        return []
    ordinal = _ORDINALS[count - 3] if count - 3 < len(_ORDINALS) else f"{count}th"
    return [f"This is the {ordinal} outage in an hour."]


def _begun(notice: Notice, now: datetime) -> list[str]:
    """Since when it is as bad as this, and since when it is bad at all where that is earlier."""
    lines, started = [_for("Since", notice.since, now)], notice.facts.get("started_at")
    if isinstance(started, datetime) and started < notice.since:
        lines.append(_for("Began", started, now))
    return lines


def _for(label: str, instant: datetime, now: datetime) -> str:
    span = short(now - instant)
    return f"{label}: {when(instant)}, {'just now' if span == '0 s' else span}"


def _ended(notice: Notice) -> list[str]:
    """Start, end and length of what has ended. Without a known start: since when all is well."""
    started = notice.facts.get("started_at")
    if not isinstance(started, datetime):
        return [f"Since: {when(notice.since)}"]
    known = notice.facts.get("ended_at")
    ended = known if isinstance(known, datetime) else notice.at
    lines = [f"Start: {when(started)}", f"End: {when(ended)}", f"Lasted: {short(lasted(started, ended))}"]
    return lines + ([f"Was: {was}"] if (was := _fact(notice, "was")) else [])


def _seen(notice: Notice) -> list[str]:
    """What was seen: the summary, what it does not say itself, and each subject."""
    summary, each = _summary(notice)
    error, days = _fact(notice, "error"), notice.days_left
    said = {word.strip(",;:()") for word in summary.split()}
    details = (form.format(text) for key, form in _DETAILS if (text := _fact(notice, key)) and text not in said)
    left = subject.left(days) if days is not None and not re.search(r"\bdays?\b", summary) else ""
    lines = {
        "Now" if recovered(notice) else "Problem": summary,
        "Error": error if error not in summary else "",
        "URL": "" if each else _fact(notice, "url"),
        "Details": "" if each else ", ".join(details),
        "Expiry": left,
    }
    found = [f"{label}: {text}" for label, text in lines.items() if text]
    return [*found[:1], *(f"  {line}" for line in each), *found[1:]] if summary else [*found, *each]


def _summary(notice: Notice) -> tuple[str, list[str]]:
    """The summary, and a line for each subject that it does not cover.

    `2 of 8: /docs: 500; /login: 404` becomes `2 of 8 routes` with a line for each route.
    """
    summary, seen = clean(notice.summary), notice.facts.get("subject_summaries") or {}
    subjects = [one for one in notice.subjects if one]
    count = re.match(r"(\d+ of \d+): ", summary)
    if recovered(notice):
        return summary, []
    if count and len(subjects) > 1:
        told = {one: clean(str(seen.get(one) or ""), 120) for one in subjects}
        return f"{count[1]} {plural(notice.alert)}", _most(
            [clean(one, 80) + (f": {told[one]}" if told[one] else "") for one in subjects]
        )
    if len(subjects) == 1 and subjects[0] not in summary:
        return f"{clean(subjects[0], 80)}: {summary}".removesuffix(": "), []
    return summary, _most([clean(one, 80) for one in subjects if clean(one, 80) not in summary])


def _fact(notice: Notice, key: str) -> str:
    value = notice.facts.get(key)
    return "" if value is None else clean(str(value))


def _most(lines: list[str]) -> list[str]:
    """The first of these, and how many more there are."""
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return lines[:_SHOWN] + more


def _list(label: str, lines: list[str]) -> list[str]:
    """One behind its label, several below it."""
    lines = _most([line for line in lines if line])
    if len(lines) < 2:
        return [f"{label}: {line}" for line in lines]
    return [f"{label}:", *(f"  {line}" for line in lines)]


def _last_good(notice: Notice, now: datetime) -> list[str]:
    good = notice.facts.get("last_good")
    if recovered(notice) or not isinstance(good, datetime):
        return []
    return [f"Last good: {when(good)}, {short(now - good)} ago"]


def _deployed(notice: Notice) -> list[str]:
    """The newest deployment, where it is less than a day old: `abc123 by max, 12 min before, at …`."""
    release = notice.facts.get("deployed")
    if recovered(notice) or not isinstance(release, Mapping):
        return []
    at = release.get("at")
    at = at if isinstance(at, datetime) else moment(at)
    if at is None or not timedelta(0) <= notice.at - at < _FRESH:
        return []
    rev, by, note = (clean(str(release.get(key) or ""), 80) for key in ("rev", "by", "note"))
    began = notice.since - at
    before = f"{short(began)} before this began" if began >= timedelta(0) else f"{short(-began)} after this began"
    words = " ".join(filter(None, [rev, f"by {by}" if by else "", f"({note})" if note else ""]))
    return [f"Deployed: {', '.join(filter(None, [words, before, when(at)]))}"]
