"""TLS handshakes with a host, one address after another or together: plain data of what was shown. No judging here."""

import errno
import functools
import time
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pom_cli.checks.tls import starttls
from pom_cli.checks.tls.certificates import Certificate, path, read
from pom_cli.checks.tls.sights import Handshake, Sight
from pom_cli.net import net, pool
from pom_cli.net.deadline import Deadline, since_ms
from pom_cli.net.faults import Fault, NoAnswer, fault_of, without_source
from pom_cli.net.race import Address, alternating, has_way

if TYPE_CHECKING:
    import socket
    import ssl

MOST_ADDRESSES = 8  # of one name, a day
_DAY_S = 86400  # the same ones all day, so that one which is bad is not reported as fixed an hour later
_BROWSERS = ("h2", "http/1.1")  # what browsers offer by ALPN; here it is the certificate alone that is wanted
_CAME_BACK = (errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED)


def see(host: str, port: int, verify: bool, ca_file: str | None, deadline: Deadline, scheme: str = "") -> Sight:
    """What each of the host's addresses shows, all within the deadline: one that hangs takes nothing from another.

    `ca_file` is trusted beside the system's roots; without `verify` everyone is. `scheme` is the protocol that is asked
    for TLS first.
    """
    # Loaded before a fault that leaves no file descriptor to load it with.
    import ssl  # noqa: F401

    try:
        found = net.resolve(host, port, deadline)
    except NoAnswer as error:
        return Sight(error.fault)
    addresses = chosen(found, int(time.time() // _DAY_S))
    more = len(set(found)) - len(addresses)
    if len(addresses) == 1:
        return Sight(None, (shake(addresses[0], host, verify, ca_file, deadline, scheme),), more)
    work = functools.partial(shake, host=host, verify=verify, ca_file=ca_file, deadline=deadline, scheme=scheme)
    seen = {}
    for address, result in pool.each(addresses, work, lambda _: deadline.seconds):
        seen[address] = _outcome(address, result)
    return Sight(None, tuple(seen[address] for address in addresses), more)


def _outcome(address: Address, result: Handshake | pool.Overdue | Exception) -> Handshake:
    if isinstance(result, pool.Overdue):
        return Handshake(address.ip, Fault("tls", "this machine is too busy to look at it", "ours"))
    if isinstance(result, Exception):
        raise result
    return result


def chosen(found: list[Address], turn: int = 0) -> list[Address]:
    """The addresses to look at: all, or a share that moves on with `turn`. Sorted, since a resolver turns its
    answers round, and of each family in turn, since one family may have no way from here."""
    ranked = alternating(sorted(found, key=lambda one: (one.family, one.place)))
    begin = turn * MOST_ADDRESSES % len(ranked) if len(ranked) > MOST_ADDRESSES else 0
    return [*ranked[begin:], *ranked[:begin]][:MOST_ADDRESSES]


def shake(
    address: Address,
    host: str,
    verify: bool,
    ca_file: str | None,
    deadline: Deadline,
    scheme: str = "",
    protocols: tuple[str, ...] = _BROWSERS,
) -> Handshake:
    """A browser's handshake; where that fails within TLS, another one that only reads what is shown."""
    try:
        context = net.tls_context(
            verify, ca_file, None, () if scheme else protocols
        )  # first, or a run's first host would look slow
        start = time.monotonic()
        with closing(_open(host, address, context, deadline, scheme)) as sock:
            took_ms = since_ms(start)
            chain, protocol, cipher = shown(sock, verify), sock.version() or "", (sock.cipher() or [""])[0]
            return Handshake(
                address.ip, protocol=protocol, cipher=cipher, chain=chain, verified=verify, took_ms=took_ms
            )
    except NoAnswer as error:
        failed = _failure(address, error)
    if (
        protocols and "NO_APPLICATION_PROTOCOL" in failed.said
    ):  # not a web server: other servers may require other protocols
        return shake(address, host, verify, ca_file, deadline, scheme, ())
    refused = failed.fault is not None and failed.fault.reason.startswith(starttls.REFUSED)
    return _with_what_is_shown(failed, address, host, deadline, scheme) if failed.connected and not refused else failed


def _with_what_is_shown(failed: Handshake, address: Address, host: str, deadline: Deadline, scheme: str) -> Handshake:
    """Where that handshake fails too, the certificate may have come before the end of it."""
    try:
        sock = net.wrap(_connected(address, deadline, scheme), host, lenient(), deadline)
    except (OSError, NoAnswer):
        return failed  # the first handshake has said what is wrong; there is only no certificate to read
    with closing(sock):
        with suppress(OSError):
            sock.do_handshake()
        return replace(failed, protocol=sock.version() or "", chain=shown(sock, verified=False))


def shown(sock: Any, verified: bool) -> tuple[Certificate, ...]:
    """The leaf and those above it: as they were verified, or as they were sent and follow from one another.

    `sock` is an ssl.SSLSocket after its handshake, be that a failed one. Its chains have public methods from Python
    3.13 on only, and those give bytes, where these objects let OpenSSL read what is in them: quicker than anything
    else, and more lenient.
    """
    chains = sock._sslobj
    found = (chains.get_verified_chain() if verified else chains.get_unverified_chain()) or ()
    certificates = [read(one) for one in found]
    return tuple(certificates) if verified else path(certificates)


def _open(host: str, address: Address, context: "ssl.SSLContext", deadline: Deadline, scheme: str) -> "ssl.SSLSocket":
    try:
        sock = _connected(address, deadline, scheme)
    except OSError as error:
        raise NoAnswer(fault_of("connect", error, deadline)) from error
    return net.start_tls(sock, host, context, deadline)


def _connected(address: Address, deadline: Deadline, scheme: str) -> "socket.socket":
    """A connection on which TLS can begin. Raises OSError, NoAnswer."""
    sock = net.reach(address, deadline)
    try:
        if scheme:
            starttls.upgrade(sock, scheme, deadline)
    except NoAnswer:
        sock.close()
        raise
    return sock


def _failure(address: Address, error: NoAnswer) -> Handshake:
    """The fault with what OpenSSL or the kernel said, in their own words."""
    import ssl

    cause = error.__cause__
    closed = isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    refused = isinstance(cause, OSError) and cause.errno in _CAME_BACK
    return Handshake(
        address=address.ip,
        fault=error.fault,
        verify_code=cause.verify_code if isinstance(cause, ssl.SSLCertVerificationError) else 0,
        said=_said(cause) if isinstance(cause, ssl.SSLError) and not closed else "",
        hung=isinstance(cause, TimeoutError) and cause.errno is None,
        no_way=error.fault.phase == "connect" and not refused and not has_way(address),
    )


def _said(error: "ssl.SSLError") -> str:
    """`TLSV1_ALERT_PROTOCOL_VERSION`. Some faults have only a text, such as `[SSL] ASN1 lib (_ssl.c:1006)`."""
    return error.reason or without_source(error.strerror or str(error)).replace(" ", "_").upper()


@functools.cache
def lenient() -> "ssl.SSLContext":
    """The context that reads a certificate from whatever is there: nothing is verified, and nothing is too old or too
    weak. No data ever goes over it. It needs no roots, which keeps it cheap."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:!aNULL:@SECLEVEL=0")  # none of those that do without a certificate
    context.options |= net.OP_LEGACY_SERVER_CONNECT
    return context
