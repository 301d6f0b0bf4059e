"""What a phone shows of a notice: one line, from a table by kind of alert. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pom_cli.messages.procedures import plural
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNREACHABLE, Notice
from pom_cli.text import clean
from pom_cli.times import lasted, short

_SHOWN = 3  # subjects that a line names
_LONGEST = 90  # characters of a reason


class _Words(NamedTuple):
    """How a problem is announced, how it is repeated, and how its end is. `{of}`, `{after}`, `{cause}` may be empty."""

    new: str
    still: str
    over: str


_WORDS = {
    "health": _Words(
        "{who} {status}: {why}",
        "{who} still {status}{after}: {why}",
        "{who} operational again{after}",
    ),
    "latency-drift": _Words(
        "{who} slow: {why}",
        "{who} still slow{after}: {why}",
        "{who} response time back to normal{after}",
    ),
    "tls-expiry": _Words(
        "{who} certificate{of} {expiry}",
        "{who} certificate{of} {expiry}",
        "{who} certificate{of} OK again, {expiry}",
    ),
    "tls-failed": _Words(
        "{who} TLS{of} failed: {why}",
        "{who} TLS{of} still failing{after}: {why}",
        "{who} TLS{of} OK again{after}",
    ),
    "route": _Words("{who} {what}: {why}", "{who} {what} still failing{after}: {why}", "{who} {what} OK again{after}"),
    "dns": _Words("{who} {what}: {why}", "{who} {what} still wrong{after}: {why}", "{who} {what} OK again{after}"),
    "whois-expiry": _Words(
        "{domain}: domain {expiry}", "{domain}: domain {expiry}", "{domain}: domain OK again, {expiry}"
    ),
    "whois-unknown": _Words(
        "{domain}: domain's expiry date unknown: {why}",
        "{domain}: domain's expiry date still unknown{after}: {why}",
        "{domain}: domain's expiry date known again",
    ),
    "cors": _Words("{who} {what}: {why}", "{who} {what} still wrong{after}: {why}", "{who} {what} OK again{after}"),
    "port": _Words("{who} {what}: {why}", "{who} {what} still failing{after}: {why}", "{who} {what} OK again{after}"),
    "test-failed": _Words(
        "{who} tests: {why}", "{who} tests still failing{after}: {why}", "{who} tests pass again{after}"
    ),
    "test-stale": _Words("{who}: {why}", "{who}: {why}", "{who} tests are run again{after}"),
    "peer-missing": _Words(
        "peer {who} missing{for}{cause}", "peer {who} still missing{after}{cause}", "peer {who} alive again{after}"
    ),
    "monitoring-offline": _Words(
        "offline: this monitor's own network is down",
        "still offline{after}: this monitor's own network is down",
        "online again{after}: this monitor's own network was down",
    ),
    "checks-overdue": _Words(
        "checks overdue: {why}", "checks still overdue{after}: {why}", "checks on time again{after}"
    ),
    "delivery-failed": _Words(
        "alerts not delivered: {why}", "alerts still not delivered{after}: {why}", "alerts delivered again{after}"
    ),
    "store-failed": _Words(
        "database not writable: {why}", "database still not writable{after}: {why}", "database writable again{after}"
    ),
    "config-broken": _Words("config broken: {why}", "config still broken{after}: {why}", "config OK again{after}"),
    "clock-wrong": _Words("clock wrong: {why}", "clock still wrong{after}: {why}", "clock right again{after}"),
}
# The same alerts about a peer: what it says about itself.
_OF_A_PEER = {
    "checks-overdue": _Words(
        "peer {who} checks overdue: {named}",
        "peer {who} checks still overdue{after}: {named}",
        "peer {who} checks on time again{after}",
    ),
    "delivery-failed": _Words(
        "peer {who}: {why}", "peer {who} still cannot send mail{after}: {why}", "peer {who} mail gets out again{after}"
    ),
    "clock-wrong": _Words(
        "peer {who} clock wrong: {why}", "peer {who} clock still wrong{after}: {why}", "peer {who} clock right again"
    ),
}
_ANY = _Words(
    "{who} {alert} {status}: {why}", "{who} {alert} still {status}{after}: {why}", "{who} {alert} OK again{after}"
)
_ENDING = {DEGRADED: "expires soon", ERROR: "has expired"}  # of a certificate whose date is not known
_FORMS = {"reminder": "still", "escalated": "still", "recovered": "over"}
_NOUNS = {"dns": "DNS", "cors": "CORS", "port": "port"}  # in front of one subject
_CODE = re.compile(r"(\d{3}) [^,]*, not \d[^,]*$")  # `404 Not Found, not 2xx`


def headline(notice: Notice, known: Mapping[str, Any]) -> str:
    """`makenotwork unreachable: connection refused`. `known` are the facts of the notice's target."""
    # What is about this monitor itself has no target.
    words = (_OF_A_PEER.get(notice.alert) if notice.target else None) or _WORDS.get(notice.alert, _ANY)
    form = getattr(words, _FORMS.get(notice.reason, "new"))
    line = clean(re.sub(r"[\s:,]+$", "", form.format_map(_parts(notice, known))), 300)
    return line if "{status}" in form else line + _was(notice)


def label(notice: Notice, known: Mapping[str, Any]) -> str:
    """The target as people call it."""
    return clean(str(known.get("label") or notice.target), 50)


