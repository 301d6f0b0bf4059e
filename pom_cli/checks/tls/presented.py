"""Which names a refused certificate has: for a mail that says what is there and what should be."""

from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import Fault
from pom_cli.toml.address import origin


def names(url: str, fault: Fault, deadline: Deadline) -> tuple[str, ...]:
    """The names in the certificate that the URL's host presents, within what is left of the deadline.

    Asked only after a fault of the certificate; () if none could be read.
    """
    if fault.blame != "certificate":
        return ()
    from pom_cli.checks.tls.handshake import see

    _, host, port = origin(url)
    seen = see(host, port, False, None, deadline).handshakes
    return next((one.leaf.names for one in seen if one.leaf), ())
