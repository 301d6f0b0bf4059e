"""The other kinds against bare loops that do the same: `python tests/bench/bench_kinds.py`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from certificates import authority, issue
from pairs import POM, PYTHON, config, cost, paired, server

TLS_LOOP = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
for _ in range(200):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as plain:
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            secure.getpeercert()
"""
ROUTES_LOOP = """
import sys, requests
for target in range(20):
    session = requests.Session()
    for path in range(20):
        session.get(f"http://127.0.0.1:{sys.argv[1]}/{target}/{path}", timeout=10).content
"""
DNS_LOOP = """
import sys, dns.resolver
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = ["127.0.0.1"], int(sys.argv[1])
for number in range(200):
    list(resolver.resolve(f"h{number}.example.com.", "A"))
"""


def tls() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = authority("bench")
        ca, pair = root.write_public(folder / "ca.pem"), issue(root).write(folder / "pair.pem")
        with server("--tls", str(pair)) as port:
            urls = [f"https://127.0.0.1:{port}/{number}" for number in range(200)]
            path = config(folder, urls, f'health = false\ntls = {{ ca_file = "{ca}" }}')
            ours = [*POM, "--config", str(path), "check", "tls"]
            theirs = [PYTHON, "-c", TLS_LOOP, str(port), str(ca)]
            paired("tls of 200 hosts", lambda: cost(ours), lambda: cost(theirs), "cpu", 1.6)
            plugin = shutil.which("check_http", path="/usr/lib/nagios/plugins")
            if plugin is None:
                print("tls against check_http: monitoring-plugins is not installed here")
                return
            script = f"for i in $(seq 200); do {plugin} -I 127.0.0.1 -p {port} -S -C 1 >/dev/null; done"
            paired("tls against check_http -C", lambda: cost(ours), lambda: cost(["sh", "-c", script]), "cpu", 0.35, 3)


def routes() -> None:
    with tempfile.TemporaryDirectory() as name, server() as port:
        paths = ", ".join(f'"/{number}"' for number in range(20))
        urls = [f"http://127.0.0.1:{port}/{number}" for number in range(20)]
        path = config(Path(name), urls, f"health = false\nroutes = {{ paths = [{paths}] }}")
        ours = [*POM, "--config", str(path), "check", "routes"]
        theirs = [PYTHON, "-c", ROUTES_LOOP, str(port)]
        paired("routes of 20 × 20 paths", lambda: cost(ours), lambda: cost(theirs), "cpu", 1.5)


def dns() -> None:
    from subprocess import PIPE, Popen

    script = Path(__file__).with_name("name_server.py")
    with tempfile.TemporaryDirectory() as name, Popen([PYTHON, script], stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        records = ", ".join(
            f'{{ name = "h{number}.example.com", type = "A", expected = ["192.0.2.1"] }}' for number in range(200)
        )
        more = f"health = false\ndns = {{ records = [{records}] }}"
        path = config(Path(name), [f"http://127.0.0.1:{port}"], more)
        path.write_text(path.read_text().replace("[instance]", f'[instance]\nresolvers = ["127.0.0.1:{port}"]'))
        ours = [*POM, "--config", str(path), "check", "dns"]
        theirs = [PYTHON, "-c", DNS_LOOP, str(port)]
        paired("dns of 200 records", lambda: cost(ours), lambda: cost(theirs), "cpu", 1.5)
        process.terminate()


if __name__ == "__main__":
    tls()
    routes()
    dns()
