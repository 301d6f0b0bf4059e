from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.tls.certificates import Certificate
from pom_cli.checks.tls.findings import finding, together
from pom_cli.checks.tls.sights import Handshake, Sight
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Finding, Past, Status, Verdict
from pom_cli.net.faults import Fault

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CERTIFICATE = Certificate(
    fingerprint="aa",
    not_before=NOW - timedelta(days=26),
    not_after=NOW + timedelta(days=63, hours=1),
    subject=(("commonName", "shop"),),
    issuer=(("commonName", "CA"),),
    names=("shop.example.com",),
)
REFUSED = Fault("connect", "connection refused")
SILENT = Fault("connect", "no answer within 10 s")
WRONG = Fault("tls", "certificate does not match the host", "certificate")


def good(address: str = "192.0.2.1", fingerprint: str = "aa") -> Handshake:
    chain = (replace(CERTIFICATE, fingerprint=fingerprint),)
    return Handshake(address, chain=chain, verified=True, protocol="TLSv1.3", took_ms=12.4)


def bad(address: str, fault: Fault, **more: Any) -> Handshake:
    return Handshake(address, fault, **more)


def found(*handshakes: Handshake, subject: str = "shop.example.com:443", past: Past | None = None) -> Finding:
    return finding(subject, Sight(None, handshakes), timedelta(days=14), past or Past(), NOW)


def test_a_good_host_tells_its_time_too() -> None:
    one = found(good())
    assert (one.status, one.summary, one.latency_ms) == (OPERATIONAL, "valid, 63 days left, CA", 12)


def test_an_outdated_cipher_is_worth_a_word_and_no_alert() -> None:
    one = found(replace(good(), protocol="TLSv1.2", cipher="ECDHE-RSA-AES128-SHA"))
    assert (one.status, one.summary) == (
        OPERATIONAL,
        "valid, 63 days left, CA; outdated cipher ECDHE-RSA-AES128-SHA",
    )
    assert one.detail["cipher"] == "ECDHE-RSA-AES128-SHA"
    assert "outdated" not in found(replace(good(), cipher="TLS_AES_256_GCM_SHA384")).summary


def test_a_key_that_browsers_refuse_is_an_error_where_trust_matters() -> None:
    refused = replace(good(), chain=(replace(CERTIFICATE, refused_key="Ed25519"),))
    one = found(refused)
    assert (one.status, one.summary) == (ERROR, "key refused: Chromium does not accept Ed25519 keys")
    assert one.verdicts["tls-failed"].status is ERROR
    assert found(replace(refused, verified=False)).status is OPERATIONAL


class TestAddressesThatDoNotCount:
    @pytest.mark.parametrize(
        "other",
        [
            bad("2001:db8::1", SILENT, no_way=True, hung=True),
            bad("2001:db8::1", Fault("connect", "network unreachable"), no_way=True),
            bad("192.0.2.2", Fault("connect", "this process is out of file descriptors", "ours")),
        ],
        ids=["a family that this host does not reach", "a family without a way", "our own fault"],
    )
    def test_what_is_as_likely_our_own_is_listed_and_no_problem(self, other: Handshake) -> None:
        one = found(good(), other)
        assert one.status is OPERATIONAL
        assert one.detail["addresses"][1] == {"address": other.address, "reason": other.fault and other.fault.reason}

    def test_ipv6_that_refuses_is_a_problem_though_ipv4_answers(self) -> None:
        one = found(good(), bad("2001:db8::1", REFUSED))
        assert (one.status, one.summary) == (DEGRADED, "1 of 2 addresses: 2001:db8::1: connection refused")

    @pytest.mark.parametrize("name", ["localhost", "shop.localhost"])
    def test_localhost_may_listen_on_one_of_its_two_addresses(self, name: str) -> None:
        assert found(good("127.0.0.1"), bad("::1", REFUSED), subject=f"{name}:443").status is OPERATIONAL

    def test_where_none_is_reached_all_count(self) -> None:
        one = found(bad("192.0.2.1", REFUSED), bad("2001:db8::1", SILENT, no_way=True, hung=True))
        assert one.status is UNREACHABLE
        assert one.summary == (
            "2 of 2 addresses: 192.0.2.1: connection refused; 2001:db8::1: no answer within 10 s (connect)"
        )

    def test_our_own_fault_alone_is_unknown(self) -> None:
        one = found(bad("192.0.2.1", Fault("connect", "this process is out of file descriptors", "ours")))
        assert (one.status, one.summary) == (UNKNOWN, "this process is out of file descriptors")


