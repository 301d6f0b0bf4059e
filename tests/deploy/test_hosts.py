"""One script, two real machines: from nothing to running, and well again after all that an operator or fate may do.

The tests share two machines and go through their life in order; each leaves both of them running and well.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import boxes
import pytest
from boxes import Box, Lab, until
from root_watch import watch

from pom_cli.doctor.units import SERVICE, TIMERS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
INSTALL = "[Install]\nWantedBy=multi-user.target\n"
DAEMON = f"[Service]\nType=exec\nExecStart=sleep infinity\n{INSTALL}"
WAITER = f"""\
[Unit]
Wants=time-sync.target
Before=time-sync.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=sleep 3
{INSTALL}"""
CONFIG = """\
[alerts]
to = ["ops@example.com"]
from = "pom@example.com"
cooldown = "1s"
postmark = {{ url = "{postmark}" }}
[offline]
witnesses = ["{witness}"]
[targets.shop]
url = "{site}/"
health = {{ attempts = 1, timeout = "5s" }}
routes = {{ paths = ["/"], attempts = 1 }}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    boxes.need()
    folder = tmp_path_factory.mktemp("lab")
    # Not below the test's own folder: machines are big, and pytest keeps the last few.
    place = Path(tempfile.mkdtemp(prefix="pom-test-", dir="/var/tmp"))
    lab = Lab(folder, (Box(place / "hetzner"), Box(place / "astra", "deploy", suite="trixie")))
    try:
        lab.start()
        # Debian's bare python3: neither venv's bootstrap nor pip.
        packages = "dpkg-query -W -f '${Package}\\n' 'python3*-venv' 'python3-*-whl'"
        lab.boxes[1].sh(f"({packages} 2>/dev/null || true) | xargs dpkg --purge")
        # Its clock is kept by a daemon with a service that waits for it. Stand-ins: neither runs in a container.
        for name, service in (("chrony", DAEMON), ("chrony-wait", WAITER)):
            lab.boxes[1].sh(f"cat >/etc/systemd/system/{name}.service <<'UNIT'\n{service}UNIT\n")
        lab.boxes[1].run("systemctl", "enable", "-q", "--now", "chrony")
        yield lab
    finally:
        lab.stop()
        place.rmdir()


@pytest.fixture(scope="module")
def clone(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return boxes.checkout(ROOT, tmp_path_factory.mktemp("clone") / "pom")


@pytest.fixture(scope="module")
def first(lab: Lab, clone: Path) -> str:
    """The first deployment to both; what it said."""
    config, env = lab.folder / "first.toml", lab.folder / "first.env"
    config.write_text(CONFIG.format(postmark=lab.postmark_url, witness=lab.postmark_url[7:], site=lab.site_url))
    env.write_text("POM_POSTMARK_TOKEN=pm-token\n")
    hosts = [box.login for box in lab.boxes]
    done = lab.deploy(clone, "--config", str(config), "--env", str(env), *hosts)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def hetzner(lab: Lab, first: str) -> Box:
    return lab.boxes[0]


@pytest.fixture
def astra(lab: Lab, first: str) -> Box:
    return lab.boxes[1]


@pytest.fixture(autouse=True)
def well_afterwards(lab: Lab, first: str) -> Iterator[None]:
    yield
    for box in lab.boxes:
        until(box.well)
        assert [timer for timer in TIMERS if box.active(timer) != "active"] == []


def token(box: Box) -> str:
    return box.sh("sed -n 's/^POM_API_TOKEN=//p' /etc/pom/env").strip()


def peers(box: Box) -> dict[str, str]:
    _, mesh = box.get("/api/mesh", token(box))
    return {peer["name"]: peer["state"] for peer in mesh["peers"]}


def release(box: Box) -> str:
    return box.run("readlink", "/opt/pom/current").strip().removeprefix("releases/")


def beats(box: Box, since: float = 0) -> list[float]:
    """When the heartbeats began, in seconds."""
    rows = box.query("SELECT started_at / 1000.0 FROM runs WHERE command = 'heartbeat' ORDER BY started_at")
    return [at for (at,) in rows if at >= since]


def failed(box: Box) -> str:
    return box.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "pom*").strip()


