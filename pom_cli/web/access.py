"""Who asks, and may they: the bearer token or a signature, and what each client may spend a minute."""

import hmac
import threading
from collections import OrderedDict
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from math import ceil

from pom_cli.mesh import signing
from pom_cli.mesh.signing import Question
from pom_cli.web import answers
from pom_cli.web.answers import Answer

MINUTE = 60.0
KEPT_S = 600.0  # a nonce is refused a second time for so long
CLIENTS = 4096  # remembered at a time: with more of them the ones who came first are forgotten
FAILURES = 10  # wrong tokens a minute and client; a right one is never refused for them


class Caller(Enum):
    """What the Authorization header, or the signature, proves."""

    TRUSTED = "a right token"
    NOBODY = "no token"
    WRONG = "a wrong token"
    FORGED = "a signature with a wrong token"
    REPEATED = "a right signature, for the second time"


_REFUSALS = {
    Caller.NOBODY: "this needs a token: Authorization: Bearer TOKEN",
    Caller.WRONG: "this token is not right: Authorization: Bearer TOKEN",
    Caller.FORGED: "this signature is not right: it was made with a token that is not known here",
    Caller.REPEATED: "this was asked before, and a signature is good for one question",
}


class Access:
    """The tokens that open the API (none: nothing does), and the counts of who asked."""

    def __init__(self, tokens: Sequence[str], rate_limit: int) -> None:
        self._tokens, self._asked = tuple(tokens), Once()
        self._digests = [sha256(token.encode()).digest() for token in tokens]
        # Apart from each other: what a client does without a token never uses up what it may do with one.
        self._trusted, self._others, self._failures = Limit(rate_limit), Limit(rate_limit), Limit(FAILURES)

    def caller(self, authorization: str) -> Caller:
        """Compared as digests with every token, each in constant time: timing shows neither length nor order."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return Caller.WRONG if scheme else Caller.NOBODY
        given = sha256(token.strip().encode("latin-1", "replace")).digest()
        same = [hmac.compare_digest(given, digest) for digest in self._digests]
        return Caller.TRUSTED if any(same) else Caller.WRONG

    def asker(self, question: Question, signatures: str, now: float) -> tuple[Caller, str]:
        """What a signed question proves, and the token that it is signed with, for the answer."""
        token = signing.asker(self._tokens, question, signatures)
        if not token:
            return Caller.FORGED, ""
        return (Caller.TRUSTED, token) if self._asked.use(question.nonce, now) else (Caller.REPEATED, "")

    def spend(self, caller: Caller, client: str, now: float) -> Answer | None:
        """Count this request; the 429 where the client has had its share."""
        limit = self._trusted if caller is Caller.TRUSTED else self._others
        wait = limit.spend(client, now)
        return _too_many(wait, "too many requests") if wait else None

    def refuse(self, caller: Caller, client: str, now: float) -> Answer:
        """For what only a right token opens: 401, or 429 for too many wrong ones."""
        wait = self.failed(caller, client, now)
        if wait:
            return _too_many(wait, "too many wrong tokens")
        # Who signs learns from the scheme that signatures are understood here: a release before knew bearers alone.
        scheme = signing.SCHEME if caller in (Caller.FORGED, Caller.REPEATED) else "Bearer"
        return answers.error(401, _REFUSALS[caller], ("WWW-Authenticate", scheme))

    def failed(self, caller: Caller, client: str, now: float) -> int:
        """Count a wrong token; the seconds to wait where there were too many. Having none is no attempt."""
        return 0 if caller in (Caller.TRUSTED, Caller.NOBODY) else self._failures.spend(client, now)


def _too_many(wait: int, text: str) -> Answer:
    return answers.error(429, f"{text}: again in {wait} s", ("Retry-After", str(wait)))


class Limit:
    """A limit a minute and client; `now` is in seconds of any clock that does not go back.

    A client's minute begins with its first request; what is over then waits for the end of it.
    """

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
