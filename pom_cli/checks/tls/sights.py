"""What handshakes with a host showed: plain data, between looking and judging."""

from pom_cli.checks.tls.certificates import Certificate
from pom_cli.frozen import dataclass
from pom_cli.net.faults import Fault


@dataclass(frozen=True)
class Handshake:
    """One address. Without a fault it went as a browser's would; with one, `chain` and `protocol` are of a second
    handshake that puts up with everything, as far as that succeeded."""

    address: str
    fault: Fault | None = None
    verify_code: int = 0  # X509_V_ERR_* of OpenSSL's x509_vfy.h, where the certificate is at fault
    said: str = ""  # OpenSSL's name for any other fault of TLS, such as TLSV1_ALERT_PROTOCOL_VERSION
    hung: bool = False  # the deadline came
    no_way: bool = False  # nothing came back, and this host does not reach that family at all
    protocol: str = ""
    cipher: str = ""  # OpenSSL's name
    chain: tuple[Certificate, ...] = ()  # the leaf first
    verified: bool = False
    took_ms: float | None = None

    @property
    def connected(self) -> bool:
        return self.fault is None or self.fault.phase == "tls"

    @property
    def leaf(self) -> Certificate | None:
        return self.chain[0] if self.chain else None


@dataclass(frozen=True)
class Sight:
    """One host: a fault where not even an address is known, else a handshake for each of its first addresses."""

    fault: Fault | None = None
    handshakes: tuple[Handshake, ...] = ()
    more: int = 0  # addresses that were not looked at
