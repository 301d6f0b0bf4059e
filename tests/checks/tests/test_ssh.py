"""The argument lists: nothing but the far end's own shell reads the command, and that reads it as it was written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pom_cli.checks.tests import ssh

SHELLS = (["bash"], ["dash"], ["zsh"], ["fish"], ["tcsh"], ["mksh"], ["ksh"], ["busybox", "sh"])
TELLING = "echo 'a b' \"$HOME\" $(echo sub) `echo tick`; echo 'x\\ty!z' \\\\ ! ^a^b % '#' ~\nprintf %s '*' ü€; exit 7"


def test_ssh_is_told_never_to_ask_and_where_its_options_end() -> None:
    argv = ssh.there("max@192.0.2.10", "/home/max/staging/run-tests.sh", 1800.0, "ab12")
    assert argv[0] == "ssh"
    assert {"BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=3"} <= set(argv)
    assert argv[-4:-1] == ["-T", "--", "max@192.0.2.10"]
    assert argv[-1].endswith(" 'pom' '1860' 'ab12' '' '/home/max/staging/run-tests.sh'")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_what_a_login_shell_reads_is_plain_words_in_single_quotes(command: str) -> None:
    remote = ssh.there("lab", command, 60.0, "ab12")[-1]
    assert remote.isascii()
    assert remote.isprintable()
    assert "\\\\" not in remote
    assert not re.search("![^ ]", remote)  # csh would look for an old command
    assert re.fullmatch(r"exec /bin/sh -c( '[^']*'){6}", remote)


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shell that writes down what it is told to run, and runs nothing."""
    folder = tmp_path_factory.mktemp("recorder")
    shell = folder / "shell"
    shell.write_text(f'#!/bin/sh\nprintf "%s." "$#" "$1" "$2" > {folder / "told"}\n')
    shell.chmod(0o755)
    return shell


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.sampled_from("'\"\\$`;&|<>(){}[]*?!#~^%\n\t \r-=aé0\x01\x7f€𝄞"), min_size=1, max_size=120))
def test_the_command_arrives_to_the_last_byte(recorder: Path, command: str) -> None:
    remote = ssh.there("lab", command, 60.0, "ab12")[-1]
    done = through(["/bin/sh"], remote, str(recorder))
    assert done.returncode == 0
    assert (recorder.parent / "told").read_bytes() == f"2.-c.{command}.".encode()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_every_login_shell_reads_the_same(shell: list[str]) -> None:
    if not shutil.which(shell[0]):
        pytest.skip(f"no {shell[0]} here")
    wanted = subprocess.run(["/bin/sh", "-c", TELLING], stdout=subprocess.PIPE, timeout=30, check=False)
    done = through(shell, ssh.there("lab", TELLING, 60.0, "ab12")[-1], "/bin/sh")
    assert (done.stdout, done.returncode) == (wanted.stdout, 7)
    assert ssh.ending(done.stderr.decode(), "ab12") == "7"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_script_leaves_nothing_of_its_own_behind(shell: list[str]) -> None:
    if not shutil.which(shell[0]) or shell[0] in ("fish", "tcsh"):
        pytest.skip(f"{shell[0]} is no sh, or not here")
    for number in range(5):
        # Nobody else sleeps for as long as this.
        limit_s = 1_000_000 + 100 * os.getpid() + 10 * SHELLS.index(shell) + number
        argv = ssh.here("exit 3", limit_s, "ab12")
        reading, writing = os.pipe()
        done = subprocess.run([*shell, *argv[1:]], stdin=reading, capture_output=True, timeout=30, check=False)
        os.close(reading)
        os.close(writing)
        assert done.returncode == 3
        assert nobody_sleeps(limit_s + 60)


def nobody_sleeps(seconds: int) -> bool:
    """For so long; what has been killed may take a moment to go."""
    wanted, ends = b"sleep\0%d\0" % seconds, time.monotonic() + 10
    while any(wanted in _content(path) for path in Path("/proc").glob("[0-9]*/cmdline")):
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_where_no_word_comes_the_far_end_keeps_the_limit_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_LATER_S", 0)
    seconds = 3_000_000_000 + os.getpid()
    argv = ssh.here(f"echo begun; sleep {seconds}", 1.0, "ab12")
    reading, writing = os.pipe()
    done = subprocess.run(argv, stdin=reading, capture_output=True, timeout=30, check=False)
    os.close(reading)
    os.close(writing)
    assert (done.stdout, ssh.ending(done.stderr.decode(), "ab12")) == (b"begun\n", "cut")
    assert nobody_sleeps(seconds)


def through(shell: list[str], remote: str, login_shell: str) -> subprocess.CompletedProcess[bytes]:
    """What sshd does with a command: the login shell gets it in one piece. Standard input stays open meanwhile."""
    reading, writing = os.pipe()
    try:
        return subprocess.run(
            [*shell, "-c", remote],
            stdin=reading, capture_output=True, timeout=30, check=False,
            env={**os.environ, "SHELL": login_shell},
        )  # fmt: skip
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(
    ("told", "ending"),
    [
        ("pom-test-run ab12 0\n", "0"),
        ("Warning: …\r\npom-test-run ab12 137\r\nConnection closed\n", "137"),
        ("pom-test-run ab12 cut\n", "cut"),
        ("pom-test-run other 3\n", None),
        ("", None),
    ],
)
def test_how_it_ended_is_told_with_the_runs_own_id(told: str, ending: str | None) -> None:
    assert ssh.ending(told, "ab12") == ending


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ("max@192.0.2.10: Permission denied (publickey).\r\n", "ssh: Permission denied (publickey)"),
        ("@@@ WARNING @@@\nHost key verification failed.\n", "ssh: Host key verification failed"),
        (
            "ssh: connect to host 192.0.2.10 port 22: Connection refused\r\n",
            "ssh: connect to host 192.0.2.10 port 22: Connection refused",
        ),
        ("Timeout, server 192.0.2.10 not responding.\n", "ssh: Timeout, server 192.0.2.10 not responding"),
        ("\x1b[31mred\x1b[0m\n\n", "ssh: red"),
        ("", "ssh: it failed without a word"),
    ],
)
def test_a_complaint_is_sshs_last_word(told: str, complaint: str) -> None:
    assert ssh.complaint(told) == complaint
