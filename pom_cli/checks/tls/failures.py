"""Pure: why a handshake does not go as a browser's would. That a certificate has expired is `tls_expiry`'s to tell."""

import re
from collections.abc import Sequence
from datetime import datetime

from pom_cli.checks.tls.certificates import Certificate, called
from pom_cli.checks.tls.sights import Handshake
from pom_cli.checks.tls.starttls import REFUSED
from pom_cli.frozen import dataclass
from pom_cli.model import ERROR, OPERATIONAL, UNREACHABLE, Status
from pom_cli.net.faults import NOT_TLS
from pom_cli.text import clean

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_NOT_YET, _EXPIRED, _SELF_SIGNED, _UNKNOWN_ROOT = 9, 10, 18, 19
_NO_ISSUER = (2, 20, 21)  # the issuer is neither sent nor among the roots, worded by where that was noticed
_WRONG_HOST = (62, 64)
_OLD = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1")
_OFFERS_OLD = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION")
_PREFIX = re.compile(r"^(TLSV\d+|SSLV3)_(ALERT_)?")
_SHOWN = 3  # names of a certificate in a summary


@dataclass(frozen=True)
class Failure:
    """A status, the reason in a few words, and the same in full for people."""

    status: Status
    reason: str
    text: str


FINE = Failure(OPERATIONAL, "", "")


def failure(seen: Handshake, now: datetime) -> Failure:
    """What is wrong, leaving aside how long the certificate is valid; FINE for nothing."""
    if seen.fault is None:
        begins = seen.chain[0].not_before if seen.chain else None
        early = not seen.verified and begins is not None and begins > now
        key = seen.chain[0].refused_key if seen.verified and seen.chain else ""
        if key:
            return _error("key refused", f"Chromium does not accept {key} keys")
        return _error("not yet valid", _since(seen.chain[:1])) if early else FINE
    if seen.fault.blame == "ours":
        return Failure(seen.fault.status, seen.fault.reason, seen.fault.reason)
    if seen.fault.blame == "certificate":
        return _untrusted(seen)
    if seen.fault.phase == "tls":
        return _unfinished(seen)
    told = f"{seen.fault.reason} ({seen.fault.phase})" if seen.hung else seen.fault.reason
    return Failure(seen.fault.status, seen.fault.reason, told)


def _untrusted(seen: Handshake) -> Failure:
    """OpenSSL looks first at the chain, then at the name, then at the dates, and tells the first fault alone."""
    code, chain = seen.verify_code, seen.chain
    if code == _EXPIRED:
        return FINE
    if code == _NOT_YET:
        return _error("not yet valid", _since(chain))
    if code == _SELF_SIGNED:
        return _error("self-signed", "the certificate vouches for itself")
    if code in _NO_ISSUER and len(chain) == 1 and not chain[0].self_issued:
        return _error("incomplete chain", _missing(chain[0]))
    if code == _UNKNOWN_ROOT or code in _NO_ISSUER:
        return _error("unknown authority", f"{called(chain[-1].issuer)!r} is not trusted" if chain else "")
    if code in _WRONG_HOST:
        return _error("wrong host", _names(chain))
    assert seen.fault is not None  # noqa: S101 - only a fault leads here
    return _error("not trusted", seen.fault.reason.removeprefix("certificate is not trusted: "))


def _error(reason: str, more: str = "") -> Failure:
    return Failure(ERROR, reason, f"{reason}: {more}" if more else reason)


def _since(chain: Sequence[Certificate]) -> str:
    begins = max((one.not_before for one in chain if one.not_before), default=None)
    return f"valid from {begins:%Y-%m-%d %H:%M} UTC" if begins else ""


def _missing(leaf: Certificate) -> str:
    """A leaf that stands alone lacks an intermediate, or a private root has signed it, which none need send. Those of
    public authorities always say where their intermediate can be fetched."""
    told = f"the server does not send the intermediate certificate {called(leaf.issuer)!r}"
    return told if leaf.fetchable else f"{told} (or that is a root, and an unknown authority)"


def _names(chain: Sequence[Certificate]) -> str:
    if not chain:
        return "the certificate is for other names"
    names = chain[0].names
    if not names:
        return "the certificate names no host (a common name does not count)"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "the certificate is for " + ", ".join(clean(name, 80) for name in names[:_SHOWN]) + more


def _unfinished(seen: Handshake) -> Failure:
    """The handshake itself did not succeed, whatever the certificate is worth."""
    assert seen.fault is not None  # noqa: S101 - only a fault leads here
    if seen.hung:
        told = seen.fault.reason.replace("no answer", "handshake did not end")
        return Failure(UNREACHABLE, "handshake never ends", told)
    if seen.fault.reason.startswith(REFUSED):
        return Failure(ERROR, REFUSED, seen.fault.reason)
    if seen.fault.reason == NOT_TLS:
        return _error("not TLS", "what answers there does not speak it")
    if seen.protocol in _OLD or any(word in seen.said for word in _OFFERS_OLD):
        return _error("handshake refused", "the server offers only TLS 1.0/1.1")
    if "ASN1" in seen.said:
        return _error("unreadable certificate", "what the server shows cannot be parsed")
    if seen.said:
        return _error("handshake refused", clean(_PREFIX.sub("", seen.said).replace("_", " ").lower(), 80))
    if seen.chain:  # it talks, only not to a client of today
        return _error("handshake refused", seen.fault.reason)
    return Failure(UNREACHABLE, seen.fault.reason, seen.fault.reason)
