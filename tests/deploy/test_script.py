"""deploy.sh itself: clean, safe with what it is given, and good for a trial in the checkout."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import boxes
import pytest

from pom_cli import config

ROOT = Path(__file__).parents[2]


def script(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [str(folder / "deploy.sh"), *words]
    # No host is ever reached by mistake.
    environ = {**os.environ, "POM_SSH": "false"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, cwd="/")


def test_shellcheck_finds_nothing() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", str(ROOT / "deploy.sh")], capture_output=True, text=True)
    assert done.stdout == ""


def test_help_tells_every_form_and_option() -> None:
    told = script("--help").stdout
    for word in ("rollback HOST", "status", "local", "--all", "--config FILE", "--env FILE", "POM_SSH"):
        assert word in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--frob",), "--frob is not an option"),
        (("rollback",), "rollback takes one HOST"),
        (("rollback", "a", "b"), "rollback takes one HOST"),
        (("--config", "/nonexistent", "a"), "'/nonexistent' is no file"),
        (("--env",), "--env: '' is no file"),
    ],
)
def test_wrong_use_is_2_and_one_line(words: tuple[str, ...], told: str) -> None:
    done = script(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_host_that_cannot_be_reached_is_1_and_named() -> None:
    done = script("root@192.0.2.7")
    assert done.returncode == 1
    assert "root@192.0.2.7: cannot be reached" in done.stderr
    assert "nothing was changed" in done.stderr


def test_no_file_of_a_release_names_a_package_registry() -> None:
    text = (ROOT / "deploy.sh").read_text()
    assert "pypi" not in text.lower()
    assert "--index-url" not in text


# Takes the place of ssh: tells canned facts, and keeps what is uploaded. Called as `ssh -o … HOST COMMAND`.
SSH = """#!/bin/bash
while [ "${1#-}" != "$1" ]; do [ "$1" != -O ] || exit 0; shift 2; done
host=$1; shift
case "$*" in
    *tar*) mkdir -p "$PLACE/$host" && tar -xf - -C "$PLACE/$host" ;;
    *sh) grep -q 'uname -m' && cat "$PLACE/$host.facts" || true ;;
    *) echo "$*" >>"$PLACE/$host.commands" ;;
esac
"""
FACTS = """\
uid={uid}
root=yes
name={name}
machine={machine}
address={address}
systemd=yes
python={python}
libc=36
done=yes
"""


@pytest.mark.slow
def test_each_host_gets_the_wheels_for_its_machine_and_its_python_and_a_config_with_the_others_as_peers(
    tmp_path: Path,
) -> None:
    ssh, hosts = tmp_path / "ssh", tmp_path / "hosts"
    hosts.mkdir()
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    one = {"uid": 0, "name": "hetzner", "machine": "x86_64", "address": "192.0.2.7", "python": "3.13"}
    two = {"uid": 1000, "name": "astra", "machine": "aarch64", "address": "2001:db8::7", "python": "3.11"}
    (hosts / "root@a.facts").write_text(FACTS.format(**one))
    (hosts / "max@b.facts").write_text(FACTS.format(**two))
    environ = {**os.environ, "POM_SSH": str(ssh), "PLACE": str(hosts), "HOME": pwd.getpwuid(os.getuid()).pw_dir}
    done = subprocess.run(
        [str(ROOT / "deploy.sh"), "root@a", "max@b"], env=environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for host, python, machine in (("root@a", "cp313", "x86_64"), ("max@b", "cp311", "aarch64")):
        wheels = [wheel.name for wheel in (hosts / host / "wheels").iterdir()]
        assert {name.split("-")[0] for name in wheels} >= {"pom_cli", "pip", "requests", "cryptography", "waitress"}
        bound = [name for name in wheels if not name.endswith("-any.whl")]
        assert bound
        assert all(machine in name and (python in name or "abi3" in name) for name in bound), bound
        own = next(
            line for line in (hosts / host / "requirements.lock").read_text().splitlines() if "pom-cli==" in line
        )
        assert "--hash=sha256:" in own
    configs = {host: (hosts / host / "etc" / "pom.toml").read_text() for host in ("root@a", "max@b")}
    assert 'listen = "192.0.2.7:9100"' in configs["root@a"]
    assert '[peers.astra]\nurl = "http://[2001:db8::7]:9100"\nssh = "max@b"' in configs["root@a"]
    assert '[peers.hetzner]\nurl = "http://192.0.2.7:9100"\nssh = "root@a"' in configs["max@b"]
    for host, text in configs.items():
        config.parse(text, hosts / host / "etc" / "pom.toml", {})
    tokens = {(hosts / host / "etc" / "env").read_text() for host in configs}
    assert len(tokens) == 1
    assert "sudo -n bash" in (hosts / "max@b.commands").read_text()
    assert "sudo" not in (hosts / "root@a.commands").read_text()


@pytest.mark.slow
def test_a_trial_in_the_checkout(tmp_path: Path) -> None:
    trial = boxes.checkout(ROOT, tmp_path / "pom")
    done = script("local", "http://127.0.0.1:9/", folder=trial)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (trial / ".pom" / "env").stat().st_mode & 0o077 == 0
    command = [str(trial / ".venv/bin/pom"), "--config", str(trial / ".pom/pom.toml"), "check"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=60)
    assert ran.returncode == 1
    assert "unreachable" in ran.stdout
    assert (trial / ".pom" / "data" / "pom.db").exists()
    before = (trial / ".pom" / "pom.toml").read_text(), (trial / ".pom" / "env").read_text()
    assert script("local", folder=trial).returncode == 0
    assert before == ((trial / ".pom" / "pom.toml").read_text(), (trial / ".pom" / "env").read_text())
