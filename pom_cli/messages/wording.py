"""One notice in words: its headline, and the block that tells it in full. Pure.

Whatever came from outside goes through `clean`.
"""

from datetime import datetime

from pom_cli.messages import runbook
from pom_cli.messages.runbook import wrapped
from pom_cli.model import Notice
from pom_cli.text import clean
from pom_cli.times import lasted, local, short, utc

_SHOWN = 5  # subjects and peers' views of one notice
_DETAILS = (
    ("http_status", "HTTP {}"),
    ("phase", "phase {}"),
    ("address", "address {}"),
    ("latency_ms", "{} ms"),
)  # of what was seen: its key, and how it is said


def recovered(notice: Notice) -> bool:
    """Is it good news: a problem that is over."""
    return notice.reason == "recovered"


def headline(notice: Notice) -> str:
    """`makenotwork health: operational → unreachable`; without the target for what is the instance's own."""
    return f"{name(notice)}: {_change(notice)}"


def name(notice: Notice) -> str:
    """Whose alert it is: `makenotwork health`, or the alert alone where it is the instance's own."""
    return f"{clean(notice.target, 50)} {clean(notice.alert, 30)}".strip()


def _change(notice: Notice) -> str:
    now = notice.now.value
    if notice.before != notice.now:
        return f"{notice.before.value} → {now}"
    if notice.reason == "changed" and (count := _counted(notice)):
        return f"{now}, now {count}"
    if notice.reason not in ("changed", "reminder"):
        return now
    if notice.days_left is not None:
        return f"still {now}, {_left(notice.days_left)}"
    return f"still {now} for {short(notice.at - notice.since)}"


def _counted(notice: Notice) -> str:
    """The one subject by its name, more by their number; nothing where there is none."""
    if len(notice.subjects) > 1:
        return f"{len(notice.subjects)} {runbook.plural(notice.alert)}"
    return "".join(clean(subject, 30) for subject in notice.subjects)


def _left(days: int) -> str:
    return f"{'expired ' if days < 0 else ''}{_days(days)}"


def _days(days: int) -> str:
    """`7 days left`, `2 days ago`. Days are counted downwards: with -1 less than one has gone by since."""
    whole, which = (days, "left") if days >= 0 else (-days - 1, "ago")
    return f"{whole} day{'' if whole == 1 else 's'} {which}" if whole else f"less than a day {which}"


def block(notice: Notice, instance: str, now: datetime) -> str:
    """One notice in full: what, since when, what was seen, from where, the peers' view, last good."""
    lines = [
        _status(notice),
        *(_ended(notice) if recovered(notice) else _begun(notice, now)),
        *_seen(notice),
        *_subjects(notice),
        f"From: {instance} at {_when(notice.at)}",
        *_views(notice),
        *([f"Network: {clean(str(notice.facts['network']), 200)}"] if notice.facts.get("network") else []),
        *_last_good(notice, now),
    ]
    return "\n".join([headline(notice), "", *map(wrapped, lines)])


def _when(instant: datetime) -> str:
    return f"{utc(instant)} ({local(instant)})"


def _status(notice: Notice) -> str:
    """With the runbook's capitals, since its steps go on with "If Unreachable"."""
    was = f", was {notice.before.value.capitalize()}" if notice.before != notice.now else ""
    return f"Status: {notice.now.value.capitalize()}{was}"


def _begun(notice: Notice, now: datetime) -> list[str]:
    """Since when it is as bad as this, and since when it is bad at all where that is earlier."""
    lines, started = [_for("Since", notice.since, now)], notice.facts.get("started_at")
    if isinstance(started, datetime) and started < notice.since:
        lines.append(_for("Began", started, now))
    return lines


def _for(label: str, instant: datetime, now: datetime) -> str:
    span = short(now - instant)
    return f"{label}: {_when(instant)}, {'just now' if span == '0 s' else span}"


def _ended(notice: Notice) -> list[str]:
    """Start, end and length of what is over. Without a known start: since when all is well."""
    started = notice.facts.get("started_at")
    if not isinstance(started, datetime):
        return [f"Since: {_when(notice.since)}"]
    known = notice.facts.get("ended_at")
    ended = known if isinstance(known, datetime) else notice.at
    lines = [f"Start: {_when(started)}", f"End: {_when(ended)}", f"Lasted: {short(lasted(started, ended))}"]
    return lines + ([f"Was: {was}"] if (was := _fact(notice, "was")) else [])


def _seen(notice: Notice) -> list[str]:
    """What was seen, each fact once: what the summary has said already is not said again."""
    summary, error, days = clean(notice.summary), _fact(notice, "error"), notice.days_left
    said = {word.strip(",;:()") for word in summary.split()}
    details = (form.format(text) for key, form in _DETAILS if (text := _fact(notice, key)) and text not in said)
    lines = {
        "Seen": summary,
        "Error": error if error not in summary else "",
        "URL": _fact(notice, "url"),
        "Details": ", ".join(details),
        "Expiry": _left(days) if days is not None and _days(days) not in summary else "",
    }
    return [f"{label}: {text}" for label, text in lines.items() if text]


def _fact(notice: Notice, key: str) -> str:
    value = notice.facts.get(key)
    return "" if value is None else clean(str(value))


def _subjects(notice: Notice) -> list[str]:
    """Each path, record or host with what was seen of it, as far as the summary has not said it."""
    seen, summary = notice.facts.get("subject_summaries") or {}, clean(notice.summary)
    lines = []
    for subject in filter(None, notice.subjects):
        told = clean(str(seen.get(subject) or ""), 120)
        lines.append(clean(subject, 80) + (f": {told}" if told not in summary else ""))
    return _list(runbook.plural(notice.alert).capitalize(), lines)


def _views(notice: Notice) -> list[str]:
    """The peers' words about the target, ready as they are."""
    return _list("Peers", [clean(str(view), 120) for view in notice.facts.get("views") or ()])


def _list(label: str, lines: list[str]) -> list[str]:
    """The first of these under their label, and how many more there are; nothing where there are none."""
    lines = [line for line in lines if line]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [f"{label}:", *(f"  {line}" for line in lines[:_SHOWN] + more)] if lines else []


def _last_good(notice: Notice, now: datetime) -> list[str]:
    good = notice.facts.get("last_good")
    if recovered(notice) or not isinstance(good, datetime):
        return []
    return [f"Last good: {_when(good)}, {short(now - good)} ago"]
