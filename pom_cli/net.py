"""Names, sockets and TLS, each within one deadline for everything. What is said over them is not known here."""

import errno
import functools
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pom_cli.model import ERROR, UNKNOWN, UNREACHABLE, Status
from pom_cli.text import clean

if TYPE_CHECKING:
    import socket
    import ssl

Phase = Literal["dns", "connect", "tls", "send", "headers", "body"]
Blame = Literal["target", "certificate", "ours"]

_STATUS: dict[Blame, Status] = {"target": UNREACHABLE, "certificate": ERROR, "ours": UNKNOWN}
_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.ECONNABORTED: "connection reset",
    errno.EPIPE: "connection reset",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "network unreachable",
    errno.ETIMEDOUT: "no answer",
}
_OURS = {
    errno.EMFILE: "this process is out of file descriptors",
    errno.ENFILE: "this machine is out of file descriptors",
    errno.ENOBUFS: "this machine is out of socket buffers",
    errno.ENOMEM: "this machine is out of memory",
    errno.EADDRNOTAVAIL: "this machine has no local address or port for it",
    errno.EAFNOSUPPORT: "this machine does not speak that address family",
    errno.EAGAIN: "this machine is out of local ports",
    errno.EPERM: "this machine's firewall forbids it",
}
# An address that this machine has no way to (IPv6 without IPv6, for one) says little where another was tried too.
_NO_WAY = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@dataclass(frozen=True)
class Fault:
    """Why no answer came: where it stopped, in plain English, and whose fault it is."""

    phase: Phase
    reason: str
    blame: Blame = "target"

    @property
    def status(self) -> Status:
        """What it makes of the target: our own faults are unknown, a bad certificate is an error."""
        return _STATUS[self.blame]


class NoAnswer(Exception):
    """The only error that this module and `http` raise for what the network does."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.reason} ({fault.phase})")
        self.fault = fault


@dataclass(frozen=True)
class Deadline:
    """An instant of the monotonic clock; `seconds` is how long it was away when it was set."""

    seconds: float
    ends: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(seconds, time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError once it has passed."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def part(self, share: int) -> "Deadline":
        """An earlier deadline: one `share`-th of what is left."""
        left = self.remaining()
        return Deadline(self.seconds, self.ends - left + left / share)


@dataclass(frozen=True)
class Address:
    """One place where a host can be reached: what `socket.socket` and `connect` take."""

    family: int
    place: tuple[Any, ...]

    @property
    def ip(self) -> str:
        return str(self.place[0])


@dataclass(frozen=True)
class Link:
    """A connected socket, the address that it reached, and how long that took, in milliseconds."""

    sock: "socket.socket"
    address: str
    dns_ms: float
    connect_ms: float


def since_ms(start: float) -> float:
    """Milliseconds since `start`, an instant of `time.monotonic`."""
    return (time.monotonic() - start) * 1000


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The addresses of a host in the system's order. Raises NoAnswer.

    `getaddrinfo` obeys no timeout: it runs in a thread of its own, which is left behind where it does not return.
    """
    import socket

    try:
        return _look_up(host, port, socket.AI_NUMERICHOST)
    except OSError:
        pass  # not an IP address: a name
    found: list[list[Address] | Exception] = []
    thread = threading.Thread(target=_look_up_into, args=(found, host, port), daemon=True)
    try:
        thread.start()
        thread.join(deadline.remaining())
    except TimeoutError:
        pass  # told below, as for a look-up that did not end
    except RuntimeError:
        raise NoAnswer(Fault("dns", "this machine cannot start another thread", "ours")) from None
    if not found:
        raise NoAnswer(Fault("dns", f"the resolver gave no answer within {deadline.seconds:g} s", "ours"))
    answer = found[0]
    if isinstance(answer, Exception):
        raise NoAnswer(_dns_fault(answer)) from answer
    if not answer:
        raise NoAnswer(Fault("dns", "name does not resolve"))
    return answer


def _look_up(host: str, port: int, flags: int = 0) -> list[Address]:
    import socket

    # As bytes, for a str would go through Python's IDNA codec, which is slow to load and refuses long labels.
    rows = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=flags)
    return [Address(family, place) for family, _, _, _, place in rows]


def _look_up_into(found: list[list[Address] | Exception], host: str, port: int) -> None:
    try:
        found.append(_look_up(host, port))
    except (OSError, ValueError) as error:
        found.append(error)


def _dns_fault(error: Exception) -> Fault:
    """A name that is not there is the target's fault; a resolver that fails (EAI_AGAIN, EAI_FAIL) is ours."""
    import socket

    absent = {socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY}
    if isinstance(error, ValueError) or (isinstance(error, socket.gaierror) and error.errno in absent):
        return Fault("dns", "name does not resolve")
    return Fault("dns", f"the resolver failed: {clean(getattr(error, 'strerror', None) or str(error))}", "ours")


