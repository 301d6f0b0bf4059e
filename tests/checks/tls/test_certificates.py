import warnings
from datetime import UTC, datetime

import pytest
from certificates import Issued, authority, issue
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.tls.certificates import Certificate, Name, called, from_der, from_openssl, instant, path
from pom_cli.checks.tls.certificates import authority as in_short

R3: Name = (("countryName", "US"), ("organizationName", "Let's Encrypt"), ("commonName", "R3"))


def der(issued: Issued) -> bytes:
    return issued.certificate.public_bytes(Encoding.DER)


class TestInstant:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Nov 23 07:23:44 2026 GMT", datetime(2026, 11, 23, 7, 23, 44, tzinfo=UTC)),
            ("Jan  1 00:00:00 1970 GMT", datetime(1970, 1, 1, tzinfo=UTC)),
            ("Dec 31 23:59:59 9999 GMT", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
            ("May  3 00:00:01.250 2969 GMT", datetime(2969, 5, 3, 0, 0, 1, tzinfo=UTC)),
        ],
    )
    def test_it_reads_what_openssl_prints(self, text: str, expected: datetime) -> None:
        assert instant(text) == expected

    @pytest.mark.parametrize("text", ["Bad time value", "", "Feb 30 00:00:00 2026 GMT", "Jan  1 00:00:00 0000 GMT"])
    def test_what_is_no_time_is_none(self, text: str) -> None:
        assert instant(text) is None

    @given(st.text())
    def test_it_never_raises(self, text: str) -> None:
        instant(text)


class TestFromOpenssl:
    def test_it_takes_what_getpeercert_gives(self) -> None:
        info = {
            "subject": ((("commonName", "shop.example.com"),),),
            "issuer": tuple((pair,) for pair in R3),
            "version": 3,
            "serialNumber": "03AB",
            "notBefore": "Nov 23 07:23:44 2026 GMT",
            "notAfter": "Feb 21 07:23:44 2027 GMT",
            "subjectAltName": (
                ("DNS", "shop.example.com"),
                ("email", "ops@example.com"),
                ("IP Address", "192.0.2.1"),
                ("IP Address", "2001:DB8:0:0:0:0:0:1"),
                ("IP Address", "<invalid>"),
            ),
            "caIssuers": ("http://r3.example.com/",),
        }
        assert from_openssl("ab", info) == Certificate(
            fingerprint="ab",
            not_before=datetime(2026, 11, 23, 7, 23, 44, tzinfo=UTC),
            not_after=datetime(2027, 2, 21, 7, 23, 44, tzinfo=UTC),
            subject=(("commonName", "shop.example.com"),),
            issuer=R3,
            names=("shop.example.com", "192.0.2.1", "2001:db8::1", "<invalid>"),
            serial="03ab",
            fetchable=True,
        )

    def test_what_is_absent_is_none_or_empty(self) -> None:
        assert from_openssl("ab", {}) == Certificate("ab")


class TestFromDer:
    """The second reader, for what the first one refuses."""

    def test_it_reads_what_the_first_one_reads(self) -> None:
        issued = issue(authority(), "shop", ["shop.example.com", "192.0.2.1", "::1"], organisation="Shop Ltd")
        assert from_der("ab", der(issued)) == Certificate(
            fingerprint="ab",
            not_before=issued.certificate.not_valid_before_utc,
            not_after=issued.certificate.not_valid_after_utc,
            subject=(("organizationName", "Shop Ltd"), ("commonName", "shop")),
            issuer=(("commonName", "PoM test root"),),
            names=("shop.example.com", "192.0.2.1", "::1"),
            serial=f"{issued.certificate.serial_number:x}",
        )

    def test_a_name_that_is_no_text_costs_only_that_name(self) -> None:
        issued = issue(authority(), "shop", ["shop.example.com"], organisation="MOJIBAKE")
        spoilt = from_der("ab", der(issued).replace(b"MOJIBAKE", b"MOJI\xff\xfe\xfd\xfc"))
        assert spoilt.subject == ()
        assert spoilt.not_after == issued.certificate.not_valid_after_utc
        assert spoilt.names == ("shop.example.com",)

    def test_names_that_cannot_be_read_cost_only_the_names(self) -> None:
        issued = issue(authority(), "shop", ["mojibake.example.com"])
        spoilt = from_der("ab", der(issued).replace(b"mojibake", b"moji\xff\xfe\xfd\xfc"))
        assert spoilt.names == ()
        assert spoilt.not_after == issued.certificate.not_valid_after_utc
        assert spoilt.issuer == (("commonName", "PoM test root"),)

    def test_what_is_no_certificate_still_has_its_fingerprint(self) -> None:
        assert from_der("ab", b"no certificate") == Certificate("ab")

    @given(st.integers(0, 600), st.integers(0, 255))
    def test_a_byte_that_differs_anywhere_never_raises(self, place: int, byte: int) -> None:
        spoilt = bytearray(der(authority()))
        spoilt[place % len(spoilt)] = byte
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of serial numbers that are negative, and the like
            assert from_der("ab", bytes(spoilt)).fingerprint == "ab"


def certificate(subject: str, issuer: str) -> Certificate:
    return Certificate(subject, subject=(("commonName", subject),), issuer=(("commonName", issuer),))


LEAF, MIDDLE, ROOT = certificate("leaf", "middle"), certificate("middle", "root"), certificate("root", "root")


class TestPath:
    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            ([], []),
            ([LEAF], [LEAF]),
            ([LEAF, MIDDLE], [LEAF, MIDDLE]),
            ([LEAF, ROOT, MIDDLE], [LEAF, MIDDLE, ROOT]),
            ([LEAF, certificate("stray", "root")], [LEAF]),
            ([LEAF, MIDDLE, MIDDLE, ROOT, ROOT], [LEAF, MIDDLE, ROOT]),
            ([ROOT, MIDDLE], [ROOT]),
            ([Certificate("nameless"), Certificate("nameless too")], [Certificate("nameless")]),
        ],
    )
    def test_it_follows_the_issuers_in_whatever_order_they_were_sent(
        self, sent: list[Certificate], expected: list[Certificate]
    ) -> None:
        assert list(path(sent)) == expected

    def test_two_that_have_issued_each_other_are_no_endless_path(self) -> None:
        one, other = certificate("one", "other"), certificate("other", "one")
        assert path([one, other, one]) == (one, other, one)


@pytest.mark.parametrize(
    ("name", "whole", "short"),
    [
        (R3, "R3, Let's Encrypt", "Let's Encrypt"),
        ((("commonName", "Root"),), "Root", "Root"),
        ((("organizationName", "Org"),), "Org", "Org"),
        ((("commonName", "Same"), ("organizationName", "Same")), "Same", "Same"),
        ((("countryName", "DE"), ("localityName", "Bonn")), "DE, Bonn", "DE, Bonn"),
        ((("commonName", "first"), ("commonName", "second")), "first", "first"),
        ((("commonName", "a\x1b[31m\r\nb"),), "a [31m b", "a [31m b"),
        ((), "", ""),
    ],
)
def test_a_name_is_told_for_people(name: Name, whole: str, short: str) -> None:
    assert (called(name), in_short(name)) == (whole, short)
