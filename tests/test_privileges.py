"""What root's runs leave behind: nothing that the timers' user cannot write."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import root_watch
from conftest import ROOT, Pom
from web_server import WebServer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can step down")

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of another user's, in a place that this one can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    data = tmp_path / "data"
    data.mkdir(mode=0o750)
    os.chown(data, NOBODY.pw_uid, NOBODY.pw_gid)
    if not _reaches_python():
        pytest.skip("user nobody cannot reach this interpreter")
    return data


VICTIM = "root's own\n"
# Every command, as an operator types it. What each leaves and finds in the folder is the same as in a timer's run.
COMMANDS = [
    ("check",),
    ("check", "--due"),
    ("check", "--dry-run"),
    ("check", "whois", "--dry-run"),
    ("heartbeat",),
    ("test",),
    ("test", "record", "shop", "--passed", "1", "--failed", "0"),
    ("mesh",),
    ("mesh", "--accept", "astra"),
    ("status",),
    ("status", "--json"),
    ("history", "shop"),
    ("incidents",),
    ("alerts",),
    ("alerts", "test"),
    ("alerts", "retry"),
    ("silence", "shop", "--for", "1m"),
    ("silence", "--list"),
    ("runbook", "health", "shop"),
    ("prune",),
    ("config", "check"),
    ("config", "show"),
    ("doctor",),
    ("ack", "shop"),
    ("deployed", "shop", "--rev", "abc"),
    ("report",),
    ("report", "--mail"),
    ("backup", "{out}/copy.db"),
    ("backup", "{data}/copy.db"),
    ("serve",),
]


def watched(words: tuple[str, ...], data: Path, config: str, tmp_path: Path) -> tuple[int, list[str], str]:
    """The command as root, under strace: its exit code, what root did below the data folder, and what it said."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    file, out, trace = tmp_path / "pom.toml", tmp_path / "out", tmp_path / "trace"
    file.write_text(config)
    out.mkdir(mode=0o700, exist_ok=True)
    filled = [word.format(out=out, data=data) for word in words]
    strace = ["strace", "-f", "-qq", "-y", "-s", "300", "-e", "trace=%file,%process,setuid,setreuid,setresuid"]
    command = [*strace, "-o", str(trace), sys.executable, "-m", "pom_cli", "--config", str(file), *filled]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": "/root", "POM_API_TOKEN": "a-token-that-is-long"}
    process = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path, start_new_session=True
    )
    if words == ("serve",):  # it ends when it is told to
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=120)
    return process.returncode, root_watch.read(trace.read_text(errors="replace"), str(data)).by_root, said.decode()


def trap(data: Path, victim: Path) -> None:
    """What a user who would be root puts there: links in the place of everything that PoM knows by name."""
    (victim / "folder").mkdir(parents=True)
    names = ("instance_id", "pom.db", "pom.db-journal", "registry.json", "last-good.toml", "copy.db")
    for name in names:
        (victim / name).write_text(VICTIM)
        (data / name).symlink_to(victim / name)
    for name in ("running", "backups"):
        (data / name).symlink_to(victim / "folder")
    for path in (victim, *victim.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
    for path in data.iterdir():
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)


def _reaches_python() -> bool:
    identity: dict[str, Any] = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
    try:
        tried = subprocess.run([sys.executable, "-c", "import click, json"], capture_output=True, cwd="/", **identity)
    except OSError:
        return False
    return tried.returncode == 0


def config(data: Path, web: WebServer) -> str:
    return (
        f'[instance]\ndata_dir = "{data}"\n[offline]\nwitnesses = []\n'
        f'[targets.shop]\nurl = "{web.url()}"\nhealth = {{ attempts = 1 }}\n'
    )


@pytest.mark.parametrize(
    "words",
    [("check",), ("check", "--due"), ("prune",), ("alerts", "test")],
    ids=" ".join,
)
def test_all_that_roots_run_makes_belongs_to_the_owner_of_the_data_folder(
    pom_process: Pom, data: Path, web: WebServer, words: tuple[str, ...]
) -> None:
    # The environment of a login as root: none of it may be what makes this work.
    ran = pom_process(*words, config=config(data, web), env={"HOME": "/root", "XDG_RUNTIME_DIR": "/run/user/0"})
    assert ran.code == 0, ran.err
    made = {path.name: path.stat().st_uid for path in data.rglob("*")}
    assert "pom.db" in made
    assert set(made.values()) == {NOBODY.pw_uid}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def with_all(data: Path, web: WebServer) -> str:
    """A config in which every command has something to do; its domain is asked of nobody."""
    tables = (
        f'[peers.astra]\nurl = "{web.url("")}"\n'
        '[targets.shop.tests]\ncommand = "echo 1 passed"\n'
        '[targets.shop.whois]\ndomain = "example.com"\nrdap = "http://127.0.0.1:1/"\nserver = "127.0.0.1:1"\n'
    )
    return f'{config(data, web)}{tables}[serve]\nlisten = "127.0.0.1:{free_port()}"\n'.replace(
        "[offline]", "[alerts]\n[offline]"
    )


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_root_touches_nothing_in_a_folder_of_another_user(
    data: Path, web: WebServer, tmp_path: Path, words: tuple[str, ...]
) -> None:
    watched(("check", "health"), data, with_all(data, web), tmp_path)  # so that there is something to show
    code, by_root, said = watched(words, data, with_all(data, web), tmp_path)
    assert by_root == [], said
    assert code in (0, 1, -15), said
    assert {path.stat().st_uid for path in data.rglob("*")} <= {NOBODY.pw_uid}


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_links_in_such_a_folder_lead_root_nowhere(
    data: Path, web: WebServer, tmp_path: Path, words: tuple[str, ...]
) -> None:
    victim = tmp_path / "victim"
    trap(data, victim)
    before = {path: (path.stat().st_uid, path.stat().st_mode) for path in (victim, *victim.rglob("*"))}
    _, by_root, said = watched(words, data, with_all(data, web), tmp_path)
    assert by_root == [], said
    assert {path: (path.stat().st_uid, path.stat().st_mode) for path in (victim, *victim.rglob("*"))} == before
    assert {path.read_text() for path in victim.iterdir() if path.is_file()} == {VICTIM}


@pytest.mark.slow
def test_roots_backup_is_roots(pom_process: Pom, data: Path, web: WebServer, tmp_path: Path) -> None:
    assert pom_process("check", config=config(data, web)).code == 0
    place = tmp_path / "out"
    place.mkdir(mode=0o700)
    ran = pom_process("backup", place / "copy.db", config=config(data, web))
    assert ran.code == 0, ran.err
    found = (place / "copy.db").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (0, 0o600)
    assert [path.name for path in place.iterdir()] == ["copy.db"]


@pytest.mark.slow
def test_every_command_is_watched() -> None:
    from pom_cli.cli import COMMANDS as KNOWN

    elsewhere = {"init"}  # it writes a config, and knows no data folder yet
    assert {words[0] for words in COMMANDS} | elsewhere == set(KNOWN)


def test_a_run_in_roots_own_folder_stays_roots(pom_process: Pom, tmp_path: Path, web: WebServer) -> None:
    assert pom_process("check", config=config(tmp_path / "own", web)).code == 0
    assert (tmp_path / "own" / "pom.db").stat().st_uid == 0