def connect(host: str, port: int, deadline: Deadline) -> Link:
    """A TCP connection to the first address of the host that answers. Raises NoAnswer.

    Each address but the last gets a fair part of what is left, so that a dead one leaves time for the others.
    """
    # Loaded before the clock starts, or the first connection of a run would look slow; and before a fault that leaves
    # no file descriptor to load them with.
    import socket  # noqa: F401
    import ssl  # noqa: F401

    start = time.monotonic()
    addresses = resolve(host, port, deadline)
    dns_ms = since_ms(start)
    start = time.monotonic()
    faults: list[tuple[bool, Fault]] = []
    for number, address in enumerate(addresses):
        try:
            sock = reach(address, deadline.part(len(addresses) - number))
            return Link(sock, address.ip, dns_ms, since_ms(start))
        except OSError as error:
            fault = fault_of("connect", error, deadline)
            if error.errno in _OURS and error.errno not in _NO_WAY:
                raise NoAnswer(fault) from error
            faults.append((error.errno in _NO_WAY, fault))
    raise NoAnswer(min(faults, key=lambda item: item[0])[1])


def reach(address: Address, deadline: Deadline) -> "socket.socket":
    """A TCP connection to one address. Raises OSError, of which TimeoutError is one."""
    import socket

    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(deadline.remaining())
        sock.connect(address.place)
    except BaseException:
        sock.close()
        raise
    return sock


def fault_of(phase: Phase, error: OSError, deadline: Deadline) -> Fault:
    """What an error of a socket means, TLS included."""
    import ssl

    if isinstance(error, TimeoutError) and error.errno is None:
        return Fault(phase, f"no answer within {deadline.seconds:g} s")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault(phase, _certificate_reason(error), "certificate")
    if isinstance(error, ssl.SSLError):
        return Fault(phase, _tls_reason(error))
    if error.errno in _OURS:
        return Fault(phase, _OURS[error.errno], "ours")
    return Fault(phase, _REASONS.get(error.errno or 0) or clean(error.strerror or str(error)).lower())


# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_VERIFY = {
    9: "certificate is not valid yet",
    10: "certificate has expired",
    18: "self-signed certificate",
    19: "certificate's root is not trusted",
    20: "certificate's issuer is not known: an intermediate is missing, or a private CA",
    21: "certificate's issuer is not known: an intermediate is missing, or a private CA",
    23: "certificate is revoked",
    62: "certificate is for other names",
    64: "certificate is for other names",
}


def _certificate_reason(error: "ssl.SSLCertVerificationError") -> str:
    return _VERIFY.get(error.verify_code) or f"certificate is not trusted: {clean(error.verify_message, 80)}"


def _tls_reason(error: "ssl.SSLError") -> str:
    import ssl

    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "connection closed within TLS"
    said = (error.reason or "").replace("_", " ").lower()
    if said in ("wrong version number", "http request", "record layer failure", "packet length too long"):
        return "it does not speak TLS there"
    return f"TLS failed: {clean(said or str(error), 80)}"


def tls_context(verify: bool, ca_file: str | None) -> "ssl.SSLContext":
    """The one context of this process for these settings: loading the roots costs more than a handshake.

    `ca_file` is trusted beside the system's roots. Raises NoAnswer where it cannot be read.
    """
    with _LOADING:  # many threads ask at once, and each would load it
        try:
            return _tls_context(verify, ca_file)
        except OSError as error:
            told = clean(error.strerror or str(error), 80)
            raise NoAnswer(
                Fault("tls", f"ca_file {clean(ca_file or '', 80)} cannot be used: {told}", "ours")
            ) from error


_LOADING = threading.Lock()


@functools.cache
def _tls_context(verify: bool, ca_file: str | None) -> "ssl.SSLContext":
    import encodings.idna  # noqa: F401 - the handshake would load it, and the first one of a run would look slow
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.hostname_checks_common_name = False  # no browser has looked at it for years
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


def start_tls(sock: "socket.socket", host: str, context: "ssl.SSLContext", deadline: Deadline) -> "ssl.SSLSocket":
    """TLS over a connected socket, which then belongs to the result. SNI is sent unless the host is an IP address.

    Raises NoAnswer, with `sock` closed. The socket's timeout holds for the handshake as a whole.
    """
    wrapped = None
    try:
        sock.settimeout(deadline.remaining())
        wrapped = context.wrap_socket(sock, server_hostname=host.rstrip("."), do_handshake_on_connect=False)
        wrapped.do_handshake()
        return wrapped
    except (OSError, ValueError) as error:
        (wrapped or sock).close()
        if isinstance(error, OSError):
            raise NoAnswer(fault_of("tls", error, deadline)) from error
        raise NoAnswer(Fault("tls", "the host name cannot stand in a certificate")) from error
