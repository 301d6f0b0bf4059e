"""What a browser makes of a server's CORS answers, by the Fetch standard (fetch.spec.whatwg.org). Pure.

Each rule cites the standard's section or term, and returns the reason why a browser refuses, None if it allows.
"""

import re
from collections.abc import Sequence

from pom_cli.checks.outcome import phrase
from pom_cli.frozen import dataclass
from pom_cli.net.exchange import Answer
from pom_cli.text import clean

SAFELISTED_METHODS = ("GET", "HEAD", "POST")  # need no permission ("CORS-safelisted method")
# Need none with the values that pages give them ("CORS-safelisted request-header"); Content-Type does with JSON's.
SAFELISTED_HEADERS = ("accept", "accept-language", "content-language")
_NON_WILDCARD = ("authorization",)  # "CORS non-wildcard request-header name"
_FORBIDDEN = frozenset(  # "forbidden request-header": a browser lets no page set them
    (
        *("accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method"),
        *("connection", "content-length", "cookie", "cookie2", "date", "dnt", "expect", "host", "keep-alive"),
        *("origin", "referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via"),
    )
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._~-]+|\[[0-9a-f:]+\])(?::([1-9]\d{0,4}))?")
_USUAL_PORT = {"http": "80", "https": "443"}

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """What a page at `origin` wants to do. The headers' names are in lower case."""

    origin: str
    method: str = "GET"
    headers: tuple[str, ...] = ()
    credentials: bool = False

    @property
    def unsafe(self) -> tuple[str, ...]:
        """The headers that need permission, as a preflight names them: sorted, each once."""
        return tuple(sorted(set(self.headers) - set(SAFELISTED_HEADERS)))

    @property
    def simple(self) -> bool:
        """Would a browser send this without a preflight?"""
        return self.method in SAFELISTED_METHODS and not self.unsafe


def is_origin(text: str) -> bool:
    """Is it an origin as a browser writes it: lower case, no path, no usual port? `null` is one too."""
    if text == "null":
        return True
    parts = _ORIGIN.fullmatch(text)
    port = parts[3] if parts else None
    return parts is not None and (port is None or (int(port) < 65536 and port != _USUAL_PORT.get(parts[1])))


def may_set(header: str) -> bool:
    """May a page set this request header?"""
    name = header.lower()
    return bool(_TOKEN.fullmatch(name)) and name not in _FORBIDDEN and not name.startswith(("proxy-", "sec-"))


def preflight_fields(asked: Asked) -> dict[str, str]:
    """The headers of a preflight ("CORS-preflight fetch"): names joined by bare commas, as browsers do."""
    fields = {"Origin": asked.origin, "Access-Control-Request-Method": asked.method}
    return fields | ({"Access-Control-Request-Headers": ",".join(asked.unsafe)} if asked.unsafe else {})


def preflight_refusal(answer: Answer, asked: Asked) -> str | None:
    """Why a browser would not go on after this answer to its preflight ("CORS-preflight fetch")."""
    if not 200 <= answer.status < 300:
        followed = ", and a preflight follows no redirect" if answer.status in (301, 302, 303, 307, 308) else ""
        return phrase(answer) + followed
    return (
        refusal(answer.headers, asked)
        or _method_refusal(answer.headers, asked)
        or _header_refusal(answer.headers, asked)
    )


def refusal(headers: Headers, asked: Asked) -> str | None:
    """Why a browser would not share this answer with the page ("CORS check")."""
    allowed = value(headers, "access-control-allow-origin")
    if allowed is None:
        return "no Access-Control-Allow-Origin"
    if allowed == "*" and not asked.credentials:
        return None
    if allowed == "*":
        return "Access-Control-Allow-Origin is *, which is void with credentials"
    if allowed != asked.origin:
        return f"Access-Control-Allow-Origin is {clean(allowed, 80) or 'empty'}{_hint(allowed, asked.origin)}"
    if not asked.credentials:
        return None
    credentials = value(headers, "access-control-allow-credentials")
    if credentials is None:
        return "no Access-Control-Allow-Credentials"
    return None if credentials == "true" else f"Access-Control-Allow-Credentials is {clean(credentials, 40)}, not true"


def _hint(allowed: str, origin: str) -> str:
    """What is wrong with a value that looks right."""
    if "," in allowed:
        return ", which is more than one"
    return ", not exactly the origin" if allowed.lower().rstrip("/") == origin.lower() else ""


def _method_refusal(headers: Headers, asked: Asked) -> str | None:
    name = "Access-Control-Allow-Methods"
    methods = listed(headers, name)
    if methods is None:
        return _unreadable(headers, name)
    if asked.method in methods or asked.method in SAFELISTED_METHODS or ("*" in methods and not asked.credentials):
        return None
    return f"{asked.method} is not in {name}{_shown(methods)}"


def _header_refusal(headers: Headers, asked: Asked) -> str | None:
    name = "Access-Control-Allow-Headers"
    names = listed(headers, name)
    if names is None:
        return _unreadable(headers, name)
    known = {one.lower() for one in names}
    wildcard = "*" in known and not asked.credentials
    lacking = [one for one in asked.unsafe if one not in known and (one in _NON_WILDCARD or not wildcard)]
    return f"{', '.join(lacking)} not in {name}{_shown(names)}" if lacking else None


def _unreadable(headers: Headers, name: str) -> str:
    return f"{name} cannot be read: {clean(value(headers, name.lower()) or '', 80)}"


def _shown(names: Sequence[str]) -> str:
    return f" ({clean(', '.join(names), 80)})" if names else ""


def varies(headers: Headers) -> bool:
    """Do caches keep this answer apart for each origin, or not at all (RFC 9111, sections 4.1 and 5.2.2.5)?"""
    vary = {name.lower() for name in _members(headers, "vary")}
    control = {name.lower() for name in _members(headers, "cache-control")}
    return bool(vary & {"origin", "*"}) or "no-store" in control


def value(headers: Headers, name: str) -> str | None:
    """A header's value, several of them joined as browsers join them; None if absent."""
    values = [text.strip(" \t\r\n") for key, text in headers if key.lower() == name.lower()]
    return ", ".join(values) if values else None


def listed(headers: Headers, name: str) -> tuple[str, ...] | None:
    """The members of a header that is a list of tokens; None where it is no such list."""
    found = _members(headers, name)
    return found if all(map(_TOKEN.fullmatch, found)) else None


def _members(headers: Headers, name: str) -> tuple[str, ...]:
    """What stands between a header's commas, where anything does."""
    members = (member.strip(" \t") for member in (value(headers, name) or "").split(","))
    return tuple(member for member in members if member)
