"""One GET with everything bounded: time, size, redirects, and where it may lead. For RDAP and its bootstrap."""

from collections.abc import Mapping
from contextlib import closing
from urllib.parse import urljoin

from pom_cli.frozen import dataclass
from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Origin, exchange, open_connection
from pom_cli.net.faults import Fault, NoAnswer
from pom_cli.net.http import REDIRECTS, place

_HOPS = 4  # redirects; registries send a question on to one another


@dataclass(frozen=True)
class Page:
    """An answer whose body was read to its end. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get(url: str, accept: str, deadline: Deadline, size: int, trusted: bool = False) -> Page:
    """The page at `url`, of at most `size` bytes. Redirects are followed, but not from https to http.

    Only the host of a `trusted` URL, one that the user configured, may have a private address. Raises NoAnswer.
    """
    home, path = place(url)
    origin = home
    for _ in range(_HOPS + 1):
        page = _one(origin, path, accept, deadline, size, anywhere=trusted and origin == home)
        target = page.headers.get("location", "")
        if page.status not in REDIRECTS or not target:
            return page
        url, origin, path = _onward(url, target, origin)
    raise _wrong("too many redirects")


def is_private(address: str) -> bool:
    """Is this an address that no registry has: of this machine, a private network, or of no use."""
    import ipaddress

    return not ipaddress.ip_address(address.partition("%")[0]).is_global


def _one(origin: Origin, path: str, accept: str, deadline: Deadline, size: int, anywhere: bool) -> Page:
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    with closing(open_connection(origin, deadline)) as connection:
        if not anywhere and is_private(connection.address):
            raise _wrong(f"{origin.host} leads to the private address {connection.address}")
        answer = exchange(connection, "GET", path, headers, deadline, max_body=size)
    if answer.truncated:
        raise _wrong(f"its answer is larger than {size // 1024} KiB")
    if answer.flaw:
        raise _wrong(answer.flaw)
    return Page(answer.status, {name.lower(): value for name, value in reversed(answer.headers)}, answer.body)


def _onward(url: str, target: str, before: Origin) -> tuple[str, Origin, str]:
    try:
        url = urljoin(url, target)
        origin, path = place(url)
    except ValueError:
        raise _wrong("a redirect to an unreadable address") from None
    if before.scheme == "https" and origin.scheme != "https":
        raise _wrong("a redirect away from https")
    return url, origin, path


def _wrong(reason: str) -> NoAnswer:
    return NoAnswer(Fault("body", reason))
