"""A certificate as it was presented, read as far as it can be. What it is worth is judged elsewhere."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pom_cli.frozen import dataclass
from pom_cli.text import clean

Name = tuple[tuple[str, str], ...]  # (attribute, value), in the certificate's own order
T = TypeVar("T")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DER = 2  # _ssl.ENCODING_DER
# How the SubjectPublicKeyInfo of such a key begins (RFC 8410, section 4; RFC 5480, section 2.1.1).
_REFUSED = {
    "Ed25519": bytes.fromhex("302a300506032b6570032100"),
    "Ed448": bytes.fromhex("3043300506032b6571033a00"),
    "P-521": bytes.fromhex("30819b301006072a8648ce3d020106052b8104002303818600"),
}


@dataclass(frozen=True)
class Certificate:
    """The readable parts of a certificate; the others are None or empty. Texts are verbatim, not cleaned."""

    fingerprint: str  # SHA-256 of its DER form, in hex
    not_before: datetime | None = None
    not_after: datetime | None = None
    subject: Name = ()
    issuer: Name = ()
    names: tuple[str, ...] = ()  # the DNS names and IP addresses of its SAN
    serial: str = ""
    fetchable: bool = False  # it tells where its issuer's certificate can be fetched (RFC 5280, 4.2.2.1)
    refused_key: str = ""  # the sort of its key, where Chromium offers no signature with it

    @property
    def self_issued(self) -> bool:
        return self.issuer == self.subject


def path(sent: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The leaf, its issuer, the issuer's issuer and so on, as far as they were sent, in whatever order."""
    found, rest = list(sent[:1]), list(sent[1:])
    while found and found[-1].issuer and not found[-1].self_issued:
        above = next((one for one in rest if one.subject == found[-1].issuer), None)
        if above is None:
            break
        rest.remove(above)
        found.append(above)
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def read(presented: Any) -> Certificate:
    """What can be read of an `_ssl.Certificate`. Cached, since many hosts share their authority's certificates."""
    import hashlib

    der = presented.public_bytes(_DER)
    fingerprint = hashlib.sha256(der).hexdigest()
    try:
        found = from_openssl(fingerprint, presented.get_info())
    except (OSError, ValueError):  # a name in it is not the text that it says to be; ssl.SSLError is an OSError
        found = from_der(fingerprint, der)
    return replace(found, refused_key=next((name for name, begin in _REFUSED.items() if begin in der), ""))


def from_openssl(fingerprint: str, info: Mapping[str, Any]) -> Certificate:
    """The Certificate from what `ssl.SSLSocket.getpeercert` gives."""
    return Certificate(
        fingerprint=fingerprint,
        not_before=instant(info.get("notBefore", "")),
        not_after=instant(info.get("notAfter", "")),
        subject=_flat(info.get("subject", ())),
        issuer=_flat(info.get("issuer", ())),
        names=tuple(_host(kind, value) for kind, value in info.get("subjectAltName", ()) if kind in _HOSTS),
        serial=info.get("serialNumber", "").lower(),
        fetchable=bool(info.get("caIssuers")),
    )


_HOSTS = ("DNS", "IP Address")


def _flat(name: Iterable[Iterable[tuple[str, str]]]) -> Name:
    return tuple(pair for rdn in name for pair in rdn)


def _host(kind: str, value: str) -> str:
    """A host of the SAN. OpenSSL writes IPv6 addresses in full."""
    from ipaddress import ip_address

    try:
        return str(ip_address(value.strip())) if kind == "IP Address" else value
    except ValueError:
        return value


def instant(text: str) -> datetime | None:
    """`Nov 23 07:23:44 2026 GMT`, as OpenSSL prints times, in whole seconds; None for "Bad time value".

    Not by strptime: its month names are those of the locale, and loading it takes milliseconds.
    """
    try:
        month, day, clock, year, _ = text.split()
        hour, minute, second = clock.split(".")[0].split(":")
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None


def from_der(fingerprint: str, der: bytes) -> Certificate:
    """Field by field with `cryptography`, which is stricter about the whole and tells more of what is left."""
    from cryptography import x509

    # What it raises for a bad certificate and for bad parts of one; a warning is an error where the caller wants it so.
    bad = (ValueError, TypeError, KeyError, Warning, x509.InvalidVersion, x509.DuplicateExtension,
           x509.ExtensionNotFound, x509.UnsupportedGeneralNameType)  # fmt: skip

    def tried(field: Callable[[], T], otherwise: T) -> T:
        try:
            return field()
        except bad:
            return otherwise

    certificate = tried(lambda: x509.load_der_x509_certificate(der), None)
    if certificate is None:
        return Certificate(fingerprint)
    return Certificate(
        fingerprint=fingerprint,
        not_before=tried(lambda: certificate.not_valid_before_utc, None),
        not_after=tried(lambda: certificate.not_valid_after_utc, None),
        subject=tried(lambda: _pairs(certificate.subject), ()),
        issuer=tried(lambda: _pairs(certificate.issuer), ()),
        names=tried(lambda: _san(certificate), ()),
        serial=tried(lambda: f"{certificate.serial_number:x}", ""),
    )


def _pairs(name: Any) -> Name:
    return tuple((attribute.oid._name, str(attribute.value)) for attribute in name)


def _san(certificate: Any) -> tuple[str, ...]:
    from cryptography import x509

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    kinds = (x509.DNSName, x509.IPAddress)
    return tuple(str(value) for kind in kinds for value in names.get_values_for_type(kind))


@functools.lru_cache(maxsize=256)
def called(name: Name) -> str:
    """A name for people, cleaned: `R3, Let's Encrypt`."""
    values = dict(reversed(name))
    parts = dict.fromkeys(filter(None, (values.get("commonName"), values.get("organizationName"))))
    return clean(", ".join(parts or dict.fromkeys(value for _, value in name)), 120)


@functools.lru_cache(maxsize=256)
def authority(name: Name) -> str:
    """Whose certificate it is, in short and cleaned: the organisation, or the common name without one."""
    values = dict(reversed(name))
    return clean(values.get("organizationName") or "", 60) or called(name)