def subject_line(subject: str, seen: str) -> str:
    """`/login: 404`: one subject, with the short form of what was seen of it."""
    return f"{clean(subject, 60)} {_brief(seen)}".strip()


def _parts(notice: Notice, known: Mapping[str, Any]) -> dict[str, str]:
    what, why = _what(notice)
    domain = clean(str(known.get("domain") or notice.facts.get("domain") or known.get("label") or notice.target), 80)
    error = clean(str(notice.facts.get("error") or ""), _LONGEST) if notice.facts.get("doubt") else ""
    return {
        "who": label(notice, known),
        "alert": clean(notice.alert, 30),
        "status": f"{notice.now.value}{_was(notice)}",
        "what": what,
        "why": why,
        "of": _of(notice, known),
        "named": clean(", ".join(filter(None, notice.subjects)), _LONGEST) or why,
        "domain": domain,
        "expiry": _expiry(notice, domain),
        "after": _after(notice),
        "for": _for(notice),
        "cause": f": {error}" if error else "",
    }


def _what(notice: Notice) -> tuple[str, str]:
    """What is wrong inside of the target, and why: one subject by its name, several by their number."""
    seen = notice.facts.get("subject_summaries") or {}
    subjects = [subject for subject in notice.subjects if subject]
    noun = _NOUNS.get(notice.alert, "")
    summary = _reason(notice.alert, clean(notice.summary, 300))
    if len(subjects) == 1:
        why = str(seen.get(subjects[0]) or re.sub(r"^\d+ of \d+: ", "", summary).removeprefix(f"{subjects[0]}: "))
        return f"{noun} {clean(subjects[0], 60)}".strip(), _brief(why)
    nouns = f"{noun if noun != 'port' else ''} {plural(notice.alert)}".strip()
    each = [subject_line(subject, str(seen[subject])) for subject in subjects[:_SHOWN] if seen.get(subject)]
    return f"{len(subjects)} {nouns}" if subjects else nouns, clean("; ".join(each), _LONGEST) or _brief(summary)


def _reason(alert: str, summary: str) -> str:
    """The summary without what the line says already."""
    if alert == "test-failed":
        return re.sub(r"^(\d+ of \d+) tests? failed", r"\1 failed", summary)
    if alert == "config-broken":
        return re.sub(r"^/\S*/(?=[^/\s]+: )", "", summary)  # the folder of the file that is broken
    if alert == "whois-unknown":
        return summary.partition(": ")[2] or summary
    return summary


def _brief(seen: str) -> str:
    """`404 Not Found, not 2xx` as `404`; anything else as it is, cut."""
    code = _CODE.match(seen)
    return code[1] if code else clean(seen, _LONGEST)


def _of(notice: Notice, known: Mapping[str, Any]) -> str:
    """` of mail.example.com:25`, where that is not the target's own host."""
    hosts = [
        subject for subject in notice.subjects if subject and subject != f"{known.get('host')}:{known.get('port')}"
    ]
    if not hosts or not known.get("host"):
        return ""
    if len(notice.subjects) > 1:
        return f" of {len(notice.subjects)} hosts"
    return f" of {clean(hosts[0].removesuffix(':443'), 60)}"


def _expiry(notice: Notice, domain: str) -> str:
    """`expires in 9 days`, `expired 2 days ago`, or what else is wrong: `is not registered`."""
    summary, days = clean(notice.summary, 300).removeprefix(f"{domain} "), notice.days_left
    if notice.alert == "whois-expiry" and notice.now is not OPERATIONAL and (days is None or summary[:3] == "is "):
        return clean(summary.partition(", expire")[0], _LONGEST)
    return left(days) if days is not None else _ENDING.get(notice.now, "")


def left(days: int) -> str:
    """Days are counted downwards: with -1 less than one has passed since."""
    whole = days if days >= 0 else -days - 1
    span = f"{whole} day{'' if whole == 1 else 's'}" if whole else "less than a day"
    return f"expires in {span}" if days >= 0 else f"expired {span} ago"


def _after(notice: Notice) -> str:
    """` after 12 min`: how long it has lasted, or lasted in all."""
    started, ended = notice.facts.get("started_at"), notice.facts.get("ended_at")
    start = started if isinstance(started, datetime) else None
    if notice.reason == "recovered":
        end = ended if isinstance(ended, datetime) else notice.at
        return f" after {span(lasted(start, end))}" if start else ""
    unheeded = ", not acknowledged" if notice.reason == "escalated" else ""
    return f" after {span(notice.at - min(start or notice.since, notice.since))}{unheeded}"


def _for(notice: Notice) -> str:
    """` for 3 min`: since a peer was heard last."""
    heard = notice.facts.get("last_good")
    return f" for {span(notice.at - heard)}" if isinstance(heard, datetime) else ""


def _was(notice: Notice) -> str:
    """The problem that operators knew of until now: ` (was degraded)`, or ` (changed)`."""
    if notice.reason not in ("worse", "changed"):
        return ""
    if notice.before is notice.now:
        return " (changed)"
    return f" (was {notice.before.value})" if notice.before in (DEGRADED, ERROR, UNREACHABLE) else ""


def span(length: timedelta) -> str:
    """A duration without the seconds that nobody needs: `45 s`, `3 min`, `2 h 10 min`, `3 d 4 h`."""
    seconds = length.total_seconds()
    return short(length if seconds < 59.5 else timedelta(minutes=round(seconds / 60)))
