"""The table of steps: complete, and of a form that `runbook.py` can fill in."""

from string import Formatter

import pytest

from pom_cli.checks import KINDS, alert_names, load
from pom_cli.checks.steps import Section, Step
from pom_cli.messages.procedures import OWN, section

QUOTINGS = {"", "remote", "'", '"', "whole"}
SECTIONS: dict[str, Section] = {alert: found for alert in alert_names() if (found := section(alert))}
STEPS = [(alert, step) for alert, section in SECTIONS.items() for step in section.steps]


def fields(template: str) -> list[tuple[str, str]]:
    return [(name, spec or "") for _, name, spec, _ in Formatter().parse(template) if name is not None]


def test_every_alert_has_its_section_and_no_section_lacks_its_alert() -> None:
    assert tuple(SECTIONS) == alert_names()
    assert all(tuple(load(kind).RUNBOOK) == alerts for kind, alerts in KINDS.items())
    assert set(OWN) == set(alert_names()) - {alert for alerts in KINDS.values() for alert in alerts}


@pytest.mark.parametrize("alert", SECTIONS)
def test_every_section_has_a_title_symptoms_and_at_least_three_steps(alert: str) -> None:
    section = SECTIONS[alert]
    assert section.title and section.symptoms.endswith(".") and len(section.steps) >= 3


@pytest.mark.parametrize(("alert", "step"), STEPS)
def test_every_field_is_named_and_says_how_it_is_quoted(alert: str, step: Step) -> None:
    for command in step.commands:
        assert all(name and spec in QUOTINGS for name, spec in fields(command))
    assert all(name and not spec for name, spec in fields(step.text))
    assert not fields(step.after)


@pytest.mark.parametrize(("alert", "step"), STEPS)
def test_prose_has_no_backticks_and_commands_stand_on_one_line(alert: str, step: Step) -> None:
    assert "`" not in step.text + step.after + "".join(step.commands)
    assert not any("\n" in part for part in (step.text, step.after, *step.commands))
    assert not any(mark in step.text + "".join(step.commands) for mark in ("<", "None"))


@pytest.mark.parametrize(("alert", "step"), STEPS)
def test_whatever_goes_through_ssh_is_quoted_for_both_shells(alert: str, step: Step) -> None:
    for command in step.commands:
        if command.startswith("ssh "):
            # The destination is read here; the tests' command line and a local `| grep` are meant for one shell; sudo
            # is a word of our own.
            allowed = {("ssh", ""), ("peer_ssh", ""), ("test_ssh", ""), ("test_command", ""), ("port", "")}
            allowed |= {("sudo", "whole")}
            assert all(field in allowed or field[1] in {"remote", "'", '"'} for field in fields(command))
