import errno
import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from certificates import issue
from conftest import Pom
from named_servers import name_servers
from web_server import WebServer, answer
from web_server import json as json_answer

from pom_cli import config
from pom_cli.commands.init import name_for, write_new
from pom_cli.errors import UsageError
from pom_cli.net import race
from pom_cli.toml import paths
from pom_cli.toml.address import is_loopback


@pytest.fixture(autouse=True)
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a network: no name resolves, and no address but this machine's is tried."""
    name_servers(monkeypatch, {})
    real = race.new_socket

    def new_socket(address: race.Address) -> object:
        if not is_loopback(address.ip):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return real(address)

    monkeypatch.setattr(race, "new_socket", new_socket)


@pytest.mark.parametrize(
    ("urls", "names"),
    [
        (["https://shop.example.com"], ["shop"]),
        (["https://www.example.com"], ["example"]),
        (["https://Example.COM/a"], ["example"]),
        (["https://a.example.com", "https://a.example.org"], ["a", "a-example-org"]),
        (["https://a.example", "https://a.example:8443", "https://a.example/x"], ["a", "a-example", "a-example-443"]),
        (["https://a.example", "https://a.example/1", "https://a.example/2", "https://a.example/3", "https://a.example/4"],
         ["a", "a-example", "a-example-443", "a-example-2", "a-example-3"]),
        (["http://192.0.2.7:8080"], ["192-0-2-7"]),
        (["http://192.0.2.7:1", "http://192.0.2.7:2"], ["192-0-2-7", "192-0-2-7-2"]),
        (["http://[2001:db8::7]/"], ["2001-db8-7"]),
        (["http://[::1]/"], ["1"]),
        (["https://bücher.example"], ["xn--bcher-kva"]),
        (["https://dns.example.com", "https://health.example.com"], ["dns-example-com", "health-example-com"]),
        (["https://localhost"], ["localhost"]),
        (["https://_x.example"], ["_x"]),
        (["https://" + ".".join(["a" * 60] * 4)] * 2, ["a" * 60]),
    ],
)  # fmt: skip
def test_a_target_is_named_after_its_host(urls: list[str], names: list[str], pom: Pom, home: Path) -> None:
    ran = pom("init", *urls)
    assert ran.code == 0
    loaded = config.load(home / ".config/pom/pom.toml", os.environ)
    assert list(loaded.targets) == names
    assert [target.url for target in loaded.targets.values()] == list(dict.fromkeys(urls))


def test_a_name_that_is_taken_however_often_is_never_given_again() -> None:
    taken = {"a", "a-example", "a-example-443", "a-example-2", "a-example-4"}
    assert name_for("https://a.example", taken) == "a-example-3"


def test_it_is_written_where_it_is_then_found(pom: Pom, home: Path) -> None:
    ran = pom("init", "https://shop.example.com")
    assert ran.out.endswith(f"\nwrote {home}/.config/pom/pom.toml; next: pom check\n")
    assert pom("config", "check").code == 0


def test_another_place_can_be_named_and_its_folder_is_made(pom: Pom, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "my.toml"
    ran = pom("--config", path, "init", "https://shop.example.com")
    assert ran.out.endswith(f"\nwrote {path}; next: pom --config '{path}' check\n")
    assert pom("--config", path, "config", "check").code == 0


def test_what_stands_there_is_left_as_it_is(pom: Pom, tmp_path: Path) -> None:
    path = tmp_path / "pom.toml"
    path.write_bytes(b"\xff precious")
    ran = pom("--config", path, "init", "https://shop.example.com")
    told = f"pom: {path}: already exists; not overwritten. Use --config FILE to write elsewhere"
    assert (ran.code, ran.out, ran.complaints) == (2, "", [told])
    assert path.read_bytes() == b"\xff precious"


def test_so_is_an_installed_one(pom: Pom) -> None:
    paths.ETC.parent.mkdir(parents=True)
    paths.ETC.write_text("")
    ran = pom("init", "https://shop.example.com")
    assert ran.code == 2
    assert paths.ETC.read_text() == ""


@pytest.mark.parametrize("made", [Path.mkdir, lambda path: path.symlink_to("/nonexistent/place")])
def test_nor_is_a_folder_or_a_dangling_link_replaced(made: object, pom: Pom, tmp_path: Path) -> None:
    path = tmp_path / "pom.toml"
    made(path)  # type: ignore[operator]
    assert pom("--config", path, "init", "https://shop.example.com").code == 2
    assert path.is_dir() or path.is_symlink()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["shop example"], "'shop example' is not a URL like https://example.com"),
        (["https://a.example", "ftp://b.example"], "'ftp://b.example' is not a URL like https://example.com"),
        (["https://me:hush@a.example"], "'https://(hidden)@a.example' is not a URL like https://example.com"),
        (["https://a.example\n[targets.evil]"], r"'https://a.example\n[targets.evil]' is not a URL like"),
        (['https://a.example/"'], "'https://a.example/\"' is not a URL like https://example.com"),
    ],
)
def test_what_is_no_url_is_refused_and_nothing_written(words: list[str], complaint: str, pom: Pom, home: Path) -> None:
    ran = pom("init", *words)
    assert (ran.code, len(ran.complaints)) == (2, 1)
    assert ran.complaints[0].startswith(f"pom: {complaint}")
    assert not (home / ".config").exists()


