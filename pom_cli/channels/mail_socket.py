"""What a connection to a mail server runs over: replies read until the deadline, and TLS. SMTP is not known here."""

import io
from typing import TYPE_CHECKING, Any

from pom_cli.net.net import Deadline, Fault, NoAnswer, fault_of, start_tls

if TYPE_CHECKING:
    import socket

_MOST = 1 << 20  # bytes of replies that anybody will read from one connection


class Replies(io.RawIOBase):
    """What the server says until the deadline. smtplib's own file would grant its time-out to every byte anew."""

    def __init__(self, sock: "socket.socket", deadline: Deadline) -> None:
        self.sock, self.deadline, self.allowance = sock, deadline, _MOST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.sock.settimeout(self.deadline.remaining())
        count = self.sock.recv_into(buffer)
        self.allowance -= count
        if self.allowance < 0:
            raise ConnectionError("more replies than anybody will read")
        return count


def encrypted(sock: "socket.socket", host: str, ca_file: str | None, deadline: Deadline) -> "socket.socket":
    """TLS over the socket, with the host's certificate verified; `ca_file` is trusted beside the system's roots.

    Raises NoAnswer, with `sock` closed. Not `net.tls_context`, which offers "http/1.1" (ALPN): some mail servers take
    that for an attack.
    """
    import ssl

    context = ssl.create_default_context()
    # A private CA need not be a root, nor keep to each form that RFC 5280 asks for; Python 3.13 insists.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        if ca_file:
            context.load_verify_locations(cafile=ca_file)
    except OSError as error:
        sock.close()
        reason = fault_of("tls", error, deadline).reason
        raise NoAnswer(Fault("tls", f"ca_file {ca_file} cannot be used: {reason}", "ours")) from error
    return start_tls(sock, host, context, deadline)