def check(box: Box, kind: str = "health") -> None:
    """One run, as by its timer but now, and not only if it is due."""
    assert box.pom("check", kind, user="pom")[0] in (0, 1)


def edit(box: Box, script: str) -> None:
    box.run("sed", "-i", script, "/etc/pom/pom.toml")


# ---- from nothing to running ---------------------------------------------------------------------------------------


def test_once_from_a_clone_gives_two_instances_that_see_each_other(lab: Lab, hetzner: Box, astra: Box) -> None:
    assert (peers(hetzner), peers(astra)) == ({"astra": "alive"}, {"hetzner": "alive"})
    assert release(hetzner).rpartition("-py")[0] == release(astra).rpartition("-py")[0]
    assert token(hetzner) == token(astra) != ""
    for box in lab.boxes:
        status, found = box.get("/api/status", token(box))
        assert (status, found["status"], found["instance"]) == (200, "operational", box.name)
        assert box.get("/api/status")[0] == 401
        assert box.query("SELECT count(*) FROM results")[0][0] >= 2
        assert box.pom("doctor")[0] == 0
        listed = box.run("stat", "-c", "%a %U:%G %n", "/etc/pom/pom.toml", "/etc/pom/env", "/var/lib/pom")
        assert [line.rpartition(" ")[0] for line in listed.splitlines()] == [
            "640 root:pom",
            "640 root:pom",
            "750 pom:pom",
        ]
        assert box.run("find", "/opt/pom", "-perm", "/022", "!", "-type", "l") == "", "nothing that others may write"


def test_two_debians_in_one_deployment_get_the_wheels_of_their_own_python(hetzner: Box, astra: Box) -> None:
    if astra.lacks:
        pytest.skip(f"two Debians are needed, and there is {astra.lacks}")
    for box, python in ((hetzner, "3.11"), (astra, "3.13")):
        assert box.run("/usr/bin/python3", "--version").startswith(f"Python {python}.")
        assert release(box).endswith(f"-py{python}")
        tags = box.sh("cat /opt/pom/current/lib/python*/site-packages/cffi-*.dist-info/WHEEL")
        assert f"Tag: cp{python.replace('.', '')}-" in tags


def test_the_timers_wait_for_the_clock_after_a_boot_where_the_host_can(hetzner: Box, astra: Box) -> None:
    assert astra.run("systemctl", "is-enabled", "chrony-wait").strip() == "enabled"
    assert not hetzner.run("systemctl", "is-enabled", "chrony-wait", check=False).startswith("0 ")
    for timer in TIMERS:
        assert "time-sync.target" in astra.shown(timer, "After")["After"].split(), timer


def started(box: Box, unit: str) -> int:
    return int(box.shown(unit, "ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"])


def test_the_first_deployment_says_what_it_did_and_no_secret(lab: Lab, first: str, hetzner: Box) -> None:
    assert "hetzner" in first
    assert "deployed" in first
    assert first.count("ok: database: /var/lib/pom/pom.db") == 2, "the doctor of each, run as user pom"
    assert token(hetzner) not in first
    assert "pm-token" not in first


