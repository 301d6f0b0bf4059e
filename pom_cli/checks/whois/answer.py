"""An answer of a registry, as plain data; the ways in which asking can end; which of several answers settles it."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, Status

SLACK = timedelta(days=1)  # two reads agree within it: one may know the hour and the other only the day


# The worst first. A domain on hold or inactive is in no zone: nobody finds it.
_TROUBLE = (
    (r"redemptionperiod|pendingdelete", ERROR, "is being deleted ({})"),
    (r"pendingrestore", ERROR, "is being restored ({})"),
    (r"(?:client|server)hold(?!s)", ERROR, "is on hold ({})"),
    (r"^inactive", DEGRADED, "is inactive ({})"),
)


class Ending(StrEnum):
    """How asking one source ended. Only DATED carries an expiry date."""

    DATED = "dated"
    FREE = "not registered"
    NO_DATE = "no date"  # it answered, and no date can be had from it: not published, unreadable, contradictory
    LIMITED = "rate-limited"
    REFUSED = "refused"
    FAILED = "failed"  # no answer, a broken one, or no server to ask


@dataclass(frozen=True)
class RegistryAnswer:
    """What one source said. `reason` is for people, a sentence without its full stop; text from outside is cleaned."""

    source: str  # "rdap" or "whois"
    ending: Ending
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
    asked: bool = True  # False: not in this run, to spare the server
    at: datetime | None = None  # when it was given, if in an earlier run


@dataclass(frozen=True)
class Observation:
    """All answers in the order in which they came, and those of the second read where there was one."""

    first: tuple[RegistryAnswer, ...]
    again: tuple[RegistryAnswer, ...] = ()
    last: datetime | None = None  # the date that was known before, as far as the memory goes


def trouble(statuses: Sequence[str]) -> tuple[Status, str]:
    """What is wrong by the EPP statuses (RFC 5731, 3915; RFC 8056 for RDAP's spelling); "" if nothing."""
    for pattern, status, text in _TROUBLE:
        for said in statuses:
            if re.search(pattern, re.sub(r"https?:\S+|[\W_]", "", said.lower())):
                return status, text.format(said)
    return OPERATIONAL, ""


def decisive(answers: Iterable[RegistryAnswer]) -> RegistryAnswer | None:
    """The answer that settles it: a date, or that there is no such domain; None where nothing does."""
    listed = tuple(answers)
    for answer in listed:
        if answer.ending is Ending.DATED:
            return answer
    free = [answer for answer in listed if answer.ending is Ending.FREE]
    registered = any(answer.ending is Ending.NO_DATE for answer in listed)
    if free and not registered and (len(free) > 1 or free[0].confirmed):
        return free[0]
    return None


def agree(one: RegistryAnswer | None, other: RegistryAnswer | None) -> bool:
    """Do two reads say the same?"""
    if one is None or other is None or one.ending is not other.ending:
        return False
    if one.expires is None or other.expires is None:
        return one.ending is Ending.FREE
    return abs(one.expires - other.expires) <= SLACK


def startles(answer: RegistryAnswer, last: datetime, now: datetime) -> bool:
    """Is this much worse than the last date: one that is nearer by more than SLACK, or no domain any more?"""
    return last > now if answer.expires is None else answer.expires < last - SLACK
