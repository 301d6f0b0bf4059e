"""Certificates made on the spot: a small authority and leaves of it, good ones and every sort of bad one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and the certificates that a server sends after it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """Key, certificate and chain in one, as `SSLContext.load_cert_chain` takes them."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + self.chain_pem

    @property
    def chain_pem(self) -> bytes:
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (self.certificate, *self.above))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its DER form, in hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def patched(self, old: bytes, new: bytes) -> Issued:
        """The same with other bytes of the same length in it, which its signature does not cover."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        assert der.count(old) == 1 and len(old) == len(new)
        return Issued(x509.load_der_x509_certificate(der.replace(old, new)), self.key, self.above)

    def write(self, path: Path) -> Path:
        """The PEM text in a file, key included."""
        path.write_bytes(self.pem)
        return path

    def write_public(self, path: Path) -> Path:
        """The certificate alone in a file: what a `ca_file` holds."""
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path


@cache
def authority(name: str = "PoM test root") -> Issued:
    """A self-signed root, the same one for the same name within a process."""
    return issue(None, name, (), ca=True, days=3650)


def issue(
    issuer: Issued | None,
    name: str = "localhost",
    hosts: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
    *,
    days: float = 90,
    age: float = 1,
    ca: bool = False,
    sent: Sequence[Issued] = (),
    now: datetime | None = None,
    organisation: str = "",
    fetch_at: str = "",
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Issued:
    """A certificate for `hosts` (names or IP addresses), valid from `age` days ago to `days` from now.

    Without an issuer it is self-signed; without hosts it has no SAN. `sent` are the certificates that a server sends
    after it. `ca` makes it an authority's own. `fetch_at` is the URL of the issuer's certificate. The key is a new one
    unless it is given, as for an authority that two others have signed.
    """
    moment = (now or datetime.now(UTC)).replace(microsecond=0)
    key = key or ec.generate_private_key(ec.SECP256R1())
    belongs = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    subject = x509.Name([*belongs, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - age * DAY)
        .not_valid_after(moment + days * DAY)
    )
    signer = issuer.key if issuer else key
    for extension, critical in _extensions(key.public_key(), signer.public_key(), hosts, ca):
        builder = builder.add_extension(extension, critical)
    if fetch_at:
        place = x509.UniformResourceIdentifier(fetch_at)
        access = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), False)
    return Issued(builder.sign(signer, hashes.SHA256()), key, tuple(issued.certificate for issued in sent))


def _extensions(
    own: ec.EllipticCurvePublicKey, signer: ec.EllipticCurvePublicKey, hosts: Sequence[str], ca: bool
) -> list[tuple[x509.ExtensionType, bool]]:
    """Those that a browser, and OpenSSL in its strict mode, ask for."""
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=ca, path_length=None), True),
        (x509.SubjectKeyIdentifier.from_public_key(own), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), False),
        (_usage(ca), True),
    ]
    if not ca:
        found.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))
    if hosts:
        found.append((x509.SubjectAlternativeName([_general(host) for host in hosts]), False))
    return found


def _usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
