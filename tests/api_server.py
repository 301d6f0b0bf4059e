"""The API for tests: a config with a database, an Application without sockets, and the real server on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from pom_cli import config, store
from pom_cli.alerting.states import advance
from pom_cli.config import Config
from pom_cli.model import OPERATIONAL, Condition, Finding, Key, Status, Verdict
from pom_cli.report.overview import holds_ms
from pom_cli.store import alerts as alert_rows
from pom_cli.store import results
from pom_cli.store.results import Record
from pom_cli.web.application import Application
from pom_cli.web.reader import Source
from pom_cli.web.server import Serving

TOKEN = "right-token"
TOML = """
[targets.shop]
url = "http://127.0.0.1:9/"
[targets.blog]
url = "http://127.0.0.1:9/blog"
[peers.astra]
url = "http://127.0.0.1:9"
"""


def load(folder: Path, toml: str = TOML, token: str = TOKEN) -> Config:
    """The config of an instance in this folder. It knows no rate limit unless the text sets one."""
    free = "" if "[serve]" in toml else "[serve]\nrate_limit = 0\n"
    text = f'[instance]\nname = "hetzner"\ndata_dir = "{folder / "data"}"\n{free}{toml}'
    (folder / "pom.toml").write_text(text)
    return config.parse(text, folder / "pom.toml", {"HOME": str(folder), "POM_API_TOKEN": token})


def database(loaded: Config) -> Path:
    return loaded.instance.data_dir / "pom.db"


def see(
    loaded: Config, target: str, status: Status = OPERATIONAL, ago: str | timedelta = timedelta(), ms: int | None = 40
) -> None:
    """Store one look at a target's health, so long ago, and follow its alert."""
    back = timedelta(seconds=int(ago[:-1])) if isinstance(ago, str) else ago
    at = datetime.now(UTC) - back
    key, verdict = Key(target, "health", ""), Verdict(status, f"it is {status}")
    finding = Finding("", status, f"it is {status}", {"health": verdict}, ms, {"http_status": 200})
    db = store.open_(database(loaded))
    try:
        with store.transaction(db):
            known = results.load(db, ("health",))
            state = advance(known[key].state if key in known else None, finding, at)
            holds = holds_ms(loaded.targets[target].checks["health"].interval)
            results.record(db, [Record(key, finding, state, holds)], known, at)
            before = alert_rows.load(db).get((target, "health"))
            alert = alert_rows.follow(db, before, Condition(target, "health", status, verdict.summary), at)
            if alert:
                alert_rows.save(db, alert)
    finally:
        db.close()


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def replies(data: bytes, heads: tuple[int, ...] = ()) -> list[Reply]:
    """The answers in what a connection gave; those of these numbers (from 0) have no body."""
    found = []
    while data:
        top, _, data = data.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if len(found) in heads else int(headers.get("content-length", 0))
        found.append(Reply(int(first.split(" ")[1]), headers, data[:length]))
        data = data[length:]
    return found


@dataclass
class ApiServer:
    """Use it as `with ApiServer(config) as server:`; the server runs in a thread of this process."""

    config: Config
    complaints: list[str] = field(default_factory=list)

    def __enter__(self) -> ApiServer:
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = listener.getsockname()[1]
        self.stopping = threading.Event()
        source = Source(database(self.config), self.complaints.append)
        application = Application(self.config, "the-id", source, self.complaints.append)
        self.serving = Serving(application, [listener], self.stopping)
        self.thread = threading.Thread(target=self.serving.run, args=(lambda: None,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stopping.set()
        self.serving.wake()
        self.thread.join(10)
        assert not self.thread.is_alive(), "the server does not stop"

    def connect(self, timeout: float = 30.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def raw(self, data: bytes, timeout: float = 30.0) -> bytes:
        """Send these bytes, and read until the server closes the connection."""
        with self.connect(timeout) as sock:
            sock.sendall(data)
            return read_all(sock)

    def ask(self, path: str, method: str = "GET", token: str | None = TOKEN, **headers: str) -> Reply:
        """One request over a connection of its own."""
        fields = {"Host": "pom", "Connection": "close", **({"Authorization": f"Bearer {token}"} if token else {})}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        data = self.raw(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"))
        return replies(data, heads=(0,) if method == "HEAD" else ())[0]


def read_all(sock: socket.socket) -> bytes:
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def read_one(sock: socket.socket) -> Reply:
    """One answer from a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(1)
        assert piece, "the server closed the connection"
        data += piece
    length = replies(data)[0].headers.get("content-length", "0")
    body = b""
    while len(body) < int(length):
        body += sock.recv(int(length) - len(body))
    return replies(data + body)[0]
