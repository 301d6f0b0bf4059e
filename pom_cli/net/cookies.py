"""The cookies of one chain of redirects, by the rules of RFC 6265 that matter within a few requests. Pure."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

from pom_cli.frozen import dataclass

_EXPIRES = re.compile(r"(\d{1,2})[ -](jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -](\d{4}|\d\d)\b")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True)
class Cookie:
    """A cookie and where it is sent: to `host` (with `wide` to the names below it too), at `path` and below."""

    name: str
    value: str
    host: str
    wide: bool
    path: str
    secure: bool  # over https alone

    def goes_to(self, scheme: str, host: str, path: str) -> bool:
        below = path == self.path or path.startswith(self.path if self.path.endswith("/") else f"{self.path}/")
        there = host == self.host or (self.wide and host.endswith(f".{self.host}"))
        return there and below and (scheme == "https" or not self.secure)


def collect(
    jar: tuple[Cookie, ...], fields: Iterable[str], scheme: str, host: str, path: str, now: datetime | None = None
) -> tuple[Cookie, ...]:
    """The jar after an answer from there with these Set-Cookie fields (RFC 6265, section 5.3)."""
    today = (now or datetime.now(UTC)).date()
    kept = {(cookie.name, cookie.host, cookie.path): cookie for cookie in jar}
    for text in fields:
        attributes = _attributes(text)
        cookie = _cookie(text, attributes, scheme, host, path)
        if cookie is None:
            continue
        kept.pop((cookie.name, cookie.host, cookie.path), None)
        if not _is_over(attributes, today):
            kept[cookie.name, cookie.host, cookie.path] = cookie
    return tuple(kept.values())


def field(jar: Iterable[Cookie], scheme: str, host: str, path: str) -> str:
    """The Cookie header of a request, "" where none goes there; longer paths first (section 5.4)."""
    path = path.partition("?")[0]
    found = [cookie for cookie in jar if cookie.goes_to(scheme, host, path)]
    found.sort(key=lambda cookie: -len(cookie.path))
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in found)


def _attributes(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _cookie(text: str, attributes: dict[str, str], scheme: str, host: str, path: str) -> Cookie | None:
    """None for what a browser would not keep."""
    name, equals, value = text.partition(";")[0].partition("=")
    name, value = name.strip(), value.strip()
    domain = attributes.get("domain", "").removeprefix(".").lower()
    foreign = domain and domain != host and (not host.endswith(f".{domain}") or _ADDRESS.fullmatch(host))
    wide = bool(domain) and ("." in domain) and not _ADDRESS.fullmatch(host)
    secure = "secure" in attributes
    if not equals or not name or _CONTROL.search(text) or foreign or (secure and scheme != "https"):
        return None
    if domain and domain != host and not wide:
        return None  # for a whole top-level domain
    below = attributes.get("path", "")
    if not below.startswith("/"):
        below = path.partition("?")[0].rpartition("/")[0] or "/"
    return Cookie(name, value, domain if wide else host, wide, below, secure)


def _is_over(attributes: dict[str, str], today: date) -> bool:
    """Whether it deletes the cookie. To the day: nobody sets one that ends within the hour on a redirect."""
    age = attributes.get("max-age", "")
    if re.fullmatch(r"-?[0-9]+", age):
        return age.startswith("-") or not age.strip("0")
    match = _EXPIRES.search(attributes.get("expires", "").lower())
    if not match:
        return False
    year = int(match[3]) + (0 if len(match[3]) == 4 else 1900 if int(match[3]) >= 70 else 2000)
    return (year, _MONTHS.index(match[2]) + 1, int(match[1])) < (today.year, today.month, today.day)
