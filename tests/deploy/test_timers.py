"""The units as files: one timer an interval, the same sandbox everywhere, nothing without its other half."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from pom_cli import cli
from pom_cli.checks import KINDS, load
from pom_cli.doctor.units import SERVICE, TIMERS

UNITS = Path(__file__).parents[2] / "timers"
SERVICES = sorted(UNITS.glob("*.service"))
ALL_TIMERS = sorted(UNITS.glob("*.timer"))


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{re.escape(key)}=(.*)$", unit.read_text(), re.MULTILINE)


def test_the_doctor_knows_every_timer_and_pom_service_enables_it() -> None:
    shipped = {unit.name for unit in ALL_TIMERS} - {"pom-test.timer", "pom-report.timer"}
    assert shipped == set(TIMERS)
    assert set(" ".join(values(UNITS / SERVICE, "Also")).split()) == set(TIMERS)


@pytest.mark.parametrize(("unit", "interval"), [("pom-check-5min", None), ("pom-check-hourly", timedelta(hours=1))])
def test_the_kinds_of_one_interval_share_one_run(unit: str, interval: timedelta | None) -> None:
    kinds = " ".join(kind for kind in KINDS if interval == load(kind).INTERVAL)
    assert values(UNITS / f"{unit}.service", "ExecStart") == [f"/usr/local/bin/pom check --due {kinds}"]


@pytest.mark.parametrize("timer", ALL_TIMERS, ids=lambda unit: unit.name)
def test_a_timer_has_its_service_and_is_part_of_the_whole(timer: Path) -> None:
    service = re.sub("@.*", "@", timer.stem) + ".service"
    assert (UNITS / service).is_file()
    assert values(timer, "PartOf") == [SERVICE]
    assert values(timer, "WantedBy") == [SERVICE]
    assert values(timer, "StartLimitIntervalSec") == ["0"]


@pytest.mark.parametrize("timer", ALL_TIMERS, ids=lambda unit: unit.name)
def test_a_timer_starts_after_the_clock_is_set(timer: Path) -> None:
    # systemd.timer(5): with OnCalendar= a timer has this dependency by itself.
    assert values(timer, "OnCalendar") or values(timer, "After") == ["time-sync.target"]


@pytest.mark.parametrize("service", SERVICES, ids=lambda unit: unit.name)
def test_a_service_runs_a_command_line_that_pom_takes(service: Path) -> None:
    [line] = values(service, "ExecStart")
    program, *words = shlex.split(line.replace("%i", "health"))
    assert program == "/usr/local/bin/pom"
    command = cli.root.get_command(cli.root.make_context("pom", ["check"]), words[0])
    assert command is not None
    with command.make_context(words[0], words[1:]):
        pass


def settings(unit: Path) -> set[str]:
    """The unit's sandbox, a setting a line."""
    lines = unit.read_text().splitlines()
    return {line for line in lines[lines.index("User=pom") :] if line and not line.startswith("#")}


def test_the_sandbox_is_the_same_in_every_service_but_that_of_test_commands() -> None:
    def sandbox(unit: Path) -> str:
        text = unit.read_text()
        return text[text.index("# A read-only system") : text.index("SystemCallErrorNumber=EPERM")]

    assert len({sandbox(unit) for unit in SERVICES if unit.name != "pom-test.service"}) == 1


def test_a_test_command_may_do_what_it_does_by_hand_and_no_more() -> None:
    usual, ours = settings(UNITS / "pom-prune.service"), settings(UNITS / "pom-test.service")
    assert usual - ours == {
        "ProtectSystem=strict", "ProtectHome=yes", "PrivateUsers=yes", "ProcSubset=pid", "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    }  # fmt: skip
    assert ours - usual == {"ProtectSystem=full", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda unit: unit.name)
def test_every_oneshot_has_a_limit_and_1_is_a_success(service: Path) -> None:
    if service.name == SERVICE:
        assert values(service, "Restart") == ["always"]
        return
    assert values(service, "Type") == ["oneshot"]
    assert values(service, "TimeoutStartSec")
    assert values(service, "SuccessExitStatus") == ([] if "prune" in service.name else ["1"])
