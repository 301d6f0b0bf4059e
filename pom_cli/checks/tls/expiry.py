"""Pure: how long the certificates that were shown are still valid."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pom_cli.checks.tls.certificates import Certificate, authority, called
from pom_cli.checks.tls.sights import Handshake
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, SEVERITY, UNKNOWN, Verdict

_DAY = timedelta(days=1)
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_SLACK = timedelta(minutes=5)  # between this run's beginning and the handshake, by which OpenSSL judged


def expiry(seen: Handshake, warn: timedelta, now: datetime) -> Verdict:
    """The verdict on `tls-expiry`: of whichever certificate ends first, among those that a client goes by.

    Above the leaf these are known only where the chain was verified: what a server sends beyond it may contain an old
    certificate that no client needs. `warn` is never more than a third of a certificate's own lifetime.
    """
    if seen.verify_code == _EXPIRED:
        return _expired(seen.chain, now)
    if not seen.chain:
        return Verdict(UNKNOWN, "no certificate was seen")
    going_by = seen.chain if seen.verified else seen.chain[:1]
    ending = [_of(place, one, now) for place, one in enumerate(going_by) if _ends(one, warn, now)]
    return (
        min(ending, key=lambda one: (-SEVERITY[one.status], one.days_left or 0))
        if ending
        else _well(seen.chain[0], now)
    )


def days(until: datetime, now: datetime) -> int:
    """Whole days: 0 on the last one, negative once it is past."""
    return (until - now) // _DAY


def earliest(chain: Sequence[Certificate]) -> datetime | None:
    return min((one.not_after for one in chain if one.not_after), default=None)


def _ends(one: Certificate, warn: timedelta, now: datetime) -> bool:
    """Has it ended, or does it soon."""
    if one.not_after is None:
        return False
    lifetime = one.not_after - one.not_before if one.not_before else 3 * warn
    return one.not_after - now <= max(timedelta(0), min(warn, lifetime / 3))


def _of(place: int, one: Certificate, now: datetime) -> Verdict:
    """The verdict on one that ends."""
    assert one.not_after is not None  # noqa: S101 - of the others it is not known whether they end
    if one.not_after <= now:
        return _past(place, one, now)
    left = days(one.not_after, now)
    return Verdict(
        DEGRADED, f"{_which(place, one)}expires {one.not_after:%Y-%m-%d}, {counted(left)} left{_by(one)}", left
    )


def _well(leaf: Certificate, now: datetime) -> Verdict:
    if leaf.not_after is None:
        return Verdict(UNKNOWN, "the date of expiry cannot be read")
    left = days(leaf.not_after, now)
    return Verdict(OPERATIONAL, f"{counted(left)} left{_by(leaf)}", left)


def _expired(chain: Sequence[Certificate], now: datetime) -> Verdict:
    """OpenSSL found one that has expired, and does not tell which."""
    for place, one in enumerate(chain):
        if one.not_after and one.not_after <= now + _SLACK:
            return _past(place, one, now)
    return Verdict(ERROR, "a certificate of its chain has expired")


def _past(place: int, one: Certificate, now: datetime) -> Verdict:
    assert one.not_after is not None  # noqa: S101 - asked for only where it is known
    left = min(days(one.not_after, now), -1)
    told = f"{_which(place, one)}expired {one.not_after:%Y-%m-%d}, {counted(-left - 1)} ago{_by(one)}"
    return Verdict(ERROR, told, left)


def _which(place: int, one: Certificate) -> str:
    """Nothing for the leaf: it is what one thinks of anyway."""
    if place == 0:
        return ""
    return f"{'root' if one.self_issued else 'intermediate'} certificate {called(one.subject)!r}: "


def _by(one: Certificate) -> str:
    issuer = authority(one.issuer)
    return f", {issuer}" if issuer else ""


def counted(number: int) -> str:
    """`1 day`, `63 days`, `less than a day`."""
    if number == 0:
        return "less than a day"
    return f"{number} day" if number == 1 else f"{number} days"
