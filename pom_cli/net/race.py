"""TCP connections to the addresses of a host as clients make them (RFC 8305): the first one made is used."""

import errno
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from pom_cli.frozen import dataclass
from pom_cli.net.deadline import Deadline, since_ms
from pom_cli.net.faults import OURS, Fault, NoAnswer, fault_of

if TYPE_CHECKING:
    import socket

NEXT_S = 0.25  # before the next address is tried beside one that is slow (RFC 8305, section 5)
LATE_S = 3.0  # after which an address counts as dead: a first SYN may be lost, and the kernel repeats it after 1 s
_TOO_SHORT_S = 1.5  # in less time than this nothing can be said about a silent address
# An address that this machine has no way to (IPv6 without IPv6, for one) says little where another was tried too.
_NO_WAY = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_SLICE_S = 60.0  # at most this long in one poll, which counts milliseconds in an int


@dataclass(frozen=True)
class Address:
    """One place where a host can be reached: what `socket.socket` and `connect` take."""

    family: int
    place: tuple[Any, ...]

    @property
    def ip(self) -> str:
        return str(self.place[0])


class Won(NamedTuple):
    """The connection that was made first, and how long that took. `others`: the addresses that were tried in vain until
    then, and one of each family that was not tried at all."""

    sock: "socket.socket"
    address: Address
    took_ms: float
    others: tuple[Address, ...]


class _Attempt(NamedTuple):
    address: Address
    sock: "socket.socket"
    begun: float


def race(addresses: Sequence[Address], deadline: Deadline) -> Won:
    """The first connection that is made to one of these addresses. Raises NoAnswer."""
    waiting, pending = deque(alternating(addresses)), dict[int, _Attempt]()
    failed: dict[Address, OSError] = {}
    due = 0.0  # the instant at which the next address is tried
    try:
        while (waiting or pending) and time.monotonic() < deadline.ends:
            if waiting and (not pending or time.monotonic() >= due):
                due = time.monotonic() + NEXT_S if _begin(waiting.popleft(), pending, failed) else 0.0
            for attempt in _ended(pending, min(due, deadline.ends) if waiting else deadline.ends):
                if not (error := _error(attempt.sock)):
                    attempt.sock.setblocking(True)
                    tried = (*failed, *(one.address for one in pending.values()))
                    others = (*tried, *_of_other_families(waiting, (attempt.address, *tried)))
                    return Won(attempt.sock, attempt.address, since_ms(attempt.begun), others)
                attempt.sock.close()
                failed[attempt.address], due = error, 0.0
    finally:
        for attempt in pending.values():
            attempt.sock.close()
    raise _lost(addresses, failed, deadline)


def alternating(addresses: Iterable[Address]) -> list[Address]:
    """The families in turn, beginning with the one that the system prefers (RFC 8305, section 4)."""
    families: dict[int, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address.family, []).append(address)
    return [address for address in chain(*zip_longest(*families.values())) if address]


def _begin(address: Address, pending: dict[int, _Attempt], failed: dict[Address, OSError]) -> bool:
    """Begin to connect; False where that fails at once."""
    try:
        sock = new_socket(address)
    except OSError as error:
        failed[address] = error
        return False
    sock.setblocking(False)
    attempt = _Attempt(address, sock, time.monotonic())
    code = sock.connect_ex(address.place)
    if code in (0, errno.EINPROGRESS):
        pending[sock.fileno()] = attempt
        return True
    sock.close()
    failed[address] = OSError(code, os.strerror(code))
    return False


def _ended(pending: dict[int, _Attempt], until: float) -> Iterator[_Attempt]:
    """The attempts that have come to an end, one way or the other, by this instant; no longer pending."""
    import select

    if not pending:
        return
    poll = select.poll()
    for number in pending:
        poll.register(number, select.POLLOUT)
    left = min(max(until - time.monotonic(), 0.0), _SLICE_S)
    for number, _ in poll.poll(left * 1000 + 1):
        yield pending.pop(number)


def _error(sock: "socket.socket") -> OSError | None:
    import socket

    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return OSError(code, os.strerror(code)) if code else None


def _of_other_families(waiting: Iterable[Address], tried: Iterable[Address]) -> Iterator[Address]:
    families = {address.family for address in tried}
    for address in waiting:
        if address.family not in families:
            families.add(address.family)
            yield address


def _lost(addresses: Iterable[Address], failed: dict[Address, OSError], deadline: Deadline) -> NoAnswer:
    """The fault that says most: one of this machine's own, else that of the first address that there is a way to."""

    def rank(address: Address) -> int:
        code = failed[address].errno if address in failed else None
        return 2 if code in _NO_WAY else 0 if code in OURS else 1

    first = min(addresses, key=rank)
    error = failed.get(first) or TimeoutError()
    lost = NoAnswer(replace(fault_of("connect", error, deadline), address=first.ip))
    lost.__cause__ = error
    return lost


def new_socket(address: Address) -> "socket.socket":
    """A TCP socket for this address. Raises OSError."""
    import socket

    sock = socket.socket(address.family, socket.SOCK_STREAM)
    # As browsers do: or a request waits in the kernel until the end of the handshake is acknowledged, a round trip.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def reach(address: Address, deadline: Deadline) -> "socket.socket":
    """A TCP connection to one address. Raises OSError, of which TimeoutError is one."""
    sock = new_socket(address)
    try:
        sock.settimeout(deadline.remaining())
        sock.connect(address.place)
    except BaseException:
        sock.close()
        raise
    return sock


def dead(address: Address, deadline: Deadline) -> Fault | None:
    """Why no connection to this address is made, where that is not this host's own doing; None for one that is made."""
    patience = min(Deadline.after(LATE_S), deadline, key=lambda one: one.ends)
    begun = time.monotonic()
    try:
        reach(address, patience).close()
    except OSError as error:
        fault = fault_of("connect", error, patience)
        silent = isinstance(error, TimeoutError) and error.errno is None
        short = silent and time.monotonic() - begun < _TOO_SHORT_S
        return None if short or fault.blame == "ours" or error.errno in _NO_WAY or not has_way(address) else fault
    return None


def has_way(address: Address) -> bool:
    """Whether this host reaches the address's family at all: it has a route there, and for the internet's IPv6 an
    address that the internet could answer. Nothing is sent."""
    import socket
    from ipaddress import ip_address

    try:
        with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
            sock.connect(address.place)
            own = sock.getsockname()[0]
    except OSError:
        return False
    there, here = (ip_address(text.partition("%")[0]) for text in (address.ip, own))
    return there.version == 4 or there.is_private or not (here.is_private or here.is_link_local)
