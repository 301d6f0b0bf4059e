"""deploy.sh itself: clean, safe with what it is given, and good for a trial in the checkout."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
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
        (("rolback", "a"), "did you mean rollback?"),
        (("--all", "stauts"), "did you mean status?"),
        (("root@a", "rollback"), "rollback must come first"),
        (("--configg", "f", "a"), "did you mean --config?"),
        (("a b",), "'a b' is not a host"),
        (("--config", "/nonexistent", "a"), "'/nonexistent' is not a readable file"),
        (("--env",), "--env: '' is not a readable file"),
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


# Instead of ssh: prints canned facts, and keeps what is uploaded. Called as `ssh -o … HOST COMMAND`.
SSH = """#!/bin/bash
while [ "${1#-}" != "$1" ]; do [ "$1" != -O ] || exit 0; shift 2; done
host=${1//\\//_}; shift
case "$*" in
    *tar*) mkdir -p "$PLACE/$host" && tar -xf - -C "$PLACE/$host" ;;
    *POM_API_TOKEN*) cat "$PLACE/$host.token" ;;
    *on-host*) echo "$*" >>"$PLACE/$host.commands"; cat "$PLACE/said" 2>/dev/null; cat "$PLACE/said" >&2 2>/dev/null ;;
    *sh) if grep -q 'uname -m'; then cat "$PLACE/$host.facts"; else cat "$PLACE/$host.state"; fi ;;
