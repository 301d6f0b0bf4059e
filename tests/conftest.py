"""What every test gets: a machine without a network but loopback, a home of its own, and two ways to run `pom`."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from certificates import authority
from hypothesis import HealthCheck, settings
from postmark_server import PostmarkServer
from web_server import WebServer, answer

from pom_cli import cli
from pom_cli.toml import paths

ROOT = Path(__file__).parent.parent
OURS = ("POM_", "_POM_", "XDG_")
FROM_SYSTEMD = ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CONFIGURATION_DIRECTORY", "CREDENTIALS_DIRECTORY")

# No test hangs on how fast this machine is just now.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# However this run was started, what its tests start takes signals as if from a terminal. A script's `&` and nohup
# ignore these two, and a child inherits that; it does not inherit a handler, and this run goes on ignoring them.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


class OffLoopback(AssertionError):
    """A test reached for the network."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every socket that leaves loopback, and every name that would be looked up elsewhere.

    The code under test may swallow the refusal, or meet it in a thread: the test then fails at its end.
    """
    reached: list[str] = []

    def refuse(what: object) -> None:
        reached.append(str(what))
        raise OffLoopback(f"a test must not reach {what}")

    def guarded(name: str) -> None:
        real = getattr(socket.socket, name)

        def method(self: socket.socket, *args: Any) -> Any:
            address = args[-1] if name.startswith("send") else args[0]
            if isinstance(address, tuple) and not _is_loopback(str(address[0])):
                refuse(address)
            return real(self, *args)

        monkeypatch.setattr(socket.socket, name, method)

    real_lookup = socket.getaddrinfo

    def lookup(host: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        flags = more.get("flags") or (args[4] if len(args) > 4 else 0)
        if name is not None and not _is_address(name) and not flags & socket.AI_NUMERICHOST:
            if name.lower().rstrip(".").endswith("invalid"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            if name != "localhost":
                refuse(name)
            host = "127.0.0.1"  # which of its addresses a machine's hosts file has differs
        return real_lookup(host, *args, **more)

    for name in ("connect", "connect_ex", "sendto", "sendmsg"):
        guarded(name)
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    yield
    assert not reached, f"the test reached for {reached}"


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return True
    return False


def _is_loopback(host: str) -> bool:
    return host in ("", "localhost", "::1") or (host.startswith("127.") and _is_address(host))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and nothing of the environment or of an installed PoM that could reach into a test."""
    for name in os.environ:
        if name.startswith(OURS) or name in FROM_SYSTEMD:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    runtime = tmp_path / "runtime"
    home.mkdir()
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local/share"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(paths, "ETC", tmp_path / "etc" / "pom" / "pom.toml")
    return home


@pytest.fixture
def server() -> Iterator[WebServer]:
    """It answers as the test has it."""
    with WebServer() as started:
        yield started


@pytest.fixture
def web(server: WebServer) -> WebServer:
    """A site whose front page is fine."""
    server.on("/", answer(200))
    return server


@pytest.fixture
def postmark() -> Iterator[PostmarkServer]:
    with PostmarkServer(token="token") as server:
        yield server


@pytest.fixture(scope="session")
def roots(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The test authority's own certificate, as a ca_file."""
    return str(authority().write_public(tmp_path_factory.mktemp("ca") / "ca.pem"))


@dataclass(frozen=True)
class Ran:
    """How one command line ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        return self.err.splitlines()


Pom = Callable[..., Ran]


@pytest.fixture
def config_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a config; its database stays in the test's folder."""

    def write(text: str) -> Path:
        path = tmp_path / "conf" / "pom.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def pom(config_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Pom:
    """`pom("check", "--due", config="…toml…", env={…})`: a command line run in this process."""

    def run(*words: object, config: str | None = None, env: Mapping[str, str] | None = None) -> Ran:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        with monkeypatch.context() as changed:
            for name, value in (env or {}).items():
                changed.setenv(name, value)
            with redirect_stdout(out), redirect_stderr(err):
                code = cli.run(_arguments(words, config, config_file))
        return Ran(code, _written(out), _written(err))

    return run


@pytest.fixture
def pom_process(config_file: Callable[[str], Path], tmp_path: Path) -> Pom:
    """The same as a process of its own: what start-up, exit codes, signals and pipes need."""

    def run(*words: object, config: str | None = None, env: Mapping[str, str] | None = None, **more: Any) -> Ran:
        command = [sys.executable, "-m", "pom_cli", *_arguments(words, config, config_file)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        options = {"capture_output": True, "timeout": 60, "cwd": tmp_path, **more}
        done = subprocess.run(command, env=environ, encoding="utf-8", check=False, **options)
        return Ran(done.returncode, done.stdout or "", done.stderr or "")

    return run


def _arguments(words: tuple[object, ...], config: str | None, write: Callable[[str], Path]) -> list[str]:
    named = [] if config is None else ["--config", str(write(config))]
    return named + [str(word) for word in words]


def _written(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")
