import socket
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import Issued, authority, issue
from tls_look import SOON, certificate_message, finding, findings, leaf, middle, resolving, server_hello, verdicts
from web_server import CLOSE, HANG, RESET, Script, WebServer

from pom_cli.checks import tls
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Past, Status


class TestGoodCertificates:
    def test_a_certificate_of_a_private_authority_is_operational_with_its_ca_file(self, roots: str) -> None:
        with WebServer(tls=leaf(days=63.5)) as server:
            found = finding(server, ca_file=roots)
        assert (found.status, found.summary) == (OPERATIONAL, "valid, 63 days left, Middle Ltd")
        assert verdicts(found) == {"tls-failed": OPERATIONAL, "tls-expiry": OPERATIONAL}
        assert found.verdicts["tls-expiry"].days_left == 63
        assert found.answered

    def test_the_detail_tells_what_was_seen(self, roots: str) -> None:
        certificate = leaf("localhost", "*.example.com", "127.0.0.1", "::1", days=63.5)
        with WebServer(tls=certificate) as server:
            detail = dict(finding(server, ca_file=roots).detail)
        ends = certificate.certificate.not_valid_after_utc
        assert detail.pop("addresses") == [
            {
                "address": "127.0.0.1",
                "reason": "valid",
                "fingerprint": detail["fingerprint"],
                "expires_at": detail["expires_at"],
            }
        ]
        assert detail == {
            "source": "tls",
            "reason": "valid",
            "verified": True,
            "address": "127.0.0.1",
            "protocol": "TLSv1.3",
            "cipher": "TLS_AES_256_GCM_SHA384",
            "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "days_left": 63,
            "chain_expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "not_before": certificate.certificate.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "issuer": "PoM test intermediate, Middle Ltd",
            "names": ["localhost", "*.example.com", "127.0.0.1", "::1"],
            "fingerprint": certificate.fingerprint,
            "serial": f"{certificate.certificate.serial_number:040x}",
        }

    def test_the_expiry_of_the_chain_is_told_apart_from_the_leafs(self, roots: str) -> None:
        above = middle("ends first", days=40)
        with WebServer(tls=leaf(issuer=above, days=80.5)) as server:
            found = finding(server, ca_file=roots)
        assert found.status is OPERATIONAL
        assert found.detail["days_left"] == found.verdicts["tls-expiry"].days_left == 80
        assert found.detail["chain_expires_at"] < found.detail["expires_at"]
        assert found.detail["chain_days_left"] == 39

    def test_a_fifteen_year_origin_certificate_without_verify_is_simply_operational(self) -> None:
        origin = issue(authority("Origin CA"), hosts=["other.example.com"], days=5474.5, age=1)
        with WebServer(tls=origin) as server:
            found = finding(server, verify=False)
        assert (found.status, found.summary) == (OPERATIONAL, "not verified, 5474 days left, Origin CA")
        assert verdicts(found) == {"tls-failed": OPERATIONAL, "tls-expiry": OPERATIONAL}
        assert found.detail["verified"] is False

    def test_a_certificate_that_the_ca_file_holds_itself_is_trusted(self, tmp_path: Path) -> None:
        itself = issue(None)
        with WebServer(tls=itself) as server:
            found = finding(server, ca_file=str(itself.write_public(tmp_path / "self.pem")))
        assert found.status is OPERATIONAL

    def test_an_authority_that_is_no_root_is_trusted_when_it_is_the_ca_file(self, tmp_path: Path) -> None:
        with WebServer(tls=leaf(sent=False)) as server:
            found = finding(server, ca_file=str(middle().write_public(tmp_path / "middle.pem")))
        assert found.status is OPERATIONAL

    def test_an_old_cross_certificate_that_no_client_needs_is_no_expiry(self, roots: str) -> None:
        # As in 2021: the server still sent Let's Encrypt's root as signed by another root, which had expired.
        bygone = issue(None, "bygone root", (), ca=True, days=-5, age=4000)
        cross = issue(bygone, "PoM test root", (), ca=True, days=-5, age=900, key=authority().key)
        certificate = issue(middle(), sent=[middle(), cross])
        with WebServer(tls=certificate) as server:
            assert finding(server, ca_file=roots).status is OPERATIONAL
            assert finding(server, ca_file=roots, verify=False).status is OPERATIONAL


