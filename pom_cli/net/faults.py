"""Why no answer came, in plain English, and whose fault that is. No I/O here."""

import errno
import re
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from pom_cli.frozen import dataclass
from pom_cli.model import ERROR, UNKNOWN, UNREACHABLE, Status
from pom_cli.net.deadline import Deadline
from pom_cli.text import clean

if TYPE_CHECKING:
    import ssl

Phase = Literal["dns", "connect", "tls", "send", "headers", "body"]
Blame = Literal["target", "certificate", "ours"]

HOSTWIDE: tuple[Phase, ...] = ("dns", "connect", "tls")  # a fault in one of these says nothing of what was to be asked

_STATUS: dict[Blame, Status] = {"target": UNREACHABLE, "certificate": ERROR, "ours": UNKNOWN}
_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.ECONNABORTED: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ENOTCONN: "connection reset",  # before it was used
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "no answer",
}
OURS = {
    errno.EMFILE: "this process is out of file descriptors",
    errno.ENFILE: "this machine is out of file descriptors",
    errno.ENOBUFS: "this machine is out of socket buffers",
    errno.ENOMEM: "this machine is out of memory",
    errno.EADDRNOTAVAIL: "this machine has no local address or port for it",
    errno.EAFNOSUPPORT: "this machine does not speak that address family",
    errno.EAGAIN: "this machine is out of local ports",
    errno.EPERM: "this machine's firewall forbids it",
}
EXPIRED = "certificate has expired"
WRONG_HOST = "certificate does not match the host"
NOT_TLS = "it does not speak TLS there"
NOT_YET = "certificate is not valid yet"
_ISSUER = "certificate's issuer is not known: an intermediate is missing, or a private CA"
# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_VERIFY = {
    9: NOT_YET,
    10: EXPIRED,
    18: "self-signed certificate",
    19: "certificate's root is not trusted",
    20: _ISSUER,
    21: _ISSUER,
    23: "certificate is revoked",
    62: WRONG_HOST,
    64: WRONG_HOST,
}
DATED = (EXPIRED, NOT_YET)  # what a wrong clock of ours makes of a good certificate
# What a host without roots, or a gateway that puts itself in between, makes of one.
UNTRUSTED = tuple(_VERIFY[code] for code in (18, 19, 20, 62))


@dataclass(frozen=True)
class Fault:
    """Why no answer came: where it stopped, in plain English, and whose fault it is."""

    phase: Phase
    reason: str
    blame: Blame = "target"
    address: str = field(default="", compare=False)  # where it was met; elsewhere it would be the same fault
    at: str = field(default="", compare=False)  # whose certificate was refused: host:port, as tls names its subjects

    @property
    def status(self) -> Status:
        """What it makes of the target: our own faults are unknown, a bad certificate is an error."""
        return _STATUS[self.blame]


class NoAnswer(Exception):
    """The only error raised for what the network does."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.reason} ({fault.phase})")
        self.fault = fault


def fault_of(phase: Phase, error: OSError, deadline: Deadline) -> Fault:
    """What an error of a socket means, TLS included."""
    import ssl

    if isinstance(error, TimeoutError) and error.errno is None:
        return Fault(phase, f"no answer within {deadline.seconds:g} s")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault(phase, _certificate_reason(error), "certificate")
    if isinstance(error, ssl.SSLError):
        return Fault(phase, _tls_reason(error))
    if error.errno in OURS:
        return Fault(phase, OURS[error.errno], "ours")
    return Fault(phase, _REASONS.get(error.errno or 0) or clean(error.strerror or str(error)).lower())


def without_source(told: str) -> str:
    """OpenSSL's words without its library and the line of Python's source: `[SSL] internal error (_ssl.c:1006)`."""
    return re.sub(r"^\[[^\]]*\] *| *\(_ssl\.c:\d+\)$", "", told)


def _certificate_reason(error: "ssl.SSLCertVerificationError") -> str:
    return _VERIFY.get(error.verify_code) or f"certificate is not trusted: {clean(error.verify_message, 80)}"


def _tls_reason(error: "ssl.SSLError") -> str:
    import ssl

    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "connection closed within TLS"
    said = (error.reason or "").replace("_", " ").lower()
    if said in ("wrong version number", "http request", "record layer failure", "packet length too long"):
        return NOT_TLS
    return f"TLS failed: {clean(said or without_source(error.strerror or str(error)), 80)}"