def test_every_timer_has_the_runbooks_interval(lab: Lab) -> None:
    units = {"pom-check-5min.timer": 300, "pom-check-hourly.timer": 3600}
    units |= {"pom-heartbeat.timer": 60, "pom-prune.timer": 86400}
    for box in lab.boxes:
        for unit, seconds in units.items():
            [calendar] = re.findall(r"OnCalendar=(.*?) ;", box.shown(unit, "TimersCalendar")["TimersCalendar"])
            lines = box.run("systemd-analyze", "calendar", "--iterations=3", calendar).splitlines()
            times = [
                datetime.strptime(" ".join(line.split()[-3:-1]), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
                for line in lines
                if re.search(r"Next elapse|Iteration|Iter\.", line)
            ]
            gaps = {(after - before).total_seconds() for before, after in pairwise(times)}
            assert gaps == {seconds}, unit
            # A run that hangs is over before the next is due.
            limits = box.shown(unit.replace(".timer", ".service"), "TimeoutStartUSec", "TimeoutStopUSec").values()
            assert sum(map(span, limits)) < seconds, unit


def span(text: str) -> float:
    units = {"h": 3600, "min": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(h|min|s)", text))


def test_hourly_checks_are_spread_and_the_heartbeat_is_sharp(hetzner: Box, astra: Box) -> None:
    unit, key = "pom-check-hourly.timer", "NextElapseUSecRealtime"
    due = [box.shown(unit, key)[key] for box in (hetzner, astra)]
    assert len({when.split()[2] for when in due}) == 2, due
    assert hetzner.shown("pom-heartbeat.timer", "AccuracyUSec")["AccuracyUSec"] == "1s"


def test_the_units_are_right_and_hardened(hetzner: Box) -> None:
    names = [SERVICE, *TIMERS, "pom-test.timer", "pom-report.timer"]
    services = [name.replace(".timer", ".service") for name in TIMERS] + ["pom-test.service", "pom-report.service"]
    assert hetzner.run("systemd-analyze", "verify", *names, *services, check=False).strip() == "0"
    for unit in (SERVICE, *services):
        assert hetzner.shown(unit, "LoadState")["LoadState"] == "loaded"
        told = hetzner.run("systemd-analyze", "security", "--no-pager", unit)
        assert float(re.findall(r"Overall exposure level for .*: ([0-9.]+)", told)[0]) <= 2.0, unit
    assert hetzner.active("pom-test.timer") == "inactive"


def test_running_it_twice_changes_nothing(lab: Lab, clone: Path, hetzner: Box, astra: Box) -> None:
    places = "/opt/pom /etc/pom /etc/systemd/system /usr/local/bin"

    def seen(box: Box) -> str:
        files = box.sh(f"find {places} -not -name .lock -not -path /opt/pom -printf '%p %m %u %T@ %l\\n' | sort")
        return files + box.shown(SERVICE, "MainPID")["MainPID"] + token(box)

    before = [seen(box) for box in lab.boxes]
    done = lab.deploy(clone, *[box.login for box in lab.boxes])
    assert done.returncode == 0, done.stderr
    assert "is already installed" in done.stdout
    assert [seen(box) for box in lab.boxes] == before


# ---- the runbook's Service Management ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1], ids=["hetzner", "astra"])
def test_start_stop_restart_and_status_act_on_the_whole(lab: Lab, number: int) -> None:
    box = lab.boxes[number]
    sudo = "" if box.user == "root" else "sudo "
    box.ssh(f"{sudo}systemctl stop pom")
    assert {box.active(unit) for unit in (SERVICE, *TIMERS)} == {"inactive"}
    assert "inactive (dead)" in box.ssh("systemctl status pom")
    box.ssh(f"{sudo}systemctl start pom")
    assert {box.active(unit) for unit in (SERVICE, *TIMERS)} == {"active"}
    pid = box.shown(SERVICE, "MainPID")["MainPID"]
    edit(box, '1i [instance]\\nname = "renamed"')
    box.ssh(f"{sudo}systemctl restart pom")
    assert box.shown(SERVICE, "MainPID")["MainPID"] != pid
    assert box.get("/api/status", token(box))[1]["instance"] == "renamed", "a restart takes up a new config"
    edit(box, "1,2d")
    box.ssh(f"{sudo}systemctl restart pom")
    assert "active (running)" in box.ssh("systemctl status pom")


def test_the_other_commands_of_the_runbook(hetzner: Box) -> None:
    log = hetzner.ssh('journalctl -u pom --since "1 hour ago" --no-pager')
    assert "listens on" in log
    assert "run: check" in log, "plain -u pom shows the runs, too"
    status, health = hetzner.get("/api/health")
    assert (status, health["status"], set(health)) == (200, "operational", {"status", "time", "overdue"})
    assert hetzner.get("/api/mesh", token(hetzner))[1]["self"]["name"] == "hetzner"


def test_the_journal_shows_every_run_with_one_line_a_result(hetzner: Box) -> None:
    begun = int(time.time())
    for unit in ("pom-check-5min", "pom-heartbeat", "pom-prune"):
        hetzner.run("systemctl", "start", unit)
    lines = hetzner.run("journalctl", "-u", "pom*", "--since", f"@{begun}", "-o", "cat", "--no-pager").splitlines()
    lines = [line for line in lines if not line.startswith("run: ")]
    told = " | ".join(lines)
    for said in ("astra: alive", "deleted "):
        assert said in told
    assert told.count("nothing is due") + told.count("shop health: operational") >= 1
    assert not any("Starting" in line or "Deactivated" in line for line in lines), told


# ---- alerts --------------------------------------------------------------------------------------------------------


def test_mail_arrives_and_an_outage_is_no_failed_unit(lab: Lab, hetzner: Box, astra: Box) -> None:
    lab.site(500)
    for box in lab.boxes:
        check(box)
    lab.site(200)
    for box in lab.boxes:
        check(box)
    for name in ("hetzner", "astra"):
        assert f"[PoM {name}] shop error: 500 Internal Server Error" in lab.mails()
        assert any(mail.startswith(f"[PoM {name}] shop operational again") for mail in lab.mails())
    assert (failed(hetzner), failed(astra)) == ("", "")


def test_a_run_that_fails_itself_is_a_failed_unit_until_the_next_good_one(hetzner: Box) -> None:
    hetzner.run("chmod", "000", "/var/lib/pom/pom.db")
    hetzner.run("systemctl", "start", "pom-heartbeat", check=False)
    assert "pom-heartbeat.service" in failed(hetzner)
    assert hetzner.pom("doctor")[0] == 1
    hetzner.run("chmod", "640", "/var/lib/pom/pom.db")
    # The checks too: their timers may have gone off in between.
    hetzner.run("systemctl", "start", "pom-heartbeat", "pom-check", "pom-check@health", "pom-check@routes")
    assert failed(hetzner) == ""


def test_a_broken_config_stops_nothing_and_is_told(lab: Lab, clone: Path, hetzner: Box) -> None:
    hetzner.run("cp", "-p", "/etc/pom/pom.toml", "/root/good.toml")
    edit(hetzner, "s/^\\[targets.shop\\]/[targets.shop/")
    hetzner.run("systemctl", "start", "pom-heartbeat", check=False)
    assert hetzner.shown("pom-heartbeat", "ExecMainStatus")["ExecMainStatus"] == "2"
    assert any(mail.startswith("[PoM hetzner] config broken: pom.toml: not TOML") for mail in lab.mails())
    hetzner.run("systemctl", "restart", "pom")
    until(hetzner.well)
    assert hetzner.get("/api/health")[1]["status"] == "degraded"
    before = hetzner.query("SELECT count(*) FROM results")[0][0]
    lab.site(500)
    hetzner.write("UPDATE states SET checked_at = checked_at - 300000")  # so that it is due
    hetzner.run("systemctl", "start", "pom-check@health", check=False)
    assert hetzner.query("SELECT count(*) FROM results")[0][0] > before, "it is still looked at"
    assert lab.mails()[-1] == "[PoM hetzner] shop error: 500 Internal Server Error", "and still alerted"
    lab.site(200)
    done = lab.deploy(clone, hetzner.login)
    assert done.returncode == 1
    assert "does not accept /etc/pom/pom.toml" in done.stderr, "a deployment does not switch with it"
    hetzner.run("cp", "-p", "/root/good.toml", "/etc/pom/pom.toml")
    hetzner.run("systemctl", "restart", "pom")
    hetzner.run("systemctl", "start", "pom-heartbeat")
    check(hetzner)
    assert any(mail.startswith("[PoM hetzner] config OK again") for mail in lab.mails())
    assert hetzner.get("/api/health")[1]["status"] == "operational"
    hetzner.run("systemctl", "reset-failed")


# ---- operators -----------------------------------------------------------------------------------------------------


def test_roots_runs_leave_nothing_that_the_timers_could_not_write(hetzner: Box) -> None:
    for words in (("check",), ("check", "--due"), ("prune",), ("heartbeat",)):
        assert hetzner.pom(*words)[0] == 0, words
    assert hetzner.run("find", "/var/lib/pom", "!", "-user", "pom") == ""
    hetzner.run("systemctl", "start", "pom-check@health", "pom-heartbeat", "pom-prune")
    # Even where root's is the very first: the database, the copy of the config and the id are made anew.
    hetzner.sh("systemctl stop pom && cd /var/lib/pom && mkdir /root/kept && mv * /root/kept && umask 077 && pom check")
    assert hetzner.run("find", "/var/lib/pom", "!", "-user", "pom") == ""
    hetzner.sh("rm -r /var/lib/pom/* && cp -a /root/kept/. /var/lib/pom && rm -r /root/kept && systemctl start pom")
    assert hetzner.run("systemctl", "start", "pom-heartbeat") == ""


def test_a_member_of_the_group_needs_no_sudo(astra: Box) -> None:
    assert astra.pom("status", user="deploy")[0] == 2
    astra.run("usermod", "-aG", "pom", "deploy")
    code, told = astra.pom("status", user="deploy")
    assert (code, "shop" in told) == (0, True)
    assert astra.pom("doctor", user="deploy")[0] == 0


def test_a_backup_while_everything_runs(lab: Lab, hetzner: Box) -> None:
    code, told = hetzner.pom("backup", "/root/backup.db")
    assert (code, "integrity check passed" in told) == (0, True)
    assert hetzner.pom("backup", "/root/backup.db")[0] == 2
    # Restored as the README says.
    text = (ROOT / "README.md").read_text()
    [block] = re.findall(r"^### Backup and restore\n\n```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    take, _, restore = block.partition("\n")
    hetzner.ssh(take)
    with watch(hetzner, lab.folder / "restore.trace", "/var/lib/pom") as touched:
        hetzner.ssh(restore)
    assert touched.by_root == []
    assert any("pom.db" in call for call in touched.by_others)
    assert hetzner.run("stat", "-c", "%a %U:%G", "/var/lib/pom/pom.db").strip() == "640 pom:pom"
    assert hetzner.run("systemctl", "start", "pom-check@health", "pom-heartbeat") == ""


def test_the_tests_are_reached_over_ssh_from_within_the_sandbox(hetzner: Box, astra: Box) -> None:
    key = "/var/lib/pom/.ssh"
    hetzner.sh(f"runuser -u pom -- sh -c 'mkdir -m 700 {key} && ssh-keygen -q -t ed25519 -N \"\" -f {key}/id_ed25519'")
    public = hetzner.run("cat", f"{key}/id_ed25519.pub").strip()
    astra.run("bash", "-c", f"echo '{public}' >>/home/deploy/.ssh/authorized_keys")
    known = f"{astra.address} {astra.run('cut', '-d ', '-f1,2', '/etc/ssh/ssh_host_ed25519_key.pub').strip()}"
    hetzner.sh(f"echo '{known}' | runuser -u pom -- tee {key}/known_hosts")
    table = f'[targets.shop.tests]\\nssh = "deploy@{astra.address}"\\ncommand = "echo 12 passed on $(hostname)"\\n'
    edit(hetzner, f"/^\\[serve\\]/i {table}")
    assert hetzner.run("systemctl", "start", "pom-test.service") == ""
    log = hetzner.run("journalctl", "-u", "pom-test", "-o", "cat", "--no-pager")
    assert "shop tests: operational" in log, log
    assert hetzner.query("SELECT count(*) FROM test_runs") == [[1]]
    edit(hetzner, "/^\\[targets.shop.tests\\]/,/^command/d")


# ---- what fails ----------------------------------------------------------------------------------------------------


def test_while_one_api_crashes_in_a_loop_its_checks_go_on_and_the_other_host_meets_the_rest(
    lab: Lab, clone: Path, hetzner: Box, astra: Box
) -> None:
    begun = time.time()
    drop_in = "/run/systemd/system/pom.service.d"
    astra.sh(
        f"mkdir -p {drop_in}; cd {drop_in};"
        " printf '[Service]\\nType=simple\\nExecStart=\\nExecStart=/bin/false\\n' >crash.conf;"
        " systemctl daemon-reload; systemctl restart pom"
    )
    _no_address_yet(hetzner)
    _a_release_that_crashes_at_start(lab, clone, hetzner, astra)
    until(lambda: beats(astra, begun + 30), 130)
    assert int(astra.shown(SERVICE, "NRestarts")["NRestarts"]) >= 3
    assert {astra.active(timer) for timer in TIMERS} == {"active"}
    astra.sh(f"rm -r {drop_in}; systemctl daemon-reload; systemctl restart pom")


def _no_address_yet(box: Box) -> None:
    """A VPN that comes up late: pom.service waits for its address, and the rest works."""
    edit(box, f's/^listen = .*/listen = "{LATE}:9100"/')
    box.run("systemctl", "restart", "pom")
    assert {box.active(timer) for timer in TIMERS} == {"active"}
    assert box.active(SERVICE) == "active"
    assert LATE in box.shown(SERVICE, "StatusText")["StatusText"]
    box.run("ip", "addr", "add", f"{LATE}/32", "dev", "lo")
    until(lambda: box.run("curl", "-sS", "-m", "5", f"http://{LATE}:9100/api/health", check=False).startswith("0 "))
    box.run("ip", "addr", "del", f"{LATE}/32", "dev", "lo")
    edit(box, f's/^listen = .*/listen = "{box.address}:9100"/')
    box.run("systemctl", "restart", "pom")


def _a_release_that_crashes_at_start(lab: Lab, clone: Path, box: Box, other: Box) -> None:
    """It goes back by itself, and the other host never sees it."""
    before = [release(one) for one in (box, other)]
    crashing = boxes.checkout(clone, lab.folder / "crashing")
    with (crashing / "pom_cli" / "commands" / "serve.py").open("a") as file:
        file.write('\nraise RuntimeError("this release crashes at start")\n')
    done = lab.deploy(crashing, box.login, other.login)
    assert done.returncode == 1
    assert "this release crashes at start" in done.stderr
    assert "runs again" in done.stderr
    assert [release(one) for one in (box, other)] == before
    assert other.run("ls", "/opt/pom/releases").split() == [before[1]]
    assert failed(box) == ""
    until(box.well)


LATE = "192.0.2.99"
SEEN = "SELECT count(*) FROM results WHERE series IN (SELECT id FROM series WHERE kind = 'health')"


def test_after_a_reboot_and_after_a_power_cut_all_runs_again(hetzner: Box, astra: Box) -> None:
    counted = [box.query(SEEN)[0][0] for box in (hetzner, astra)]
    # As if the last prune had been two days ago: the downtime went over its hour.
    stamp = "/var/lib/systemd/timers/stamp-pom-prune.timer"
    drop_in = "/etc/systemd/system/pom-prune.timer.d"
    hetzner.sh(f"mkdir {drop_in}; printf '[Timer]\\nRandomizedDelaySec=0\\n' >{drop_in}/now.conf")
    hetzner.run("touch", "-d", "2 days ago", stamp)
    pruned = hetzner.query("SELECT count(*) FROM runs WHERE command = 'prune'")[0][0]
    hetzner.reboot()
    astra.cut_power()
    for box, before in zip((hetzner, astra), counted, strict=True):
        until(box.well)
        assert box.query(SEEN)[0][0] >= before
        assert box.query("PRAGMA integrity_check") == [["ok"]]
        assert failed(box) == ""
    assert min(started(astra, timer) for timer in TIMERS) >= started(astra, "chrony-wait") > 0
    assert "ordering cycle" not in astra.run("journalctl", "-b", "--no-pager")
    until(lambda: hetzner.query("SELECT count(*) FROM runs WHERE command = 'prune'")[0][0] > pruned)
    hetzner.sh(f"rm -r {drop_in}; systemctl daemon-reload")
    for box in (hetzner, astra):
        box.run("ip", "neigh", "flush", "all")  # the other's network card is another one now
        box.run("systemctl", "start", "pom-heartbeat")
    until(lambda: (peers(hetzner), peers(astra)) == ({"astra": "alive"}, {"hetzner": "alive"}), 90)


# ---- new releases --------------------------------------------------------------------------------------------------


def test_a_host_that_cannot_be_reached_leaves_the_others_as_they_are(lab: Lab, clone: Path, hetzner: Box) -> None:
    before = release(hetzner)
    config = lab.folder / "ssh_config"
    config.write_text("Host gone\n    HostName 127.0.0.1\n    Port 1\n" + config.read_text())
    changed = boxes.checkout(clone, lab.folder / "unreachable")
    (changed / "pom_cli" / "marker.py").write_text("")
    done = lab.deploy(changed, "root@gone", hetzner.login)
    assert (done.returncode, "root@gone: cannot be reached" in done.stderr) == (1, True)
    assert release(hetzner) == before
    done = lab.deploy(clone, "--all", "root@gone", hetzner.login)
    assert (done.returncode, "deployed: root@hetzner" in done.stderr) == (1, True), "--all goes on"


def test_a_deployment_that_was_cut_short_is_finished_by_the_next(lab: Lab, clone: Path, hetzner: Box) -> None:
    before, pid = release(hetzner), hetzner.shown(SERVICE, "MainPID")["MainPID"]
    hetzner.sh("echo >/opt/pom/unfinished; rm /etc/systemd/system/pom-prune.timer")
    done = lab.deploy(clone, hetzner.login)
    assert done.returncode == 0, done.stdout + done.stderr
    assert release(hetzner) == before
    assert hetzner.shown(SERVICE, "MainPID")["MainPID"] != pid
    assert hetzner.run("ls", "/opt/pom/unfinished", check=False).startswith("2 ")


def test_a_config_that_is_gone_is_made_anew_and_what_is_there_is_left(lab: Lab, clone: Path, astra: Box) -> None:
    secret = token(astra)
    astra.run("mv", "/etc/pom/pom.toml", "/root/kept.toml")
    done = lab.deploy(clone, *[box.login for box in lab.boxes])
    assert done.returncode == 0, done.stdout + done.stderr
    code, told = astra.pom("config", "check")
    assert (code, "peers: 1" in told) == (0, True)
    made = astra.run("cat", "/etc/pom/pom.toml")
    assert f'listen = "{astra.address}:9100"' in made
    assert f'[peers.hetzner]\nurl = "http://{lab.boxes[0].address}:9100"' in made
    assert token(astra) == secret
    astra.run("mv", "/root/kept.toml", "/etc/pom/pom.toml")
    # A timer may have met the moment without a config, and failed as it should: the next run ends that.
    astra.run("systemctl", "start", "pom-check.service")


@pytest.fixture(scope="module")
def newer(lab: Lab, clone: Path) -> Path:
    checkout = boxes.checkout(clone, lab.folder / "newer")
    _with_a_new_schema(checkout)
    return checkout


def test_a_link_in_poms_folder_gives_it_no_folder_of_roots(lab: Lab, newer: Path, hetzner: Box) -> None:
    before = release(hetzner)
    hetzner.sh("mkdir -m 700 /root/precious; touch /root/precious/before-1.db /root/precious/before-2.db")
    hetzner.run("runuser", "-u", "pom", "--", "ln", "-s", "/root/precious", "/var/lib/pom/backups")
    done = lab.deploy(newer, hetzner.login)
    assert (done.returncode, "nothing was switched" in done.stderr) == (1, True), "without a backup it does not migrate"
    assert hetzner.run("stat", "-c", "%a %U", "/root/precious").strip() == "700 root"
    assert len(hetzner.run("ls", "/root/precious").split()) == 2
    assert release(hetzner) == before
    hetzner.run("runuser", "-u", "pom", "--", "rm", "/var/lib/pom/backups")


def test_a_new_release_while_checks_run_migrates_after_a_backup_and_can_be_rolled_back(
    lab: Lab, newer: Path, hetzner: Box
) -> None:
    before, counted = release(hetzner), hetzner.query("SELECT count(*) FROM results")[0][0]
    # Checks without a pause, as the timers would make them.
    hetzner.run("systemd-run", "-q", "--unit=busy", "-p", "User=pom", "bash", "-c",
                "while :; do pom check || echo $? >>/var/lib/pom/codes; done")  # fmt: skip
    with watch(hetzner, lab.folder / "deploy.trace", "/var/lib/pom") as touched:
        done = lab.deploy(newer, hetzner.login)
    assert done.returncode == 0, done.stdout + done.stderr
    assert touched.by_root == [], "root steps down before it touches what pom could have replaced by a link"
    assert any("/var/lib/pom/backups/before-" in call for call in touched.by_others)
    assert release(hetzner) != before
    version = hetzner.query("PRAGMA user_version")[0][0]
    assert hetzner.run("ls", "/var/lib/pom/backups").split() == [f"before-{release(hetzner)}.db"]
    with watch(hetzner, lab.folder / "rollback.trace", "/var/lib/pom") as touched:
        done = lab.deploy(newer, "rollback", hetzner.login)
    assert done.returncode == 0, done.stdout + done.stderr
    assert touched.by_root == []
    assert touched.by_others != []
    assert release(hetzner) == before
    assert hetzner.query("PRAGMA user_version")[0][0] == version, "the release before works with the newer schema"
    hetzner.run("systemctl", "stop", "busy")
    assert hetzner.run("cat", "/var/lib/pom/codes", check=False).startswith("1 "), "no run failed"
    assert hetzner.query("SELECT count(*) FROM results")[0][0] > counted
    assert peers(hetzner) == {"astra": "alive"}
    done = lab.deploy(newer, "status", *[box.login for box in lab.boxes])
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("pom.service: active, active timers: 5, failed: none") == 2


def _with_a_new_schema(checkout: Path) -> None:
    """As the next release may be: one schema version more."""
    store = checkout / "pom_cli" / "store" / "__init__.py"
    text, version = store.read_text(), "VERSION = len(STEPS)"
    assert version in text
    store.write_text(text.replace(version, f"{version} + 1", 1))


# ---- over the whole time -------------------------------------------------------------------------------------------


def test_the_heartbeat_came_on_the_minute_and_every_run_ended(hetzner: Box, astra: Box) -> None:
    for box in (hetzner, astra):
        until(lambda box=box: len({at // 60 for at in beats(box) if at % 60 < 5}) >= 2, 130)
        assert box.query("SELECT count(*) FROM runs WHERE ended_at IS NULL")[0][0] <= 1
