"""A deployment to an aarch64 host by emulation: a Debian root for that machine, entered by chroot and not by ssh.

systemd does not run there, so what deploy.sh asks of it is done by a stand-in.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SSH = """\
#!/bin/bash
while [ "${1#-}" != "$1" ]; do [ "$1" != -O ] || exit 0; shift 2; done
shift
exec chroot "$PLACE" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SSH_CONNECTION='192.0.2.1 1 192.0.2.7 22' sh -c "$*"
"""
SYSTEMCTL = """\
#!/bin/bash
as_pom() { setpriv --reuid=pom --regid=pom --init-groups env POM_CONFIG=/etc/pom/pom.toml "$@"; }
case "$*" in
    is-active*) exit 3 ;;
    "restart pom") as_pom /usr/local/bin/pom serve >/serve.log 2>&1 9>&- & echo $! >/serve.pid ;;
    "start pom-check.service"*) as_pom /usr/local/bin/pom check --due; as_pom /usr/local/bin/pom heartbeat ;;
esac
exit 0
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A copy of the folder that $ARM64_ROOT names, with what a program expects of a machine."""
    model = os.environ.get("ARM64_ROOT", "")
    if not model or not Path(model, "usr/bin/python3").exists():
        pytest.skip("an aarch64 Debian is needed: $ARM64_ROOT names no such folder")
    if os.geteuid() != 0:
        pytest.skip("an aarch64 Debian is entered by chroot, and that needs root")
    ran = subprocess.run(["chroot", model, "uname", "-m"], capture_output=True, text=True)
    if ran.stdout.strip() != "aarch64":
        pytest.skip(f"this machine does not run aarch64 programs: {ran.stderr.strip()}")
    folder = Path(tempfile.mkdtemp(prefix="pom-test-", dir="/var/tmp"))
    place = folder / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", model, place], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", place / "proc"], check=True)
    try:
        (place / "run/systemd/system").mkdir(parents=True)
        (place / "usr/bin/systemctl").write_text(SYSTEMCTL)
        (place / "usr/bin/journalctl").write_text("#!/bin/sh\ncat /serve.log\n")
        for name in ("systemctl", "journalctl"):
            (place / "usr/bin" / name).chmod(0o755)
        yield place
    finally:
        if (place / "serve.pid").exists():
            subprocess.run(["kill", "-KILL", (place / "serve.pid").read_text().strip()], check=False)
        subprocess.run(["umount", "--lazy", place / "proc"], check=True)
        shutil.rmtree(folder)


def test_an_aarch64_host_gets_wheels_that_run_there(root: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ssh, config = tmp_path / "ssh", tmp_path / "pom.toml"
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    config.write_text(
        f'[serve]\nlisten = "127.0.0.1:{port}"\n[offline]\nwitnesses = []\n[alerts]\nchannels = ["console"]\n'
        f'[targets.shop]\nurl = "http://127.0.0.1:{port}/"\nhealth = {{ path = "/api/health", attempts = 1 }}\n'
    )
    home = pwd.getpwuid(0).pw_dir
    done = subprocess.run(
        [ROOT / "deploy.sh", "--config", config, "root@arm"],
        env={**os.environ, "POM_SSH": str(ssh), "PLACE": str(root), "HOME": home},
        capture_output=True, text=True, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "aarch64, Python 3.11" in done.stdout
    assert "healthy: /api/health: 200" in done.stdout
    libraries = list((root / "opt/pom/current/lib").glob("python3*/site-packages/**/*.so"))
    assert libraries
    assert all("aarch64" in library.name or ".abi3." in library.name for library in libraries), libraries
    status = subprocess.run(
        ["chroot", root, "setpriv", "--reuid=pom", "--regid=pom", "--init-groups", "/usr/local/bin/pom", "status"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "shop" in status.stdout
