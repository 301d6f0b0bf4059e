"""Where a URL leads today: the address worth watching, and what it answers there."""

from pom_cli.checks.outcome import Outcome
from pom_cli.frozen import dataclass
from pom_cli.net.deadline import Deadline
from pom_cli.net.exchange import Answer, Origin, host_field
from pom_cli.net.faults import Fault, NoAnswer
from pom_cli.net.http import fetch
from pom_cli.net.redirects import TOO_MANY, Policy, keep_https, place, within_host
from pom_cli.toml.address import http_url, split_url


@dataclass(frozen=True)
class Landing:
    """The URL to watch and what it gave. Without `verify` it answered only to somebody who believes any certificate."""

    url: str
    outcome: Outcome
    verify: bool = True

    @property
    def answer(self) -> Answer | None:
        return None if isinstance(self.outcome, Fault) else self.outcome

    @property
    def good(self) -> bool:
        return is_good(self.outcome)


def land(url: str, deadline: Deadline) -> Landing:
    """Request a URL and follow permanent redirects within one domain: http to https, to `www.` and back."""
    here = _ask(url, True, deadline)
    if isinstance(here.outcome, Fault):
        return Landing(url, here.outcome, here.verify)
    return _settled(url, here, deadline)


def is_good(outcome: Outcome) -> bool:
    """A whole 2xx answer."""
    return not isinstance(outcome, Fault) and 200 <= outcome.status < 300 and not outcome.flaw


def _ask(url: str, verify: bool, deadline: Deadline) -> Landing:
    """The answer, ignoring the certificate if that is the only obstacle."""
    try:
        return Landing(url, fetch(url, {}, deadline, verify=verify, policy=Policy(obstacle=_obstacle)), verify)
    except NoAnswer as error:
        if error.fault.blame == "certificate" and verify:
            return _ask(url, False, deadline)
        return Landing(url, error.fault, verify)


def _obstacle(before: Origin, after: Origin) -> str | None:
    """It may go on to the same site under another name, but there not from https to http."""
    other = within_host(before, after)
    return other if other and (keep_https(before, after) or not _same_site(before.host, after.host)) else None


def _same_site(one: str, other: str) -> bool:
    from pom_cli.checks.whois.suffixes import registrable

    if one.removeprefix("www.") == other.removeprefix("www."):
        return True
    domain = registrable(one, private=True)
    return domain is not None and domain == registrable(other, private=True)


def _settled(url: str, here: Landing, deadline: Deadline) -> Landing:
    """The URL as it was given, at the origin where it ended. Where its path is nothing there, where it ended.

    A path alone that leads to another one (to a language, to a login) is left as it is: it may lead elsewhere tomorrow.
    """
    assert here.answer is not None  # noqa: S101 - only an answer leads here
    before, (after, _) = place(url)[0], place(here.answer.url)
    if after == before or here.answer.unfollowed == TOO_MANY or (before.scheme, after.scheme) == ("https", "http"):
        return Landing(url, here.outcome, here.verify)
    parts = split_url(url)
    moved = f"{after.scheme}://{host_field(after)}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    if here.answer.url in (moved, f"{moved}/"):
        return Landing(moved, here.outcome, here.verify)
    there = _ask(moved, here.verify, deadline)
    if there.good and there.answer and place(there.answer.url)[0] == after:
        return there
    try:
        return Landing(http_url(here.answer.url), here.outcome, here.verify)
    except ValueError:
        return Landing(url, here.outcome, here.verify)
