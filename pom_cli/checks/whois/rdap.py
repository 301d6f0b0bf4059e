"""Asking a registry over RDAP (RFC 7480, 9082, 9083) and reading what it says of one domain."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from pom_cli.checks.whois import web
from pom_cli.checks.whois.answer import Ending, RegistryAnswer
from pom_cli.checks.whois.dates import EARLIEST, LATEST
from pom_cli.checks.whois.suffixes import ascii_name
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import NoAnswer
from pom_cli.outside import Unreadable, from_json
from pom_cli.text import clean

SIZE = 256 * 1024  # bytes of an answer, decoded
_TYPE = "application/rdap+json"
_MANY = 200  # events or entities that are looked at

# RFC 3339 is what RFC 9083 asks for. Three departures are known from registries and have one meaning only: no offset
# (then it is UTC), an offset without its colon or its minutes, and the day alone.
_DATE = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<time>\d\d:\d\d:\d\d)(?:\.\d+)?(?:[Zz]|(?P<sign>[+-])(?P<h>\d\d):?(?P<m>\d\d)?)?)?"
)


def ask_rdap(
    domain: str, base: str, deadline: Deadline, configured: bool = False, listed: bool = True
) -> RegistryAnswer:
    """What the RDAP server at this base URL says of a domain in its ASCII form. `listed` servers are believed a 404."""
    url = base if base.endswith(f"domain/{domain}") else f"{base.rstrip('/')}/domain/{domain}"
    try:
        page = web.get(url, _TYPE, deadline, SIZE, trusted=configured)
    except NoAnswer as error:
        answered = error.fault.phase == "body" or error.fault.blame == "certificate"
        return RegistryAnswer("rdap", Ending.FAILED, error.fault.reason, answered=answered)
    data = _parsed(page.body)
    status = _status(page, data)
    if status == 200:
        return read_rdap(data, domain)
    if status == 404 and _is_rdap(page, data):
        return RegistryAnswer("rdap", Ending.FREE, "the registry has no such domain", confirmed=listed)
    if status == 429 or (status == 503 and "retry-after" in page.headers):
        return RegistryAnswer(
            "rdap", Ending.LIMITED, f"HTTP {status}", wait_s=_wait(page.headers.get("retry-after", ""))
        )
    refused = status in (400, 401, 403, 422, 451)
    return RegistryAnswer("rdap", Ending.REFUSED if refused else Ending.FAILED, f"HTTP {status}")


def read_rdap(data: Any, domain: str) -> RegistryAnswer:
    """Read an RDAP domain object. Dates that are not RFC 3339, or lie before the registration, are refused."""
    if not isinstance(data, Mapping) or not isinstance(data.get("events", []), list):
        return RegistryAnswer("rdap", Ending.FAILED, "its answer is not an RDAP object")
    name = data.get("ldhName") or data.get("unicodeName")
    if isinstance(name, str) and not _same(name, domain):
        return RegistryAnswer("rdap", Ending.NO_DATE, f"its answer is about {clean(name, 80)}")
    if name is None and data.get("objectClassName") != "domain":
        return RegistryAnswer("rdap", Ending.FAILED, "its answer is not an RDAP domain object")
    created, _ = _event(data, "registration")
    expires, why = _expiry(data, created)
    return RegistryAnswer(
        "rdap",
        Ending.DATED if expires else Ending.NO_DATE,
        why,
        expires=expires,
        created=created,
        registrar=_registrar(data),
        statuses=tuple(clean(text, 60) for text in _list(data.get("status"))[:12] if isinstance(text, str)),
        dnssec=_signed(data.get("secureDNS")),
    )


def rfc3339(text: Any) -> datetime | None:
    """The instant in UTC; None for what RFC 3339 (with the named exceptions) does not know."""
    match = _DATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if not match:
        return None
    try:
        day = datetime.fromisoformat(match["day"]).replace(tzinfo=UTC)
        hour, minute, second = (int(part) for part in (match["time"] or "00:00:00").split(":"))
        wall = day.replace(hour=hour, minute=minute, second=min(second, 59))
        offset = timedelta(hours=int(match["h"] or 0), minutes=int(match["m"] or 0))
        return wall + offset if match["sign"] == "-" else wall - offset
    except (ValueError, OverflowError):  # the second: before the year 1, or after 9999
        return None


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except Unreadable:
        return None


def _status(page: web.Page, data: Any) -> int:
    code = data.get("errorCode") if page.status == 200 and isinstance(data, Mapping) else None
    return code if isinstance(code, int) else page.status


def _is_rdap(page: web.Page, data: Any) -> bool:
    """Is this "not found" the registry's word, and not just a path that a web server does not have?"""
    typed = page.headers.get("content-type", "").partition(";")[0].strip().lower() == _TYPE
    return typed or (isinstance(data, Mapping) and ("errorCode" in data or "rdapConformance" in data))


def _wait(header: str) -> int | None:
    """Seconds of a Retry-After header in either of its forms (RFC 9110, 10.2.3)."""
    if (text := header.strip()).isascii() and text.isdigit():
        return int(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0, ceil((until - datetime.now(UTC)).total_seconds()))


def _same(name: str, domain: str) -> bool:
    try:
        return ascii_name(name) == domain
    except ValueError:
        return False


def _expiry(data: Mapping[str, Any], created: datetime | None) -> tuple[datetime | None, str]:
    """The registry's date, else the registrar's, else the reason why neither is known."""
    for action in ("expiration", "registrar expiration"):
        date, why = _event(data, action)
        if why:
            return None, why
        if date and created and date < created - timedelta(days=1):
            return None, f"its expiry date {date:%Y-%m-%d} lies before the registration of {created:%Y-%m-%d}"
        if date:
            return date, ""
    return None, "it publishes no date"


def _event(data: Mapping[str, Any], action: str) -> tuple[datetime | None, str]:
    texts = [
        event.get("eventDate")
        for event in _list(data.get("events"))[:_MANY]
        if isinstance(event, Mapping) and str(event.get("eventAction")).strip().lower() == action
    ]
    dates = [rfc3339(text) for text in texts]
    for text, date in zip(texts, dates, strict=True):
        if date is None:
            return None, f"its {action} date {clean(str(text), 40)!r} cannot be read"
    found = [date for date in dates if date and EARLIEST <= date.year <= LATEST]
    if found and max(found) - min(found) > timedelta(days=1):
        return None, f"it gives more than one {action} date"
    return (found[0] if found else None), ""


def _registrar(data: Mapping[str, Any]) -> str | None:
    for entity in _list(data.get("entities"))[:_MANY]:
        if isinstance(entity, Mapping) and "registrar" in _list(entity.get("roles")):
            name = _full_name(entity.get("vcardArray")) or entity.get("handle")
            return clean(str(name), 100) if name else None
    return None


def _full_name(card: Any) -> str | None:
    """The `fn` of a jCard (RFC 7095)."""
    for item in _list(card)[1] if len(_list(card)) > 1 and isinstance(card[1], list) else []:
        if isinstance(item, list) and len(item) > 3 and item[0] == "fn" and isinstance(item[3], str):
            return item[3]
    return None


def _signed(secure: Any) -> bool | None:
    signed = secure.get("delegationSigned") if isinstance(secure, Mapping) else None
    return signed if isinstance(signed, bool) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