class TestSeveralAddresses:
    @pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::1"])
    def test_a_silent_one_of_a_family_that_this_host_reaches_needs_attention(self, address: str) -> None:
        one = found(good(), bad(address, SILENT, hung=True))
        assert (one.status, one.verdicts["tls-failed"].status) == (DEGRADED, DEGRADED)
        assert one.detail["days_left"] == 63
        assert one.detail["address"] == address
        assert one.detail["reason"] == "no answer within 10 s"

    def test_a_wrong_certificate_on_one_is_an_error(self) -> None:
        other = replace(good("192.0.2.2", "bb"), fault=WRONG, verify_code=62, verified=False)
        one = found(good(), other)
        assert one.status is ERROR
        assert one.summary == (
            "1 of 2 addresses: 192.0.2.2: wrong host: the certificate is for shop.example.com; "
            "2 different certificates on 2 addresses"
        )

    def test_an_old_certificate_on_one_is_told_with_its_address(self) -> None:
        ending = replace(CERTIFICATE, fingerprint="bb", not_after=NOW + timedelta(days=3, hours=1))
        one = found(good(), replace(good("192.0.2.2"), chain=(ending,)))
        assert one.verdicts["tls-expiry"] == Verdict(
            DEGRADED, "1 of 2 addresses: 192.0.2.2: expires 2026-11-27, 3 days left, CA", 3
        )
        assert one.verdicts["tls-failed"].status is OPERATIONAL
        assert one.detail["days_left"] == 3

    def test_addresses_beyond_the_first_few_are_counted(self) -> None:
        one = finding("h:1", Sight(None, (good(),), more=7), timedelta(days=14), Past(), NOW)
        assert one.detail["more_addresses"] == 7


class TestRenewal:
    def past(self, *handshakes: Handshake) -> Past:
        return Past(detail=found(*handshakes).detail)

    def test_another_certificate_is_a_renewal(self) -> None:
        one = found(good(fingerprint="bb"), past=self.past(good()))
        assert (one.summary, one.detail["renewed_from"]) == ("valid, 63 days left, CA; renewed", "aa")

    @pytest.mark.parametrize("shown", [["aa"], ["bb"], ["aa", "bb"], ["bb", "cc"]])
    def test_one_that_was_behind_the_name_before_is_none(self, shown: list[str]) -> None:
        before = self.past(good("192.0.2.1", "aa"), good("192.0.2.2", "bb"))
        one = found(*(good(f"192.0.2.{number}", each) for number, each in enumerate(shown)), past=before)
        assert "renewed_from" not in one.detail

    def test_the_first_look_ever_is_none(self) -> None:
        assert "renewed_from" not in found(good()).detail

    def test_an_outage_in_between_hides_none(self) -> None:
        down = found(bad("192.0.2.1", REFUSED), past=self.past(good()))
        gone = finding(
            "h:1", Sight(Fault("dns", "name does not resolve")), timedelta(days=14), Past(detail=down.detail), NOW
        )
        one = found(good(fingerprint="bb"), past=Past(detail=gone.detail))
        assert one.detail["renewed_from"] == "aa"
        assert "last_fingerprint" not in one.detail


def test_a_date_that_cannot_be_read_is_unknown_and_no_failure() -> None:
    one = found(replace(good(), chain=(replace(CERTIFICATE, not_after=None, not_before=None),)))
    assert (one.status, one.verdicts["tls-failed"].status) == (UNKNOWN, OPERATIONAL)
    assert one.summary == "valid, the date of expiry cannot be read"
    assert "expires_at" not in one.detail


def test_many_long_and_hostile_names_are_bounded_and_cleaned() -> None:
    names = tuple(f"{number}\x1b\n" + "x" * 500 for number in range(300))
    detail = found(replace(good(), chain=(replace(CERTIFICATE, names=names),))).detail
    assert len(detail["names"]) == 20
    assert all(name.isprintable() and len(name) <= 100 for name in detail["names"])


VERDICTS = st.lists(
    st.tuples(
        st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        st.builds(Verdict, st.sampled_from(list(Status)), st.sampled_from(["a", "b"]), st.none() | st.integers(-9, 99)),
    ),
    min_size=1,
    max_size=4,
)


@given(VERDICTS)
def test_together_they_are_as_bad_as_the_worst_that_is_known(each: list[tuple[str, Verdict]]) -> None:
    known = [one.status for _, one in each if one.status is not UNKNOWN]
    one = together(each)
    assert (one.status is UNKNOWN) == (not known)
    assert one.status in (known or [UNKNOWN])
    if OPERATIONAL in known and one.status is OPERATIONAL:
        assert set(known) == {OPERATIONAL}
