"""How long a heartbeat takes, with one https peer: `python tests/bench/bench_heartbeat.py`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import web_server
from certificates import authority, issue
from pairs import POM, PYTHON, cost, paired
from web_server import WebServer

ANSWER = '{"name": "astra", "version": "0.1.0", "id": "7d8f4e0a-2f8d-4a65-9a51-1f0c8a3f2d11", "overdue": []}'


def main() -> None:
    root = authority("bench")
    with tempfile.TemporaryDirectory() as name, WebServer(tls=issue(root)) as peer:
        folder = Path(name)
        peer.on("/api/peer", web_server.json(ANSWER))
        config = folder / "pom.toml"
        config.write_text(
            f'[instance]\nname = "hetzner"\ndata_dir = "{folder / "data"}"\n'
            f'[targets.shop]\nurl = "https://example.com"\n[peers.astra]\nurl = "{peer.url("")}"\n'
        )
        env = {"SSL_CERT_FILE": str(root.write_public(folder / "ca.pem"))}
        beat = [*POM, "--config", str(config), "heartbeat"]
        bare = [PYTHON, "-c", "pass"]
        paired("pom heartbeat, one https peer", lambda: cost(beat, env), lambda: cost(bare), "wall", 17, runs=21)


if __name__ == "__main__":
    main()
