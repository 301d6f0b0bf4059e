"""pom serve against bare waitress that answers the same bytes: `python tests/bench/bench_api.py`.

100 targets with 30 days of history (`--days` for less), 16 clients. Requests/s as the ratio of pairs A B A B.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench_store import KEYS, fill
from pairs import POM, PYTHON

from pom_cli import store

TOKEN = "bench-token"
PATHS = ("/api/health", "/api/status", "/api/status/target-7", "/api/mesh", "/metrics")
BARE = """
import sys, waitress
body = open(sys.argv[2], "rb").read()
headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
def answer(environ, start):
    start("200 OK", headers)
    return [body]
waitress.serve(answer, listen="127.0.0.1:" + sys.argv[1], threads=4)
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """A server in a process of its own, once it listens; gives its process id."""
    env = {**os.environ, "POM_API_TOKEN": TOKEN}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def load(port: int, path: str, seconds: float = 1.5, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    more = [part for one in (f"Authorization: Bearer {TOKEN}", *headers) for part in ("--header", one)]
    command = [PYTHON, str(Path(__file__).with_name("load.py")), str(port), path, "--seconds", str(seconds), *more]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def fetch(port: int, path: str) -> tuple[bytes, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read(), answer.headers["ETag"]


def peak_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


def compare(path: str, port: int, folder: Path, pairs: int) -> None:
    body, etag = fetch(port, path)
    (folder / "body").write_bytes(body)
    bare_port = free_port()
    with running([PYTHON, "-c", BARE, str(bare_port), str(folder / "body")], bare_port):
        load(port, path, 0.5), load(bare_port, "/", 0.5)
        both = [(load(port, path), load(bare_port, "/")) for _ in range(pairs)]
    ratio = statistics.median(ours["rate"] / theirs["rate"] for ours, theirs in both)
    rates = [statistics.median(one[side]["rate"] for one in both) for side in (0, 1)]
    p99 = [statistics.median(one[side]["p99_ms"] for one in both) for side in (0, 1)]
    again = load(port, path, 1.0, (f"If-None-Match: {etag}",))
    assert {status for ours, _ in both for status in ours["statuses"]} == {"200"}, both
    print(
        f"{path} ({len(body)} bytes): {rates[0]:.0f} requests/s, ratio to bare waitress {ratio:.2f} (goal ≥ 0.8);"
        f" p99 {p99[0]:.1f} ms against {p99[1]:.1f} ms; known by ETag {again['rate']:.0f} requests/s"
    )


def config(folder: Path, port: int) -> Path:
    path = folder / "pom.toml"
    targets = "".join(f'[targets.{key.target}]\nurl = "http://127.0.0.1:9/"\n' for key in KEYS)
    path.write_text(
        f'[instance]\nname = "bench"\ndata_dir = "{folder}"\n[serve]\nlisten = "127.0.0.1:{port}"\nrate_limit = 0\n'
        f'{targets}[peers.astra]\nurl = "http://127.0.0.1:9"\n'
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        db = store.open_(folder / "pom.db")
        db.execute("PRAGMA synchronous=OFF")  # the filling alone: it is not what is measured
        fill(db, options.days, datetime.now(UTC) - timedelta(days=options.days))
        db.close()
        with running([*POM, "--config", str(config(folder, port)), "serve"], port) as pid:
            for path in PATHS:
                compare(path, port, folder, options.pairs)
            before = peak_mib(pid)
            for path in ("/api/history/target-7?since=30d&limit=10000", "/api/trends/target-7?since=30d"):
                begun = time.perf_counter()
                body, _ = fetch(port, path)
                print(f"{path}: {len(body)} bytes in {(time.perf_counter() - begun) * 1000:.0f} ms")
            print(f"peak memory {before:.1f} MiB (goal ≤ 40), {peak_mib(pid):.1f} MiB after a long history")


if __name__ == "__main__":
    sys.exit(main())
