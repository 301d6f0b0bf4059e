from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.tls.certificates import Certificate
from pom_cli.checks.tls.expiry import counted, days, earliest, expiry
from pom_cli.checks.tls.sights import Handshake
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, Status, Verdict
from pom_cli.net.faults import Fault

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FORTNIGHT = timedelta(days=14)
EXPIRED = Fault("tls", "certificate has expired", "certificate")


def certificate(left: float | None, age: float | None = 100, name: str = "leaf", issuer: str = "CA") -> Certificate:
    """One that ends in `left` days and began `age` days ago."""
    return Certificate(
        fingerprint=name,
        not_before=None if age is None else NOW - timedelta(days=age),
        not_after=None if left is None else NOW + timedelta(days=left),
        subject=(("commonName", name),),
        issuer=(("commonName", issuer),),
    )


def verified(*chain: Certificate) -> Handshake:
    return Handshake("192.0.2.1", chain=chain, verified=True)


@pytest.mark.parametrize(
    ("left", "age", "status", "summary", "days_left"),
    [
        (63.5, 26.5, OPERATIONAL, "63 days left, CA", 63),
        (14.01, 76, OPERATIONAL, "14 days left, CA", 14),
        (14.0, 76, DEGRADED, "expires 2026-12-08, 14 days left, CA", 14),
        (1.5, 88, DEGRADED, "expires 2026-11-26, 1 day left, CA", 1),
        (0.4, 89, DEGRADED, "expires 2026-11-24, less than a day left, CA", 0),
        (0.0, 90, ERROR, "expired 2026-11-24, less than a day ago, CA", -1),
        (-0.5, 90, ERROR, "expired 2026-11-24, less than a day ago, CA", -1),
        (-1.5, 91, ERROR, "expired 2026-11-23, 1 day ago, CA", -2),
        (-30.5, 120, ERROR, "expired 2026-10-25, 30 days ago, CA", -31),
        # a third of its lifetime, where that is less than `warn`
        (2.1, 3.9, OPERATIONAL, "2 days left, CA", 2),
        (1.9, 4.1, DEGRADED, "expires 2026-11-26, 1 day left, CA", 1),
        (13.5, 20, OPERATIONAL, "13 days left, CA", 13),
        (5475, 0, OPERATIONAL, "5475 days left, CA", 5475),
        # without a beginning there is no lifetime to go by
        (13, None, DEGRADED, "expires 2026-12-07, 13 days left, CA", 13),
        (None, 1, UNKNOWN, "the date of expiry cannot be read", None),
    ],
)
def test_a_certificate_counts_down(
    left: float | None, age: float | None, status: Status, summary: str, days_left: int | None
) -> None:
    assert expiry(verified(certificate(left, age)), FORTNIGHT, NOW) == Verdict(status, summary, days_left)


@pytest.mark.parametrize(
    ("above", "status", "summary"),
    [
        ([certificate(40, 900, "mid", "root")], OPERATIONAL, "63 days left, CA"),
        (
            [certificate(4.5, 900, "mid", "root")],
            DEGRADED,
            "intermediate certificate 'mid': expires 2026-11-29, 4 days left, root",
        ),
        (
            [certificate(400, 900, "mid", "root"), certificate(4.5, 900, "root", "root")],
            DEGRADED,
            "root certificate 'root': expires 2026-11-29, 4 days left, root",
        ),
        ([certificate(None, 900, "mid", "root")], OPERATIONAL, "63 days left, CA"),
    ],
)
def test_what_ends_first_in_a_verified_chain_is_told(above: list[Certificate], status: Status, summary: str) -> None:
    found = expiry(verified(certificate(63.5), *above), FORTNIGHT, NOW)
    assert (found.status, found.summary) == (status, summary)


def test_above_the_leaf_an_unverified_chain_says_nothing() -> None:
    chain = (certificate(63.5), certificate(-5, 900, "mid", "root"))
    for seen in (Handshake("192.0.2.1", chain=chain), Handshake("192.0.2.1", EXPIRED, verify_code=62, chain=chain)):
        assert expiry(seen, FORTNIGHT, NOW).status is OPERATIONAL


MID = "intermediate certificate 'mid': "


@pytest.mark.parametrize(
    ("chain", "summary", "days_left"),
    [
        ([certificate(-3.5)], "expired 2026-11-21, 3 days ago, CA", -4),
        (
            [certificate(9), certificate(-3.5, 900, "mid", "root")],
            f"{MID}expired 2026-11-21, 3 days ago, root",
            -4,
        ),
        # It ended between the beginning of this run and the handshake.
        ([certificate(0.0001)], "expired 2026-11-24, less than a day ago, CA", -1),
        ([certificate(9)], "a certificate of its chain has expired", None),
        ([], "a certificate of its chain has expired", None),
    ],
)
def test_the_one_that_openssl_found_expired_is_told(
    chain: list[Certificate], summary: str, days_left: int | None
) -> None:
    seen = Handshake("192.0.2.1", EXPIRED, verify_code=10, chain=tuple(chain))
    assert expiry(seen, FORTNIGHT, NOW) == Verdict(ERROR, summary, days_left)


def test_without_a_certificate_nothing_is_known_of_its_expiry() -> None:
    seen = Handshake("192.0.2.1", Fault("connect", "connection refused"))
    assert expiry(seen, FORTNIGHT, NOW).status is UNKNOWN


@given(st.floats(-4000, 4000), st.floats(0.1, 4000), st.floats(0.001, 400))
def test_days_and_status_always_agree(left: float, age: float, warn: float) -> None:
    found = expiry(verified(certificate(left, age)), timedelta(days=warn), NOW)
    assert found.days_left is not None
    assert (found.status is ERROR) == (found.days_left < 0)
    ends = NOW + timedelta(days=left)
    assert found.days_left == (days(ends, NOW) if ends != NOW else -1)
    if found.status is DEGRADED:
        assert left <= min(warn, (left + age) / 3) + 1e-6


def test_the_earliest_of_a_chain_is_the_earliest_that_can_be_read() -> None:
    assert earliest([certificate(None), certificate(9), certificate(5)]) == NOW + timedelta(days=5)
    assert earliest([]) is None


@pytest.mark.parametrize(("number", "text"), [(0, "less than a day"), (1, "1 day"), (2, "2 days")])
def test_days_are_counted_in_words(number: int, text: str) -> None:
    assert counted(number) == text