class TestNames:
    @pytest.mark.parametrize(
        ("named", "host"),
        [
            ("shop.example.com", "shop.example.com"),
            ("shop.example.com", "shop.example.com."),
            ("*.example.com", "shop.example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("*.xn--bcher-kva.example", "www.xn--bcher-kva.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
        ],
    )
    def test_a_certificate_for_the_host_is_good(
        self, named: str, host: str, roots: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with WebServer(tls=leaf(named)) as server:
            resolving(monkeypatch, ("127.0.0.1", server.port))
            assert finding(server, host, ca_file=roots).status is OPERATIONAL

    @pytest.mark.parametrize(
        ("named", "host"),
        [
            ("www.example.com", "shop.example.com"),
            ("*.example.com", "example.com"),
            ("*.example.com", "a.shop.example.com"),
            ("sh*.example.com", "shop.example.com"),
            ("192.0.2.1", "127.0.0.1"),
            ("localhost", "127.0.0.1"),
        ],
    )
    def test_a_certificate_for_another_host_is_an_error_and_is_read(
        self, named: str, host: str, roots: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with WebServer(tls=leaf(named, days=63.5)) as server:
            resolving(monkeypatch, ("127.0.0.1", server.port))
            found = finding(server, host, ca_file=roots)
        assert (found.status, found.summary) == (ERROR, f"wrong host: the certificate is for {named}")
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": OPERATIONAL}
        assert found.detail["names"] == [named]
        assert found.detail["days_left"] == 63

    def test_a_common_name_does_not_count(self, roots: str) -> None:
        with WebServer(tls=issue(middle(), name="localhost", hosts=[], sent=[middle()])) as server:
            found = finding(server, ca_file=roots)
        assert found.status is ERROR
        assert found.summary == "wrong host: the certificate names no host (a common name does not count)"

    def test_the_name_is_sent_as_sni_and_an_ip_address_is_not(
        self, roots: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names: list[str | None] = []

        def note(context: ssl.SSLContext) -> None:
            context.sni_callback = lambda sock, name, context: names.append(name)

        with WebServer(tls=leaf(), adjust=note) as server:
            resolving(monkeypatch, ("127.0.0.1", server.port))
            finding(server, "127.0.0.1", ca_file=roots)
            finding(server, "shop.example.com", verify=False)
        assert names == [None, "shop.example.com"]


BAD: dict[str, tuple[Callable[[], Issued], str]] = {
    "self-signed": (lambda: issue(None), "self-signed: the certificate vouches for itself"),
    "unknown authority": (
        lambda: issue(authority("other root"), sent=[authority("other root")]),
        "unknown authority: 'other root' is not trusted",
    ),
    "unknown authority above an intermediate": (
        lambda: leaf(issuer=issue(authority("other root"), "other", (), ca=True)),
        "unknown authority: 'other root' is not trusted",
    ),
    "incomplete chain": (
        lambda: leaf(sent=False, fetch_at="http://ca.example.com/middle.cer"),
        "incomplete chain: the server does not send the intermediate certificate 'PoM test intermediate, Middle Ltd'",
    ),
    "another intermediate sent": (
        lambda: issue(middle(), sent=[middle("some other")], fetch_at="http://ca.example.com/middle.cer"),
        "incomplete chain: the server does not send the intermediate certificate 'PoM test intermediate, Middle Ltd'",
    ),
    "unknown root not sent": (
        lambda: issue(authority("other root")),
        "incomplete chain: the server does not send the intermediate certificate 'other root' "
        "(or that is a root, and an unknown authority)",
    ),
}


class TestBadCertificates:
    @pytest.mark.parametrize(("certificate", "summary"), BAD.values(), ids=BAD)
    def test_the_reason_is_named_and_the_certificate_is_read(
        self, certificate: Callable[[], Issued], summary: str, roots: str
    ) -> None:
        shown = certificate()
        with WebServer(tls=shown) as server:
            found = finding(server, ca_file=roots)
        assert (found.status, found.summary) == (ERROR, summary)
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": OPERATIONAL}
        assert found.detail["reason"] == summary.split(":")[0]
        assert found.detail["fingerprint"] == shown.fingerprint
        assert found.detail["verified"] is False
        assert found.answered

    @pytest.mark.parametrize("verify", [True, False])
    def test_one_that_is_not_yet_valid_is_an_error_verified_or_not(self, verify: bool, roots: str) -> None:
        certificate = leaf(age=-2)
        with WebServer(tls=certificate) as server:
            found = finding(server, ca_file=roots, verify=verify)
        begins = certificate.certificate.not_valid_before_utc
        assert found.status is ERROR
        assert found.summary == f"not yet valid: valid from {begins:%Y-%m-%d %H:%M} UTC"
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": OPERATIONAL}

    def test_one_whose_signature_is_false_is_not_trusted(self, roots: str) -> None:
        forger = issue(None, "PoM test root", (), ca=True)
        with WebServer(tls=issue(forger)) as server:
            found = finding(server, ca_file=roots)
        assert found.status is ERROR
        assert "signature" in found.summary or "unknown authority" in found.summary

    def test_a_name_that_is_no_text_hides_nothing_else(self, roots: str) -> None:
        # Python refuses to read such a certificate as a whole; what can be read is read.
        spoilt = leaf("localhost", "mojibake.example.com", days=63.5).patched(b"mojibake", b"moji\xff\xfe\xfd\xfc")
        with WebServer(tls=spoilt) as server:
            found = finding(server, ca_file=roots)
        assert found.status is ERROR
        assert found.detail["days_left"] == found.verdicts["tls-expiry"].days_left == 63
        assert found.detail["issuer"] == "PoM test intermediate, Middle Ltd"
        assert found.detail["fingerprint"] == spoilt.fingerprint

    def test_what_is_no_certificate_at_all_is_unreadable(self) -> None:
        with WebServer(greeting=[0.05, server_hello() + certificate_message(b"no certificate"), 0.2]) as server:
            found = finding(server)
        assert (found.status, found.summary) == (
            ERROR,
            "unreadable certificate: what the server shows cannot be parsed",
        )
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": UNKNOWN}

    def test_hostile_text_in_a_certificate_is_cleaned(self, roots: str) -> None:
        above = issue(None, "evil\x1b[31m\r\nBcc: you", (), ca=True, organisation="E" * 60)
        with WebServer(tls=issue(above, sent=[above])) as server:
            found = finding(server, ca_file=roots)
        assert found.summary.isprintable()
        assert found.detail["issuer"].isprintable()


class TestExpiry:
    def test_an_expired_one_speaks_only_as_tls_expiry(self, roots: str) -> None:
        certificate = leaf(days=-3.5, age=90)
        with WebServer(tls=certificate) as server:
            found = finding(server, ca_file=roots)
        ended = certificate.certificate.not_valid_after_utc
        assert (found.status, found.summary) == (ERROR, f"expired {ended:%Y-%m-%d}, 3 days ago, Middle Ltd")
        assert verdicts(found) == {"tls-failed": OPERATIONAL, "tls-expiry": ERROR}
        assert found.verdicts["tls-expiry"].days_left == found.detail["days_left"] == -4
        assert found.detail["reason"] == "expired"

    def test_an_expired_one_for_another_host_speaks_as_both(self, roots: str) -> None:
        with WebServer(tls=leaf("other.example.com", days=-3.5, age=90)) as server:
            found = finding(server, ca_file=roots)
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": ERROR}
        assert found.summary.startswith("wrong host: the certificate is for other.example.com; expired ")

    def test_an_expired_one_is_an_error_without_verify_too(self) -> None:
        with WebServer(tls=issue(None, days=-3.5, age=90)) as server:
            found = finding(server, verify=False)
        assert verdicts(found) == {"tls-failed": OPERATIONAL, "tls-expiry": ERROR}

    def test_an_expired_intermediate_is_named(self, roots: str) -> None:
        above = middle("bygone", days=-1.5)
        with WebServer(tls=leaf(issuer=above)) as server:
            found = finding(server, ca_file=roots)
        assert verdicts(found) == {"tls-failed": OPERATIONAL, "tls-expiry": ERROR}
        assert found.summary.startswith("intermediate certificate 'bygone, Middle Ltd': expired ")
        assert found.detail["days_left"] > 0

    @pytest.mark.parametrize(
        ("days", "age", "status"),
        [
            (14.5, 75.5, OPERATIONAL),
            (13.5, 76.5, DEGRADED),
            (0.5, 89, DEGRADED),
            (4.5, 1.5, OPERATIONAL),
            (1.5, 4.5, DEGRADED),
        ],
    )
    def test_it_warns_for_a_fortnight_and_at_most_the_last_third(
        self, days: float, age: float, status: Status, roots: str
    ) -> None:
        with WebServer(tls=leaf(days=days, age=age)) as server:
            found = finding(server, ca_file=roots)
        assert verdicts(found) == {"tls-failed": OPERATIONAL, "tls-expiry": status}
        assert found.status is status
        assert found.verdicts["tls-expiry"].days_left == int(days)

    def test_a_renewal_is_noted_and_alerts_nobody(self, roots: str) -> None:
        old, new = leaf(days=20.5), leaf(days=63.5)
        with WebServer(tls=old) as server:
            before = finding(server, ca_file=roots)
            again = finding(server, past=Past(detail=before.detail), ca_file=roots)
        with WebServer(tls=new) as server:
            found = finding(server, past=Past(detail=before.detail), ca_file=roots)
        assert again.summary == "valid, 20 days left, Middle Ltd"
        assert (found.status, found.summary) == (OPERATIONAL, "valid, 63 days left, Middle Ltd; renewed")
        assert found.detail["renewed_from"] == old.fingerprint
        assert verdicts(found) == {"tls-failed": OPERATIONAL, "tls-expiry": OPERATIONAL}


def legacy(context: ssl.SSLContext) -> None:
    """A server of 1999."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")


class TestHandshakes:
    @pytest.mark.parametrize(
        "greeting",
        [[HANG], lambda: iter([b"\x16\x03\x03\x40\x00", *([b"\x02", 0.02] * 1000)])],
        ids=["silent", "dripping"],
    )
    def test_one_that_never_ends_is_unreachable(self, greeting: Script) -> None:
        with WebServer(greeting=greeting) as server:
            found = finding(server, timeout_s=SOON)
        assert (found.status, found.summary) == (UNREACHABLE, "handshake did not end within 0.4 s")
        assert verdicts(found) == {"tls-failed": UNREACHABLE, "tls-expiry": UNKNOWN}
        assert not found.answered

    @pytest.mark.parametrize(
        "banner", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail\r\n"]
    )
    def test_what_does_not_speak_tls_is_an_error(self, banner: bytes) -> None:
        with WebServer(greeting=[banner, 0.2]) as server:
            found = finding(server)
        assert (found.status, found.summary) == (ERROR, "not TLS: what answers there does not speak it")
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": UNKNOWN}
        assert found.answered

    @pytest.mark.parametrize(
        ("alert", "name"), [(0x28, "handshake failure"), (0x50, "internal error"), (0x70, "unrecognized name")]
    )
    def test_a_refusal_is_an_error_and_tells_the_alert(self, alert: int, name: str) -> None:
        with WebServer(greeting=[0.05, b"\x15\x03\x03\x00\x02\x02" + bytes([alert]), 0.2]) as server:
            found = finding(server)
        assert (found.status, found.summary) == (ERROR, f"handshake refused: {name}")
        assert found.detail["reason"] == "handshake refused"

    def test_a_server_that_wants_the_clients_certificate_too_has_its_own_read(self, roots: str) -> None:
        def mutual(context: ssl.SSLContext) -> None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # later versions refuse after the handshake only

        certificate = leaf(days=5.5, age=80)
        with WebServer(tls=certificate, adjust=mutual) as server:
            found = finding(server, ca_file=roots)
        assert found.summary.startswith("handshake refused: handshake failure; expires ")
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": DEGRADED}
        assert found.detail["fingerprint"] == certificate.fingerprint

    def test_a_server_with_nothing_newer_than_tls_1_0_is_refused_and_its_certificate_read(self, roots: str) -> None:
        with WebServer(tls=leaf(days=5.5, age=80), adjust=legacy) as server:
            found = finding(server, ca_file=roots)
        assert found.status is ERROR
        assert found.summary.startswith("handshake refused: the server offers only TLS 1.0/1.1; expires ")
        assert verdicts(found) == {"tls-failed": ERROR, "tls-expiry": DEGRADED}
        assert found.detail["protocol"] == "TLSv1"

    @pytest.mark.parametrize("end", [CLOSE, RESET], ids=["close", "reset"])
    def test_a_connection_that_ends_in_it_is_unreachable(self, end: Any) -> None:
        # A moment later: a reset that comes while Python wraps the socket makes it lose that, with a warning.
        with WebServer(greeting=[0.05, end]) as server:
            found = finding(server)
        assert found.status is UNREACHABLE
        assert found.summary in ("connection reset", "connection closed within TLS")

    def test_a_closed_port_is_refused(self) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            [found] = findings(tls.Settings(hosts=(("127.0.0.1", sock.getsockname()[1]),)))
        assert (found.status, found.summary) == (UNREACHABLE, "connection refused")
        assert verdicts(found) == {"tls-failed": UNREACHABLE, "tls-expiry": UNKNOWN}
        assert found.detail["phase"] == "connect"

    def test_a_name_that_is_not_there_does_not_resolve(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def absent(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", absent)
        [found] = findings(tls.Settings(hosts=(("nothing.invalid", 443),)))
        assert (found.status, found.summary) == (UNREACHABLE, "name does not resolve")
        assert (found.detail["phase"], found.answered) == ("dns", False)

    def test_a_resolver_that_fails_is_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def failing(*_: Any, **__: Any) -> Any:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

        monkeypatch.setattr(socket, "getaddrinfo", failing)
        [found] = findings(tls.Settings(hosts=(("shop.example.com", 443),)))
        assert verdicts(found) == {"tls-failed": UNKNOWN, "tls-expiry": UNKNOWN}
        assert found.status is UNKNOWN

    def test_a_ca_file_that_is_spoilt_is_unknown_and_the_expiry_is_still_known(self, tmp_path: Path) -> None:
        spoilt = tmp_path / "spoilt.pem"
        spoilt.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        with WebServer(tls=leaf(days=5.5, age=80)) as server:
            found = finding(server, ca_file=str(spoilt))
        assert verdicts(found) == {"tls-failed": UNKNOWN, "tls-expiry": DEGRADED}

    def test_the_certificate_seen_before_an_outage_is_remembered_through_it(self, roots: str) -> None:
        old, new = leaf(), leaf()
        with WebServer(tls=old) as server:
            before = finding(server, ca_file=roots)
        with WebServer(greeting=[0.05, CLOSE]) as server:
            down = finding(server, past=Past(detail=before.detail))
        with WebServer(tls=new) as server:
            found = finding(server, past=Past(detail=down.detail), ca_file=roots)
        assert "fingerprint" not in down.detail
        assert found.detail["renewed_from"] == old.fingerprint
