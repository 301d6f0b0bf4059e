"""What PoM and curl make of the same odd servers: where one gets an answer, the other gets the same."""

import shutil
import ssl
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from certificates import authority, issue
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from web_server import CLOSE, RESET, WebServer, answer, head, redirect

from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import NoAnswer
from pom_cli.net.http import fetch

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def tls_1_2(ciphers: str) -> Callable[[ssl.SSLContext], None]:
    def adjust(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)

    return adjust


def rsa_key() -> Any:
    return rsa.generate_private_key(65537, 2048)


TLS = {
    "cbc with sha-1": (rsa_key, tls_1_2("ECDHE-RSA-AES128-SHA")),
    "cbc with sha-256": (rsa_key, tls_1_2("ECDHE-RSA-AES256-SHA384")),
    "no forward secrecy": (rsa_key, tls_1_2("AES128-SHA")),
    "gcm": (rsa_key, tls_1_2("ECDHE-RSA-AES128-GCM-SHA256")),
    "chacha": (lambda: None, tls_1_2("ECDHE-ECDSA-CHACHA20-POLY1305")),
    "P-384": (lambda: ec.generate_private_key(ec.SECP384R1()), None),
    "P-521": (lambda: ec.generate_private_key(ec.SECP521R1()), None),
    "Ed25519": (ed25519.Ed25519PrivateKey.generate, None),
    "TLS 1.3": (lambda: None, lambda context: setattr(context, "minimum_version", ssl.TLSVersion.TLSv1_3)),
    "http/1.1 by ALPN": (lambda: None, lambda context: context.set_alpn_protocols(["http/1.1"])),
}
PLAIN: dict[str, list[Any]] = {
    "no length": [head(200), b"hello", CLOSE],
    "odd header": [b"HTTP/1.1 200 OK\r\nX-Gr\xf6\xdfe: 1\r\nContent-Length: 5\r\n\r\nhello"],
    "twice the same length": [b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello"],
    "204 that says it is chunked": [b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"],
    "304 with a length": [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
    "103 before": [head(103, {"Link": "</x>"}), *answer(200, "hello")],
    "redirect": redirect("/there"),
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\n\r\nhello", CLOSE],
    "cut off": [*answer(200, "hello", length=50), CLOSE],
    "closed": [CLOSE],
    "another protocol": [b"SSH-2.0-OpenSSH_9.2\r\n", CLOSE],
}


def curl(url: str) -> int | None:
    """The status that curl has got in full, None where it fails."""
    words = ["curl", "-q", "-sS", "-k", "-L", "--http1.1", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}"]
    ran = subprocess.run([*words, url], capture_output=True, text=True, timeout=60, check=False)
    return int(ran.stdout) if ran.returncode == 0 else None


def ours(url: str) -> int | None:
    try:
        got = fetch(url, {}, Deadline.after(20), verify=False)
    except NoAnswer:
        return None
    return None if got.flaw else got.status


@pytest.mark.parametrize("name", TLS)
def test_a_handshake_succeeds_where_curls_does(name: str) -> None:
    key, adjust = TLS[name]
    with WebServer(tls=issue(authority(), key=key()), adjust=adjust) as server:
        server.on("/", answer(200, "hello"))
        assert (ours(server.url()), curl(server.url())) == (200, 200)


@pytest.mark.parametrize("name", PLAIN)
def test_an_answer_is_one_where_it_is_for_curl(name: str, server: WebServer) -> None:
    server.on("/", PLAIN[name])
    server.on("/there", answer(200))
    assert ours(server.url()) == curl(server.url())


def test_a_reset_is_none_for_either(server: WebServer) -> None:
    server.on("/", [RESET])
    assert (ours(server.url()), curl(server.url())) == (None, None)
