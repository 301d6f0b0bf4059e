"""A limit a minute and client. Pure: `now` is given, in seconds of any clock that does not go back."""

import threading
from collections import OrderedDict
from functools import lru_cache
from math import ceil

MINUTE = 60.0
KEPT_S = 600.0  # a nonce is refused a second time for so long
CLIENTS = 4096  # remembered at a time: with more of them the ones who came first are forgotten


class Limit:
    """Counts by client. A client's minute begins with its first request; what is over then waits for the end of it."""

    def __init__(self, most: int, clients: int = CLIENTS) -> None:
        self._most, self._clients = most, clients  # most: 0 for no limit
        self._minutes: OrderedDict[str, tuple[float, int]] = OrderedDict()  # the oldest beginning first
        self._lock = threading.Lock()

    def spend(self, client: str, now: float) -> int:
        """Count one request: 0 where it is within the limit, else the whole seconds until it would be."""
        if not self._most:
            return 0
        with self._lock:
            begun, count = self._minutes.get(client, (now, 0))
            if now - begun >= MINUTE:
                begun, count = now, 0
            if count >= self._most:
                return max(1, ceil(begun + MINUTE - now))
            self._minutes[client] = (begun, count + 1)
            if not count:
                self._minutes.move_to_end(client)
                if len(self._minutes) > self._clients:
                    self._minutes.popitem(last=False)
            return 0


class Once:
    """Remembers what was used, for `KEPT_S` seconds; of more than `most` at a time the first ones are forgotten."""

    def __init__(self, most: int = CLIENTS) -> None:
        self._most = most
        self._used: OrderedDict[str, float] = OrderedDict()  # the oldest first
        self._lock = threading.Lock()

    def use(self, key: str, now: float) -> bool:
        """Is this its first use."""
        with self._lock:
            while self._used and now - next(iter(self._used.values())) >= KEPT_S:
                self._used.popitem(last=False)
            if key in self._used:
                return False
            self._used[key] = now
            if len(self._used) > self._most:
                self._used.popitem(last=False)
            return True


@lru_cache(CLIENTS)
def client(address: str) -> str:
    """Who counts as one client: an IPv4 address, or the /64 within which an IPv6 host chooses its addresses itself."""
    if ":" not in address:
        return address
    from ipaddress import IPv6Address

    try:
        parsed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
