"""One HTTP request of a channel within one deadline for everything: what came back, or why nothing did and whether it
may have arrived all the same."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from pom_cli.frozen import dataclass
from pom_cli.net.net import Deadline, fault_of

if TYPE_CHECKING:
    import requests

RETRY_AFTER_MAX_S = 3600
_GRACE_S = 0.2  # so that a wait that ends at the deadline can still say what it was for
_PIECE = 65536


@dataclass(frozen=True)
class Request:
    """What is asked. `limit` is how many bytes of the answer's body are read; with 0 the body is left unread."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    limit: int = 0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whatever its status; `body` is cut at the request's limit."""

    status: int
    body: bytes = b""
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Unanswered:
    """No answer, or not a whole one. The error never shows the URL: a path or a query may be a secret."""

    error: str
    arrived: bool  # the request may have arrived all the same


def open_session() -> "requests.Session":
    """A Session that takes proxies from the environment, and never a user or password from ~/.netrc."""
    import requests

    made = requests.Session()
    made.auth = _as_it_is  # where there is any, requests looks for no other
    return made


def _as_it_is(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    return request


def ask(session: "requests.Session", request: Request, deadline: Deadline) -> Answer | Unanswered:
    """Send it, follow no redirect, and have the whole answer by the deadline or none.

    requests' timeout holds for each read alone and not for the name's resolution: hence the thread, a daemon because
    a pool's would be waited for at exit. One that is abandoned may yet send (a name that resolves late), so that its
    request never counts as "not sent".
    """
    try:
        left = deadline.remaining()
    except TimeoutError:
        return Unanswered("no time was left to ask", arrived=False)
    ended: list[Answer | Unanswered | BaseException] = []
    thread = threading.Thread(target=_exchange_into, args=(ended, session, request, deadline), daemon=True)
    thread.start()
    thread.join(left + _GRACE_S)
    if not ended:
        return Unanswered(f"no answer within {deadline.seconds:g} s", arrived=True)
    if isinstance(ended[0], BaseException):
        raise ended[0]
    return ended[0]


def _exchange_into(
    ended: list[Answer | Unanswered | BaseException], session: "requests.Session", request: Request, deadline: Deadline
) -> None:
    try:
        ended.append(_exchange(session, request, deadline))
    except BaseException as bug:  # noqa: BLE001 - handed on: the one who waits raises it
        ended.append(bug)


def _exchange(session: "requests.Session", request: Request, deadline: Deadline) -> Answer | Unanswered:
    from urllib3.exceptions import HTTPError

    try:
        with session.request(
            request.method,
            request.url,
            params=dict(request.params),
            data=request.body,
            headers={"Accept-Encoding": "identity", **request.headers},  # what is not packed cannot be a bomb
            timeout=deadline.remaining(),
            allow_redirects=False,
            stream=True,
        ) as response:
            packed = response.headers.get("Content-Encoding", "identity") != "identity"
            limit = 0 if packed else request.limit
            body = _read(response.iter_content(_PIECE), limit, deadline) if limit else b""
            return Answer(response.status_code, body, _seconds(response.headers.get("Retry-After", "")))
    except (OSError, ValueError, HTTPError) as error:  # requests' own are OSErrors, of a bad URL ValueErrors
        return _unanswered(error, deadline)


def _read(pieces: Iterator[bytes], limit: int, deadline: Deadline) -> bytes:
    """At most `limit` bytes. Raises TimeoutError when they drip in for longer than there is time."""
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) >= limit:
            break
        deadline.remaining()
    return bytes(body[:limit])


def _seconds(retry_after: str) -> int | None:
    """Retry-After in seconds (RFC 9110, 10.2.3), at most an hour; its other form, a date, is not read."""
    text = retry_after.strip()
    return min(int(text[:9]), RETRY_AFTER_MAX_S) if text.isascii() and text.isdigit() else None


def _unanswered(error: Exception, deadline: Deadline) -> Unanswered:
    import ssl

    from requests import RequestException
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    chain = list(_chain(error))
    # These come before anything is sent (a name that does not resolve is a NewConnectionError); others may not.
    before = (ConnectTimeoutError, NewConnectionError, ssl.SSLCertVerificationError)
    arrived = not any(isinstance(link, before) for link in chain)
    # The texts of requests and urllib3 show the URL, those of the system's own errors do not.
    system = [link for link in chain if isinstance(link, OSError) and not isinstance(link, RequestException)]
    reason = fault_of("connect", system[-1], deadline).reason if system else f"failed ({type(chain[-1]).__name__})"
    return Unanswered(reason, arrived)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, outermost first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
