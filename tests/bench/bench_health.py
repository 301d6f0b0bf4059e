"""pom check health against a bare requests loop that does the same GETs: `python tests/bench/bench_health.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from certificates import authority, issue
from pairs import POM, PYTHON, Cost, config, cost, paired, server

LOOP = """
import sys, requests
session = requests.Session()
for url in open(sys.argv[1]).read().split():
    session.get(url, timeout=10).content
"""
# One shared SSLContext: without it requests loads the CA bundle anew for every connection.
TLS_LOOP = """
import ssl, sys, requests
from requests.adapters import HTTPAdapter
context = ssl.create_default_context(cafile=sys.argv[2])
class Shared(HTTPAdapter):
    def init_poolmanager(self, *args, **options):
        super().init_poolmanager(*args, ssl_context=context, **options)
    def build_connection_pool_key_attributes(self, request, verify, cert=None):
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        for name in ("ca_certs", "ca_cert_dir", "cert_reqs"):
            pool.pop(name, None)
        pool["ssl_context"] = context
        return host, pool
    def cert_verify(self, *args):
        pass
session = requests.Session()
session.mount("https://", Shared())
for url in open(sys.argv[1]).read().split():
    session.get(url, timeout=10, headers={"Connection": "close"}).content
"""


def many(port: int, count: int, scheme: str = "http") -> list[str]:
    return [f"{scheme}://127.0.0.1:{port}/{number}" for number in range(count)]


def against_a_loop(name: str, folder: Path, urls: list[str], loop: list[str], more: str, goal: float) -> None:
    path = config(folder, urls, more)
    (folder / "urls").write_text("\n".join(urls))
    ours = [*POM, "--config", str(path), "check", "health"]
    theirs = [PYTHON, "-c", loop[0], str(folder / "urls"), *loop[1:]]
    paired(name, lambda: cost(ours), lambda: cost(theirs), "cpu", goal)


def slow_ones(folder: Path) -> None:
    with server("--delay", "0.1") as port:
        command = [*POM, "--config", str(config(folder, many(port, 200))), "check", "health"]
        cost(command)
        costs: list[Cost] = sorted((cost(command) for _ in range(5)), key=lambda one: one.wall)
        print(
            f"200 targets that take 100 ms: wall {costs[2].wall:.2f} s (goal ≤ 1.3), {costs[2].mib:.0f} MiB (goal ≤ 80)"
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with server() as port:
            against_a_loop("1,000 fast targets", folder, many(port, 1000), [LOOP], "", 1.35)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = authority("bench")
        ca, pair = root.write_public(folder / "ca.pem"), issue(root).write(folder / "pair.pem")
        with server("--tls", str(pair)) as port:
            more = f'health = {{ drift = false }}\ntls = {{ ca_file = "{ca}" }}'
            against_a_loop("200 https targets", folder, many(port, 200, "https"), [TLS_LOOP, str(ca)], more, 1.5)
    with tempfile.TemporaryDirectory() as name:
        slow_ones(Path(name))


if __name__ == "__main__":
    main()
