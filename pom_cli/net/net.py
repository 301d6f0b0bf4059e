"""Names, sockets and TLS, each within one deadline for everything. What is said over them is not known here."""

import functools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pom_cli.frozen import dataclass
from pom_cli.net.deadline import Deadline, since_ms
from pom_cli.net.faults import Fault, NoAnswer, fault_of, without_source
from pom_cli.net.race import Address, race, reach
from pom_cli.text import clean

if TYPE_CHECKING:
    import socket
    import ssl

__all__ = [
    "Address",
    "Deadline",
    "Fault",
    "Link",
    "NoAnswer",
    "connect",
    "fault_of",
    "reach",
    "resolve",
    "start_tls",
    "tls_context",
]


OP_LEGACY_SERVER_CONNECT = 0x4  # of OpenSSL's ssl.h; named by Python's ssl from 3.12 on


@dataclass(frozen=True)
class Link:
    """A connected socket, the address that it reached, and how long that took alone, in milliseconds."""

    sock: "socket.socket"
    address: str
    dns_ms: float
    connect_ms: float
    others: tuple[Address, ...] = ()  # of the same host: tried in vain, or the other family's first


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """The addresses of a host in the system's order. Raises NoAnswer.

    `getaddrinfo` obeys no timeout: it runs in a separate thread, which is abandoned if it does not return.
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
    """A TCP connection to the first of the host's addresses that answers. Raises NoAnswer."""
    # Loaded before the clock starts, or the first connection of a run would look slow; and before a fault that leaves
    # no file descriptor to load them with.
    import socket  # noqa: F401
    import ssl  # noqa: F401

    start = time.monotonic()
    addresses = resolve(host, port, deadline)
    dns_ms = since_ms(start)
    won = race(addresses, deadline)
    return Link(won.sock, won.address.ip, dns_ms, won.took_ms, won.others)


def tls_context(
    verify: bool,
    ca_file: str | None,
    identity: tuple[str, str] | None = None,
    protocols: tuple[str, ...] = ("http/1.1",),
) -> "ssl.SSLContext":
    """The one context of this process for these settings: loading the roots costs more than a handshake.

    `ca_file` is trusted beside the system's roots; `identity` is the files of a client certificate and its key;
    `protocols` are offered by ALPN. Raises NoAnswer where a file cannot be read.

    It is for looking, and offers what browsers and curl still do, CBC with SHA-1 and servers without RFC 5746 included:
    nothing that must stay secret from somebody between goes out over it by PoM's own choice.
    """
    with _LOADING:  # many threads ask at once, and each would load it
        return _tls_context(verify, ca_file, identity, protocols)


_LOADING = threading.Lock()


@functools.cache
def _tls_context(
    verify: bool, ca_file: str | None, identity: tuple[str, str] | None, protocols: tuple[str, ...]
) -> "ssl.SSLContext":
    import encodings.idna  # noqa: F401 - the handshake would load it, and the first one of a run would look slow
    import ssl

    context = ssl.create_default_context()
    if protocols:
        context.set_alpn_protocols(list(protocols))
    context.set_ciphers("DEFAULT")  # OpenSSL's, as in curl: Python's leaves out ECDHE-RSA-AES128-SHA
    context.options |= OP_LEGACY_SERVER_CONNECT
    # The same whatever Python's version: what is in `ca_file` is trusted, root or not, as in a browser's own store
    # is; and a form that RFC 5280 asks for and no browser does is no fault (3.13 asks for it).
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if identity:
        with _needed(f"cert_file {identity[0]}"):  # a password is never asked for: nobody is there to type it
            context.load_cert_chain(*identity, password=lambda: b"")
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.hostname_checks_common_name = False  # no browser has looked at it for years
    if ca_file:
        with _needed(f"ca_file {ca_file}"):
            context.load_verify_locations(cafile=ca_file)
    return context


@contextmanager
def _needed(file: str) -> Iterator[None]:
    """Turn what goes wrong with a file of the config into NoAnswer."""
    try:
        yield
    except OSError as error:
        told = without_source(error.strerror or str(error))
        raise NoAnswer(Fault("tls", f"{clean(file)} cannot be used: {clean(told, 80)}", "ours")) from error


def start_tls(sock: "socket.socket", host: str, context: "ssl.SSLContext", deadline: Deadline) -> "ssl.SSLSocket":
    """TLS over a connected socket, which then belongs to the result. Raises NoAnswer, with `sock` closed."""
    wrapped = wrap(sock, host, context, deadline)
    try:
        wrapped.do_handshake()
        return wrapped
    except OSError as error:
        wrapped.close()
        raise NoAnswer(fault_of("tls", error, deadline)) from error


def wrap(sock: "socket.socket", host: str, context: "ssl.SSLContext", deadline: Deadline) -> "ssl.SSLSocket":
    """A connected socket before its handshake, for which as a whole its timeout holds. Raises NoAnswer, with `sock`
    closed. SNI will be sent unless the host is an IP address."""
    try:
        sock.settimeout(deadline.remaining())
        name = host.partition("%")[0].rstrip(".")  # certificates have neither a zone nor the root's dot
        return context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    except (OSError, ValueError) as error:
        sock.close()
        if isinstance(error, OSError):
            raise NoAnswer(fault_of("tls", error, deadline)) from error
        raise NoAnswer(Fault("tls", "the host name cannot appear in a certificate")) from error
