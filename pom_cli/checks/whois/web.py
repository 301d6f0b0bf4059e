"""One GET with everything bounded: time, size, redirects, and where it may lead. For RDAP and its bootstrap."""

from collections.abc import Mapping

from pom_cli.frozen import dataclass
from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Connection
from pom_cli.net.faults import Fault, NoAnswer
from pom_cli.net.http import fetch
from pom_cli.net.redirects import Policy, keep_https, place

_POLICY = Policy(obstacle=keep_https)  # registries send a question on to one another


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
    home, _ = place(url)

    def admit(connection: Connection) -> None:
        if not (trusted and connection.origin == home) and is_private(connection.address):
            raise _wrong(f"{connection.origin.host} leads to the private address {connection.address}")

    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    answer = fetch(url, headers, deadline, max_body=size, policy=_POLICY, admit=admit)
    if answer.truncated:
        raise _wrong(f"its answer is larger than {size // 1024} KiB")
    if trouble := answer.flaw or answer.unfollowed:
        raise _wrong(trouble)
    return Page(answer.status, {name.lower(): value for name, value in reversed(answer.headers)}, answer.body)


def is_private(address: str) -> bool:
    """Can no registry have this address: it is local, private, or not usable."""
    import ipaddress

    return not ipaddress.ip_address(address.partition("%")[0]).is_global


def _wrong(reason: str) -> NoAnswer:
    return NoAnswer(Fault("body", reason))
