"""The timers: installed, switched on, and none of the units failed."""

from collections.abc import Mapping
from pathlib import Path

from pom_cli.doctor import Patient, Point, fault, ok, skipped

SERVICE = "pom.service"
TIMERS = ("pom-check-5min.timer", "pom-check-hourly.timer", "pom-check.timer", "pom-heartbeat.timer", "pom-prune.timer")
_ASKED = "Id,LoadState,ActiveState,UnitFileState,Result,NeedDaemonReload"
_TIMEOUT_S = 10


def timers(patient: Patient) -> list[Point]:
    """What systemd says of every unit."""
    if not patient.installed:
        return [skipped(f"{patient.path} is not the config that the systemd units use")]
    if not Path("/run/systemd/system").is_dir():
        return [skipped("systemd is not running here")]
    services = [name.removesuffix(".timer") + ".service" for name in TIMERS]
    return judged(_shown([SERVICE, *TIMERS, *services]))


def judged(units: Mapping[str, Mapping[str, str]]) -> list[Point]:
    """Points from what `systemctl show` said, by unit."""
    found = []
    for name in (SERVICE, *TIMERS):
        unit = units.get(name, {})
        if unit.get("LoadState") != "loaded":
            found.append(fault(f"{name} is not installed", "deploy again: ./deploy.sh HOST"))
        elif unit.get("ActiveState") not in ("active", "activating", "reloading"):
            found.append(fault(f"{name} is {unit.get('ActiveState')}", f"systemctl start {_plain(name)}"))
        elif unit.get("UnitFileState") != "enabled":
            found.append(fault(f"{name} does not start after a reboot", "systemctl enable pom"))
    for name, unit in units.items():
        if unit.get("ActiveState") == "failed" and name != SERVICE:
            told = f"{name} failed ({unit.get('Result')})"
            found.append(fault(told, f"see journalctl -u {name} -n 20, then: systemctl start {name}"))
    if any(unit.get("NeedDaemonReload") == "yes" for unit in units.values()):
        found.append(fault("a unit file has changed since systemd loaded it", "systemctl daemon-reload"))
    return found or [ok(f"{SERVICE} and {len(TIMERS)} timers are active and enabled")]


def _plain(name: str) -> str:
    return "pom" if name == SERVICE else name


def _shown(names: list[str]) -> dict[str, dict[str, str]]:
    """`systemctl show`: the properties of each unit. Raises OSError and subprocess.SubprocessError."""
    import subprocess

    command = ["systemctl", "show", f"--property={_ASKED}", "--", *names]
    done = subprocess.run(  # noqa: S603 - no shell, and only constants
        command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
    )
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in done.stdout.split("\n\n")]
    return {block["Id"]: block for block in blocks if "Id" in block}
