"""What root's runs leave behind: nothing that the timers' user cannot write."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Pom
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


def test_a_run_in_roots_own_folder_stays_roots(pom_process: Pom, tmp_path: Path, web: WebServer) -> None:
    assert pom_process("check", config=config(tmp_path / "own", web)).code == 0
    assert (tmp_path / "own" / "pom.db").stat().st_uid == 0
