"""deploy.sh itself: clean, safe with what it is given, and good for a trial in the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import boxes
import pytest

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
