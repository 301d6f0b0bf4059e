"""Config and files: do they load, may the right users read and write them, and is there room for more."""

import os
from contextlib import suppress
from pathlib import Path
from shlex import quote

from pom_cli import privileges
from pom_cli.doctor import Patient, Point, fault, ok, skipped, warning
from pom_cli.frozen import dataclass

STATE = "/var/lib/pom"  # StateDirectory= of the units
USER = "pom"  # the user that systemd runs an installed PoM as
LEAST_BYTES = 100 << 20  # the database grows by a few MiB a month; mail logs and journals fill disks faster


@dataclass(frozen=True)
class Account:
    """A user, with all the groups that count for file modes."""

    name: str
    uid: int
    gids: frozenset[int]


def config(patient: Patient) -> list[Point]:
    """Does pom.toml load. Warnings are no faults."""
    check = f"pom --config {quote(str(patient.path))} config check" if not patient.installed else "pom config check"
    if patient.mistakes:
        faults = [fault(mistake, f"correct it, then: {check}") for mistake in patient.mistakes]
        copy = [warning("until then the timers use the last config that loaded")] if patient.config else []
        return faults + copy
    loaded = patient.config
    assert loaded is not None  # noqa: S101 - for the type checker: without a config there are mistakes
    counts = f"targets: {len(loaded.targets)}, peers: {len(loaded.peers)}"
    return [ok(f"{patient.path}: no errors; {counts}")] + [warning(one) for one in loaded.warnings]


def modes(patient: Patient) -> list[Point]:
    """Who may read and write config, env and data."""
    if patient.config is None:
        return [skipped("without a config it is not known where the data is")]
    data = patient.config.instance.data_dir
    user = _service_user(patient, data)
    if user is None:
        return [fault(f"there is no user {USER}; the timers run as that user", "deploy again: ./deploy.sh HOST")]
    found = [*_config_modes(patient.path, user), *_env_modes(patient.path.with_name("env"), patient)]
    return [*found, *_data_modes(data, user, patient.installed), *_open_to_others(patient, data, user)]


def _open_to_others(patient: Patient, data: Path, user: Account) -> list[Point]:
    """What somebody else could write: the config names commands that PoM runs, the data folder who was notified."""
    owners = {0, user.uid} if patient.installed else {0, os.geteuid(), user.uid}
    env = patient.path.with_name("env")
    found = []
    for path in (patient.path.parent, patient.path, env, data):
        try:
            status = path.stat()
        except OSError:
            continue  # reported elsewhere, or absent
        sticky = path.is_dir() and status.st_mode & 0o1000
        if status.st_mode & 0o002 and not sticky:
            told = f"{path}: everybody may write it ({status.st_mode & 0o7777:04o})"
            found.append(fault(told, f"chmod o-w {quote(str(path))}"))
        if path != data and status.st_uid not in owners:
            told = f"{path}: it belongs to user {status.st_uid}, who can change it"
            found.append(fault(told, f"chown root:{user.name} {quote(str(path))}"))
    return found


def disk(patient: Patient) -> list[Point]:
    """Is there room for the database to grow."""
    if patient.config is None:
        return [skipped("without a config it is not known where the data is")]
    data = patient.config.instance.data_dir
    try:
        room = os.statvfs(data)
    except OSError as error:
        return [fault(f"{data}: {error.strerror}", f"mkdir -p {quote(str(data))}, or set instance.data_dir")]
    free = room.f_bavail * room.f_frsize
    if free < LEAST_BYTES:
        return [fault(f"{data}: only {free >> 20} MiB are free", f"free some space: df -h {quote(str(data))}")]
    if room.f_files and not room.f_favail:
        return [fault(f"{data}: no inode is free", f"delete small files: df -i {quote(str(data))}")]
    return [ok(f"{data}: {free >> 20} MiB are free")]


def _service_user(patient: Patient, data: Path) -> Account | None:
    """The user that runs execute as: pom if PoM is installed, else the owner of the data."""
    import pwd

    try:
        uid = data.stat().st_uid if data.exists() else os.geteuid()
        entry = pwd.getpwnam(USER) if patient.installed else pwd.getpwuid(uid)
    except KeyError:
        return None if patient.installed else Account(str(uid), uid, frozenset())
    return Account(entry.pw_name, entry.pw_uid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def may(status: os.stat_result, user: Account, bits: int) -> bool:
    """May this user do that by the mode: 4 read, 2 write, 1 search."""
    if user.uid == 0:
        return True
    if status.st_uid == user.uid:
        return status.st_mode >> 6 & bits == bits
    if status.st_gid in user.gids:
        return status.st_mode >> 3 & bits == bits
    return status.st_mode & bits == bits


def _config_modes(path: Path, user: Account) -> list[Point]:
    try:
        closed = [one for one, bits in ((path.parent, 1), (path, 4)) if not may(one.stat(), user, bits)]
    except OSError:
        return []  # the check of the config reports it
    if not closed:
        return [ok(f"{path}: readable by user {user.name}")]
    fix = f"chgrp {USER} {closed[0]} && chmod g+r{'x' if closed[0] == path.parent else ''} {closed[0]}"
    return [fault(f"{closed[0]}: not readable by user {user.name}", fix)]


def _env_modes(path: Path, patient: Patient) -> list[Point]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return [] if not patient.installed else [fault(f"{path}: missing", f"write it (0640, root:{USER})")]
    except OSError as error:
        return [skipped(f"{path}: {error.strerror}")]
    if mode & 0o007:
        return [fault(f"{path}: its secrets are readable by others ({mode & 0o777:04o})", f"chmod 640 {path}")]
    return [ok(f"{path}: not readable by others ({mode & 0o777:04o})")]


def _data_modes(data: Path, user: Account, installed: bool = False) -> list[Point]:
    try:
        folder = data.stat()
    except OSError:
        return []  # the check of the disk reports it
    fix = f"chown -R {user.name}:{user.name} {quote(str(data))}"
    if installed and not str(data).startswith(STATE):
        told = f"{data}: systemd lets PoM write only below {STATE}"
        return [fault(told, f"systemctl edit each unit: [Service] ReadWritePaths={data}; or set data_dir to {STATE}")]
    if not may(folder, user, 7):
        return [fault(f"{data}: not writable by user {user.name}", fix)]
    foreign = _foreign(data, user)
    if foreign:
        names = ", ".join(sorted(foreign)[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        return [fault(f"{data}: user {user.name} cannot write {names}", fix)]
    return [ok(f"{data}: writable by user {user.name}")]


def _foreign(data: Path, user: Account) -> list[str]:
    """What in the data folder the runs could not write. A folder that this process may not list counts for nothing."""
    with privileges.lent(data), suppress(PermissionError):
        files = [one for one in data.iterdir() if one.is_file() and not one.is_symlink()]
        return [one.name for one in files if not may(one.stat(), user, 6)]
    return []
