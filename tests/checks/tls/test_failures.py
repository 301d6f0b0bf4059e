from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pom_cli.checks.tls.certificates import Certificate
from pom_cli.checks.tls.failures import FINE, Failure, failure
from pom_cli.checks.tls.sights import Handshake
from pom_cli.model import ERROR, UNKNOWN, UNREACHABLE, Status
from pom_cli.net.faults import NOT_TLS, Fault

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def certificate(subject: str, issuer: str, **more: Any) -> Certificate:
    return Certificate(subject, subject=(("commonName", subject),), issuer=(("commonName", issuer),), **more)


LEAF, MIDDLE, ROOT = certificate("leaf", "R3"), certificate("R3", "X1"), certificate("X1", "X1")


def bad_certificate(code: int, *chain: Certificate, reason: str = "certificate is not trusted: odd") -> Failure:
    return failure(Handshake("192.0.2.1", Fault("tls", reason, "certificate"), verify_code=code, chain=chain), NOW)


@pytest.mark.parametrize(
    ("code", "chain", "reason", "text"),
    [
        (18, [ROOT], "self-signed", "self-signed: the certificate vouches for itself"),
        (19, [LEAF, MIDDLE, ROOT], "unknown authority", "unknown authority: 'X1' is not trusted"),
        (20, [LEAF, MIDDLE], "unknown authority", "unknown authority: 'X1' is not trusted"),
        (2, [LEAF, MIDDLE], "unknown authority", "unknown authority: 'X1' is not trusted"),
        (20, [ROOT], "unknown authority", "unknown authority: 'X1' is not trusted"),
        (20, [], "unknown authority", "unknown authority"),
        (
            21,
            [certificate("leaf", "R3", fetchable=True)],
            "incomplete chain",
            "incomplete chain: the server does not send the intermediate certificate 'R3'",
        ),
        (
            20,
            [LEAF],
            "incomplete chain",
            "incomplete chain: the server does not send the intermediate certificate 'R3' "
            "(or that is a root, and an unknown authority)",
        ),
        (62, [certificate("l", "R3", names=("a.b",))], "wrong host", "wrong host: the certificate is for a.b"),
        (
            64,
            [certificate("l", "R3", names=("a", "b", "c\r\n", "d", "e"))],
            "wrong host",
            "wrong host: the certificate is for a, b, c and 2 more",
        ),
        (62, [], "wrong host", "wrong host: the certificate is for other names"),
        (
            9,
            [certificate("leaf", "R3", not_before=NOW + timedelta(days=1))],
            "not yet valid",
            "not yet valid: valid from 2026-11-25 12:00 UTC",
        ),
        (9, [], "not yet valid", "not yet valid"),
        (26, [LEAF], "not trusted", "not trusted: odd"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_certificate_is_named(code: int, chain: list[Certificate], reason: str, text: str) -> None:
    assert bad_certificate(code, *chain) == Failure(ERROR, reason, text)


def test_an_expired_one_is_left_to_the_alert_for_it() -> None:
    assert bad_certificate(10, LEAF) == FINE


OLD = "handshake refused: the server offers only TLS 1.0/1.1"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"said": "SSLV3_ALERT_HANDSHAKE_FAILURE"}, "handshake refused: handshake failure"),
        ({"said": "TLSV1_UNRECOGNIZED_NAME"}, "handshake refused: unrecognized name"),
        ({"said": "TLSV13_ALERT_CERTIFICATE_REQUIRED"}, "handshake refused: certificate required"),
        ({"said": "DH_KEY_TOO_SMALL"}, "handshake refused: dh key too small"),
        ({"said": "TLSV1_ALERT_PROTOCOL_VERSION"}, OLD),
        ({"said": "UNSUPPORTED_PROTOCOL"}, OLD),
        ({"protocol": "TLSv1.1", "chain": (LEAF,)}, OLD),
        ({"protocol": "TLSv1.2", "chain": (LEAF,)}, "handshake refused: connection reset"),
        ({"said": "ASN1_LIB"}, "unreadable certificate: what the server shows cannot be parsed"),
    ],
)
def test_a_handshake_that_the_server_refuses_is_an_error(more: dict[str, Any], text: str) -> None:
    seen = Handshake("192.0.2.1", Fault("tls", "connection reset"), **more)
    assert failure(seen, NOW) == Failure(ERROR, text.split(":")[0], text)


@pytest.mark.parametrize(
    ("fault", "hung", "status", "text"),
    [
        (Fault("tls", "no answer within 10 s"), True, UNREACHABLE, "handshake did not end within 10 s"),
        (Fault("tls", "connection reset"), False, UNREACHABLE, "connection reset"),
        (Fault("tls", NOT_TLS), False, ERROR, "not TLS: what answers there does not speak it"),
        (Fault("connect", "connection refused"), False, UNREACHABLE, "connection refused"),
        (Fault("connect", "no answer within 10 s"), True, UNREACHABLE, "no answer within 10 s (connect)"),
        (Fault("connect", "out of file descriptors", "ours"), False, UNKNOWN, "out of file descriptors"),
    ],
)
def test_where_there_is_no_tls_the_fault_is_told(fault: Fault, hung: bool, status: Status, text: str) -> None:
    found = failure(Handshake("192.0.2.1", fault, hung=hung), NOW)
    assert (found.status, found.text) == (status, text)


def test_a_handshake_that_succeeds_is_fine() -> None:
    assert failure(Handshake("192.0.2.1", chain=(LEAF,), verified=True), NOW) == FINE


def test_without_verifying_the_beginning_is_looked_at_all_the_same() -> None:
    early = certificate("leaf", "R3", not_before=NOW + timedelta(days=1))
    assert failure(Handshake("192.0.2.1", chain=(early,)), NOW).reason == "not yet valid"
