"""One Answer of a registry, as plain data; the ways in which asking can end; which of several answers settles it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from pom_cli.frozen import dataclass

SLACK = timedelta(days=1)  # two reads agree within it: one may know the hour and the other only the day


class Outcome(StrEnum):
    """How asking one source ended. Only DATED carries an expiry date."""

    DATED = "dated"
    FREE = "not registered"
    NO_DATE = "no date"  # it answered, and no date can be had from it: not published, unreadable, contradictory
    LIMITED = "rate-limited"
    REFUSED = "refused"
    FAILED = "failed"  # no answer, a broken one, or no server to ask


@dataclass(frozen=True)
class Answer:
    """What one source said. `reason` is for people, a sentence without its full stop; text from outside is cleaned."""

    source: str  # "rdap" or "whois"
    outcome: Outcome
    reason: str = ""
    expires: datetime | None = None
    created: datetime | None = None
    registrar: str | None = None
    statuses: tuple[str, ...] = ()
    dnssec: bool | None = None
    wait_s: int | None = None  # of a rate limit: the seconds that the registry asked for
    until: datetime | None = None  # of a rate limit: when it is asked again
    answered: bool = True  # False: nothing at all came back from the network
    confirmed: bool = True  # False: another source should say the same before it is believed


@dataclass(frozen=True)
class Seen:
    """All answers in the order in which they came, and those of the second read where there was one."""

    first: tuple[Answer, ...]
    again: tuple[Answer, ...] = ()
    last: datetime | None = None  # the date that was known before, as far as the memory goes


def decisive(answers: Iterable[Answer]) -> Answer | None:
    """The answer that settles it: a date, or that there is no such domain; None where nothing does."""
    listed = tuple(answers)
    for answer in listed:
        if answer.outcome is Outcome.DATED:
            return answer
    free = [answer for answer in listed if answer.outcome is Outcome.FREE]
    registered = any(answer.outcome is Outcome.NO_DATE for answer in listed)
    if free and not registered and (len(free) > 1 or free[0].confirmed):
        return free[0]
    return None


def agree(one: Answer | None, other: Answer | None) -> bool:
    """Do two reads say the same?"""
    if one is None or other is None or one.outcome is not other.outcome:
        return False
    if one.expires is None or other.expires is None:
        return one.outcome is Outcome.FREE
    return abs(one.expires - other.expires) <= SLACK


def startles(answer: Answer, last: datetime, now: datetime) -> bool:
    """Is this much worse than the last date: one that is nearer by more than SLACK, or no domain any more?"""
    return last > now if answer.expires is None else answer.expires < last - SLACK