esac
exit 0
"""
FACTS = """\
uid={uid}
root=yes
name={name}
machine={machine}
address={address}
systemd=yes
python={python}
libc={libc}
certificates=yes
done=yes
"""
ONE = {"uid": "0", "name": "hetzner", "machine": "x86_64", "address": "192.0.2.7", "python": "3.13", "libc": "36"}
TWO = {"uid": "1000", "name": "astra", "machine": "aarch64", "address": "2001:db8::7", "python": "3.11", "libc": "36"}


@dataclass
class Hosts:
    """Hosts that are nothing but an ssh which answers for them."""

    folder: Path

    def add(self, host: str, facts: dict[str, str], state: str = "has-release=yes", token: str = "") -> Path:
        """One more; returns the folder that is uploaded to it."""
        path = self.folder / host.replace("/", "_")
        path.with_name(path.name + ".facts").write_text(FACTS.format(**facts))
        path.with_name(path.name + ".state").write_text(f"{state}\nsurveyed=yes\n")
        path.with_name(path.name + ".token").write_text(token)
        return path

    def deploy(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        ssh = self.folder / "ssh"
        ssh.write_text(SSH)
        ssh.chmod(0o755)
        home = pwd.getpwuid(os.getuid()).pw_dir
        environ = {**os.environ, "POM_SSH": str(ssh), "PLACE": str(self.folder), "HOME": home, **environ}
        command = [str(ROOT / "deploy.sh"), *words]
        return subprocess.run(command, env=environ, capture_output=True, timeout=300, encoding="utf-8")


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


INJECTED = '192.0.2.8:9100"\naddress=[targets.evil.tests]\naddress=command = "touch /tmp/evil'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("address", INJECTED),
        ("address", "fe80::1%eth0"),
        ("address", ""),
        ("name", 'astra"\nname=[targets.evil]'),
        ("name", "astra\x1b]0;owned\x07"),
        ("machine", "../../../../tmp/x"),
        ("libc", "99999999"),
        ("uid", "0; touch /tmp/evil"),
    ],
)
def test_a_fact_that_is_not_of_its_form_is_refused_before_anything_is_changed(
    hosts: Hosts, name: str, value: str
) -> None:
    good = hosts.add("root@a", ONE)
    hosts.add("max@b", TWO | {name: value})
    done = hosts.deploy("root@a", "max@b")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"deploy: max@b: its {name} is missing or malformed",
        "deploy: nothing was changed; --all continues with the hosts that can be used",
    ]
    assert not good.exists()


def test_of_a_fact_that_is_said_twice_the_first_counts(hosts: Hosts) -> None:
    good = hosts.add("root@a", ONE)
    hosts.add("max@b", TWO, state='has-release=yes\naddress=192.0.2.66\nname=other\nevil"=yes')
    done = hosts.deploy("root@a", "max@b")
    assert done.returncode == 0, done.stdout + done.stderr
    assert config.load(good / "etc" / "pom.toml", {}).peers.keys() == {"astra"}
    assert "192.0.2.66" not in (good / "etc" / "pom.toml").read_text()


def test_a_host_without_ca_certificates_is_refused(hosts: Hosts) -> None:
    path = hosts.add("root@a", ONE)
    facts = path.with_name("root@a.facts")
    facts.write_text(facts.read_text().replace("certificates=yes\n", ""))
    done = hosts.deploy("root@a")
    assert (done.returncode, "install ca-certificates" in done.stderr) == (1, True)


@pytest.mark.parametrize("token", ['x"\nPATH=/tmp', "a\\", 'a"b', "tab\there", "ü"])
def test_a_token_that_would_break_another_hosts_env_is_not_taken_over(hosts: Hosts, token: str) -> None:
    hosts.add("root@a", ONE, "has-env=yes\nhas-release=yes", token.split("\n")[0] + "\n")
    fresh = hosts.add("max@b", TWO)
    done = hosts.deploy("root@a", "max@b")
    assert (done.returncode, "root@a: its POM_API_TOKEN" in done.stderr) == (1, True)
    assert not fresh.exists()


def test_one_hosts_token_is_every_hosts(hosts: Hosts) -> None:
    hosts.add("root@a", ONE, "has-env=yes\nhas-release=yes", '"new-token,old-token"\n')
    fresh = hosts.add("max@b", TWO)
    assert hosts.deploy("root@a", "max@b").returncode == 0
    assert (fresh / "etc" / "env").read_text().splitlines()[-1] == "POM_API_TOKEN=new-token,old-token"


@pytest.mark.parametrize("verb", [(), ("status",), ("rollback",)], ids=str)
def test_what_a_host_prints_cannot_control_the_terminal(hosts: Hosts, verb: tuple[str, ...]) -> None:
    hosts.add("root@a", ONE)
    (hosts.folder / "said").write_bytes("\x1b]0;owned\x07\x9b2J\u202e\r\0fine → \t✓\n".encode() + b"\xff\n")
    done = hosts.deploy(*verb, "root@a")
    assert done.returncode == 0, done.stderr
    for text in (done.stdout, done.stderr):
        assert "fine → \t✓\n" in text
        assert [letter for letter in text if not letter.isprintable() and letter not in "\n\t"] == []


def test_a_destination_may_be_a_url(hosts: Hosts) -> None:
    url = "ssh://root@192.0.2.7:2222"
    one = hosts.add(url, ONE)
    two = hosts.add("max@b", TWO)
    done = hosts.deploy(url, "max@b")
    assert done.returncode == 0, done.stdout + done.stderr
    peers = [config.load(path / "etc" / "pom.toml", {}).peers for path in (one, two)]
    assert [[(name, peer.ssh) for name, peer in found.items()] for found in peers] == [
        [("astra", "max@b")],
        [("hetzner", "")],
    ]


def test_a_step_that_fails_here_ends_this_hosts_deployment(hosts: Hosts) -> None:
    path = hosts.add("root@a", ONE)
    tools = hosts.folder / "bin"
    tools.mkdir()
    (tools / "cp").write_text('#!/bin/sh\ncase "$*" in *timers*) exit 1 ;; esac\nexec /bin/cp "$@"\n')
    (tools / "cp").chmod(0o755)
    done = hosts.deploy("root@a", PATH=f"{tools}:{os.environ['PATH']}")
    assert (done.returncode, "root@a: failed" in done.stderr) == (1, True)
    assert not path.exists()


@pytest.mark.slow
def test_only_the_pinned_setuptools_builds_the_wheel(hosts: Hosts) -> None:
    path = hosts.add("root@a", ONE, state="")
    pinned = re.findall(r"^BACKEND='setuptools==(\S+) ", (ROOT / "deploy.sh").read_text(), re.MULTILINE)
    for version in (*pinned, "9999"):
        _forge_setuptools(hosts.folder, version)
    environ = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(hosts.folder)}
    done = hosts.deploy("root@a", **environ)
    assert (done.returncode, path.exists()) == (1, False)
    assert not (hosts.folder / "ran").exists(), "code of an unknown setuptools ran here"
    assert "DO NOT MATCH THE HASHES" in done.stderr


def _forge_setuptools(folder: Path, version: str) -> None:
    """A wheel of that name and version which leaves a mark when it is loaded."""
    mark = f"open({str(folder / 'ran')!r}, 'w')\n"
    info = f"setuptools-{version}.dist-info"
    with zipfile.ZipFile(folder / f"setuptools-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("setuptools/__init__.py", mark)
        wheel.writestr("setuptools/build_meta.py", mark)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: setuptools\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.mark.slow
def test_each_host_gets_the_wheels_for_its_machine_and_its_python_and_a_config_with_the_others_as_peers(
    hosts: Hosts,
) -> None:
    hosts.add("root@a", ONE, state="")
    hosts.add("max@b", TWO, state="")
    done = hosts.deploy("root@a", "max@b")
    assert done.returncode == 0, done.stdout + done.stderr
    for host, python, machine in (("root@a", "cp313", "x86_64"), ("max@b", "cp311", "aarch64")):
        wheels = [wheel.name for wheel in (hosts.folder / host / "wheels").iterdir()]
        assert {name.split("-")[0] for name in wheels} >= {"pom_cli", "pip", "requests", "cryptography", "waitress"}
        bound = [name for name in wheels if not name.endswith("-any.whl")]
        assert bound
        assert all(machine in name and (python in name or "abi3" in name) for name in bound), bound
        own = next(
            line for line in (hosts.folder / host / "requirements.lock").read_text().splitlines() if "pom-cli==" in line
        )
        assert "--hash=sha256:" in own
    configs = {host: (hosts.folder / host / "etc" / "pom.toml").read_text() for host in ("root@a", "max@b")}
    assert 'listen = "192.0.2.7:9100"' in configs["root@a"]
    assert '[peers.astra]\nurl = "http://[2001:db8::7]:9100"\nssh = "max@b"' in configs["root@a"]
    assert '[peers.hetzner]\nurl = "http://192.0.2.7:9100"\nssh = "root@a"' in configs["max@b"]
    for host, text in configs.items():
        config.parse(text, hosts.folder / host / "etc" / "pom.toml", {})
    tokens = {(hosts.folder / host / "etc" / "env").read_text() for host in configs}
    assert len(tokens) == 1
    assert "sudo -n bash" in (hosts.folder / "max@b.commands").read_text()
    assert "sudo" not in (hosts.folder / "root@a.commands").read_text()


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
