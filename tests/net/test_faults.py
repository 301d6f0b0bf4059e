import errno
import ssl

import pytest

from pom_cli.model import ERROR, UNKNOWN, UNREACHABLE
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import Fault, NoAnswer, fault_of, without_source

DEADLINE = Deadline.after(5)


@pytest.mark.parametrize(
    ("code", "reason", "status"),
    [
        (errno.ECONNREFUSED, "connection refused", UNREACHABLE),
        (errno.ECONNRESET, "connection reset", UNREACHABLE),
        (errno.EPIPE, "connection reset", UNREACHABLE),
        (errno.EHOSTUNREACH, "no route to the host", UNREACHABLE),
        (errno.ENETUNREACH, "network unreachable", UNREACHABLE),
        (errno.ETIMEDOUT, "no answer", UNREACHABLE),
        (errno.EACCES, "permission denied", UNREACHABLE),
        (errno.ENOBUFS, "this machine is out of socket buffers", UNKNOWN),
        (errno.EADDRNOTAVAIL, "this machine has no local address or port for it", UNKNOWN),
        (errno.EPERM, "this machine's firewall forbids it", UNKNOWN),
    ],
)
def test_an_error_of_a_socket_is_told_in_plain_english(code: int, reason: str, status: str) -> None:
    error = OSError(code, "Permission denied")
    fault = fault_of("connect", error, DEADLINE)
    assert (fault.reason, fault.status) == (reason, status)


def test_a_timeout_is_told_with_the_whole_time() -> None:
    assert fault_of("headers", TimeoutError(), DEADLINE) == Fault("headers", "no answer within 5 s")


def test_an_error_without_any_number_is_told_in_its_own_words() -> None:
    assert fault_of("connect", OSError("cannot\x1b[31m be"), DEADLINE).reason == "cannot [31m be"


def test_a_certificates_odd_fault_is_told_in_openssls_words() -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = 79, "invalid CA certificate"
    fault = fault_of("tls", error, DEADLINE)
    assert fault == Fault("tls", "certificate is not trusted: invalid CA certificate", "certificate")
    assert fault.status is ERROR


def test_the_exception_tells_reason_and_phase() -> None:
    assert str(NoAnswer(Fault("connect", "connection refused"))) == "connection refused (connect)"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("[SSL] internal error (_ssl.c:1006)", "internal error"),
        ("[X509: KEY_VALUES_MISMATCH] key values mismatch (_ssl.c:3900)", "key values mismatch"),
        ("certificate verify failed", "certificate verify failed"),
    ],
)
def test_openssl_s_words_stand_without_its_source_lines(told: str, shown: str) -> None:
    assert without_source(told) == shown
