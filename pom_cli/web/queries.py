"""The parts of a request's URI: path segments, `since`, `limit`, `kind`. Pure."""

import re
from urllib.parse import unquote

from pom_cli.checks import KINDS
from pom_cli.frozen import dataclass
from pom_cli.report.history import EPOCH, MOST, SINCE_RULE, begin
from pom_cli.toml.table import nearest, shown

LONGEST = 2048  # characters of a URI
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class Refused(Exception):
    """The request is wrong; `status` and one line say how. `public`: a client without a token may know it too."""

    def __init__(self, status: int, text: str, public: bool = False) -> None:
        super().__init__(text)
        self.status, self.public = status, public


@dataclass(frozen=True)
class Query:
    """What is asked for; "" and None where it is not said."""

    kind: str | None = None
    since: str = ""
    limit: int | None = None


def split(uri: str) -> tuple[tuple[str, ...], str]:
    """The decoded segments of the path, and the query as it stands. Raises Refused for what is no path.

    A server must take the absolute form too (RFC 9112, 3.2.2). Nothing is normalised, neither `//` nor `..`: such a
    path is simply not there.
    """
    if len(uri) > LONGEST:
        raise Refused(414, f"the URI is longer than {LONGEST} characters", public=True)
    path, _, query = _AUTHORITY.sub("", uri, count=1).partition("#")[0].partition("?")
    if path and not path.startswith("/"):
        raise Refused(404, "there is nothing here")
    return tuple(unquote(segment) for segment in path[1:].split("/")), query


def parse(query: str, names: tuple[str, ...]) -> Query:
    """The values of the parameters of these names; an empty one is as good as none. Raises Refused (400)."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        # A plus stays one: it belongs to an instant's offset, and nothing that is asked for has a space.
        name, _, value = (unquote(part) for part in pair.partition("="))
        if name not in names or not value:
            continue
        if name in found:
            raise Refused(400, f"{name}: given twice")
        found[name] = value
    return Query(
        kind=_kind(found.get("kind")),
        since=_since(found.get("since", "")),
        limit=_limit(found.get("limit")),
    )


def _kind(value: str | None) -> str | None:
    if value is not None and value not in KINDS:
        raise Refused(400, f"kind: {shown(value)} is not a kind of check{nearest(value, KINDS)}")
    return value


def _since(value: str) -> str:
    try:
        begin(value or "1s", EPOCH)
    except ValueError:
        raise Refused(400, f"since: {shown(value)} is not {SINCE_RULE}") from None
    return value


def _limit(value: str | None) -> int | None:
    if value is None:
        return None
    # Not int() alone: it also takes signs, underscores, spaces and the digits of every script.
    if not re.fullmatch("[0-9]{1,9}", value) or not 1 <= int(value) <= MOST:
        raise Refused(400, f"limit: {shown(value)} is not a whole number from 1 to {MOST}")
    return int(value)
