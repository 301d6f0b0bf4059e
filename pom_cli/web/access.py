"""Who asks, and may they: the bearer token, and what each client may spend a minute."""

import hmac
from collections.abc import Sequence
from enum import Enum
from hashlib import sha256

from pom_cli.web import answers
from pom_cli.web.answers import Answer
from pom_cli.web.limits import Limit

FAILURES = 10  # wrong tokens a minute and client; a right one is never refused for them


class Caller(Enum):
    """What the Authorization header proves."""

    TRUSTED = "a right token"
    NOBODY = "no token"
    WRONG = "a wrong token"


class Access:
    """The tokens that open the API (none: nothing does), and the counts of who asked."""

    def __init__(self, tokens: Sequence[str], rate_limit: int) -> None:
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
        said = "this token is not right" if caller is Caller.WRONG else "this needs a token"
        return answers.error(401, f"{said}: Authorization: Bearer TOKEN", ("WWW-Authenticate", "Bearer"))

    def failed(self, caller: Caller, client: str, now: float) -> int:
        """Count a wrong token; the seconds to wait where there were too many. Having none is no attempt."""
        return self._failures.spend(client, now) if caller is Caller.WRONG else 0


def _too_many(wait: int, text: str) -> Answer:
    return answers.error(429, f"{text}: again in {wait} s", ("Retry-After", str(wait)))
