"""Who asks, and may they: the bearer token or a signature, and what each client may spend a minute."""

import hmac
from collections.abc import Sequence
from enum import Enum
from hashlib import sha256

from pom_cli.mesh import signing
from pom_cli.mesh.signing import Question
from pom_cli.web import answers
from pom_cli.web.answers import Answer
from pom_cli.web.limits import Limit, Once

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