def test_a_place_that_cannot_be_written_is_told(pom: Pom, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = pom("--config", tmp_path / "file" / "pom.toml", "init", "https://shop.example.com")
    assert ran.code == 2
    assert ran.err.startswith(f"pom: {tmp_path}/file/pom.toml: cannot be written: ")


def test_of_a_file_that_could_not_be_written_whole_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    class Full:
        def __init__(self, path: Path) -> None:
            self.file = real(path, "x")

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, text: str) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", lambda path, *_args, **_more: Full(path))
    with pytest.raises(UsageError, match=r"pom\.toml: cannot be written: No space left on device"):
        write_new(tmp_path / "pom.toml", "x")
    assert not (tmp_path / "pom.toml").exists()


def test_every_line_behind_a_sign_is_right_as_it_stands(pom: Pom, home: Path) -> None:
    pom("init", "https://shop.example.com")
    path = home / ".config/pom/pom.toml"
    written = path.read_text(encoding="utf-8")
    config.parse("\n".join(uncommented(line) for line in written.splitlines()), path, os.environ)


def uncommented(line: str) -> str:
    return line.removeprefix("# ") if " = " in line or line.startswith("# [") else line


def test_the_first_check_works_at_once(pom: Pom) -> None:
    with WebServer() as server:
        server.on("/", answer(200))
        assert pom("init", server.url()).code == 0
        ran = pom("check", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert [(one["target"], one["kind"], one["status"]) for one in json.loads(ran.out)["results"]] == [
        ("127-0-0-1", "health", "operational")
    ]
    assert pom("status").out.splitlines()[0].endswith("127-0-0-1 operational")


def test_without_a_network_the_plain_config_is_written_and_it_is_said_what_was_not_looked_at(
    pom: Pom, home: Path
) -> None:
    ran = pom("init", "https://shop.example.com", "http://192.0.2.7:8080")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[:2] == [
        "shop https://shop.example.com: could not be looked at: name does not resolve",
        "192-0-2-7 http://192.0.2.7:8080: does not answer: network unreachable",
    ]
    loaded = config.load(home / ".config/pom/pom.toml", os.environ)
    assert {name: list(target.checks) for name, target in loaded.targets.items()} == {
        "shop": ["health", "tls"],
        "192-0-2-7": ["health"],
    }


def test_what_is_found_today_is_written_and_the_first_check_of_it_is_green(pom: Pom, home: Path) -> None:
    with WebServer() as web, WebServer(host="::1", tls=issue(None)) as secure:
        web.on("/", answer(200, '<a href="/pricing">'))
        web.on("/pricing", answer(200))
        web.on("/api/health", json_answer('{"status": "operational"}'))
        secure.on("/", answer(200))
        ran = pom("init", web.url(), secure.url())
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.splitlines()[0] == f"127-0-0-1 {web.url()}: health at /api/health, 2 routes"
        assert re.fullmatch(
            r"1 https://\[::1\]:\d+/: answers 200, certificate until \d{4}-\d\d-\d\d, not trusted: verify = false",
            ran.out.splitlines()[1],
        )
        checked = pom("check", "--json")
    assert (checked.code, checked.err) == (0, "")
    assert [(one["target"], one["kind"], one["subject"]) for one in json.loads(checked.out)["results"]] == [
        ("127-0-0-1", "health", ""),
        ("127-0-0-1", "routes", "/"),
        ("127-0-0-1", "routes", "/pricing"),
        ("1", "health", ""),
        ("1", "tls", f"[::1]:{secure.port}"),
    ]
    assert pom("config", "check").code == 0
    text = (home / ".config/pom/pom.toml").read_text(encoding="utf-8")
    assert 'path = "/api/health"\nexpect = { status = "operational" }\n' in text


def test_what_stands_there_is_found_before_anything_is_looked_at(pom: Pom, tmp_path: Path) -> None:
    (tmp_path / "pom.toml").touch()
    with WebServer() as server:
        assert pom("--config", tmp_path / "pom.toml", "init", server.url()).code == 2
    assert server.requests == []


def test_a_file_that_came_in_between_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "pom.toml"
    path.write_text("precious")
    with pytest.raises(UsageError, match="already exists; not overwritten"):
        write_new(path, "x")
    assert path.read_text() == "precious"


def test_progress_is_told_on_a_terminal_alone(pom_process: Pom, tmp_path: Path) -> None:
    with WebServer() as server:
        server.on("/", answer(200))
        plain = pom_process("--config", "one.toml", "init", server.url())
        ours, theirs = pty.openpty()
        try:
            streams = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": theirs}
            watched = pom_process("--config", "two.toml", "init", server.url(), **streams)
            told = os.read(ours, 4096).decode()
        finally:
            os.close(ours)
            os.close(theirs)
    assert (plain.code, plain.err) == (0, "")
    assert (watched.code, watched.out.replace("two", "one")) == (0, plain.out)
    assert told.splitlines() == [f"looking at {server.url()} …", f"looked at {server.url()}"]


def test_alerts_to_somebody_over_a_mail_server_are_written(
    pom: Pom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pom.toml"
    ran = pom(
        "--config", path, "init", "http://127.0.0.1:9", "--to", "ops@example.com", "--smtp", "mail.example.com:587"
    )
    assert ran.code == 0
    alerts = config.load(path, os.environ).alerts
    assert (alerts.to, alerts.channels) == (("ops@example.com",), ("smtp",))
    assert (alerts.settings["smtp"].host, alerts.settings["smtp"].port) == ("mail.example.com", 587)


@pytest.mark.parametrize("words", [["--smtp", "mail.example.com"], ["--to", "ops@example.com", "--smtp", "a b"]])
def test_a_mail_server_needs_recipients_and_a_name(words: list[str], pom: Pom, tmp_path: Path) -> None:
    ran = pom("--config", tmp_path / "pom.toml", "init", "http://127.0.0.1:9", *words)
    assert ran.code == 2 and "--smtp" in ran.err
    assert not (tmp_path / "pom.toml").exists()
