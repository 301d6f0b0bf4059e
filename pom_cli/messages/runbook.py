"""What to do about each kind of alert: the steps of `procedures.py`, filled in with the facts of a target.

Pure: no config, no printing. A fact that is absent takes its command, or its whole step, with it; none leaves a hole.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from shlex import quote
from string import Formatter
from typing import Any

from pom_cli.checks import alert_names, kind_of
from pom_cli.checks.steps import Step
from pom_cli.messages.procedures import section
from pom_cli.model import DEGRADED, ERROR, UNREACHABLE
from pom_cli.text import clean

WIDTH = 400  # columns of prose: phones and mail readers wrap lines themselves, and wrap hard-wrapped ones badly
_EACH = 5  # commands at most from one template, one for each failing path, record or host
_LONGEST = 500  # characters of one fact; a longer one is left out, since half a URL is worse than none

_SHELL = frozenset("'\"\\$`*?[]{}()<>|&;#~! \t") - {" "}  # a command with one of these is quoted for two shells

ALERTS = alert_names()

_ETC = "/etc/pom"  # where a deployed installation has its config and its env file


def title(alert: str) -> str:
    """The heading of the runbook's section."""
    found = section(alert)
    return found.title if found else alert


def symptoms(alert: str, facts: Mapping[str, Any] | None = None) -> str:
    """What the section says that the operator sees; a name in parentheses that is not known is left out."""
    found = section(alert)
    text = found.symptoms if found else ""
    return _fill(text, _usable_facts(facts or {}), in_shell=False) or re.sub(r" \(\{\w+\}\)", "", text)


def steps(alert: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The steps, each a line of prose with its commands below it, indented by four. Unknown alerts have none.

    Facts, all optional: target, status, url, health_url, host, port, ssh, unit, database, domain, config, env,
    data_dir, peer_ssh, peer_host, test_ssh, test_host, test_command, tests_elsewhere (PoM has no command for them),
    cors_url, origin, method, headers (those that a preflight asks for), the tools' (`tools.facts`), and `subjects` by
    kind of check. From what was seen: registrar, unsecured (no HTTPS connection was made), certificate (why clients do
    not accept it), certificate_names, untrusted, doubt (of a peer that answers). What cannot be filled in is
    left out. `runbook` is the operator's own steps by alert, which are added to the usual ones or replace them.
    """
    worlds, found = _worlds(alert, facts), section(alert)
    applying = [step for step in (found.steps if found else ()) if _applies(step, facts.get("status"), worlds[0])]
    usual = tuple(filled for step in applying if (filled := _filled(step, worlds)))
    own = facts.get("runbook", {}).get(alert)
    return usual if own is None else own.steps if own.instead else usual + own.steps


def numbered(lines: Sequence[str]) -> str:
    """Steps as they are read: numbered, prose wrapped, commands as they are."""
    return "\n".join(line for number, step in enumerate(lines, 1) for line in _numbered(number, step))


def _numbered(number: int, step: str) -> Iterable[str]:
    lead = f"{number}. "
    for line in step.split("\n"):
        yield line if line.startswith("    ") else wrapped(line, lead, "   ")
        lead = "   "


def wrapped(line: str, lead: str = "", indent: str = "  ") -> str:
    """Prose over as many lines as it needs; URLs and other long words stay whole, so that they can be copied."""
    return textwrap.fill(
        line, WIDTH, initial_indent=lead, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _applies(step: Step, status: Any, facts: Mapping[str, str]) -> bool:
    unfit = step.when and status in (DEGRADED, ERROR, UNREACHABLE) and status not in step.when
    return not unfit and facts.keys() >= {*step.having.split()} and facts.keys().isdisjoint(step.lacking.split())


def _filled(step: Step, worlds: Sequence[Mapping[str, str]]) -> str:
    """The step in full, or what is left of it without its commands, or nothing."""
    texts = [text for world in worlds if (text := _fill(step.text, world, in_shell=False))]
    commands = dict.fromkeys(line for form in step.commands for world in worlds if (line := _fill(form, world)))
    if not texts:
        return ""
    if commands:
        return "\n    ".join([texts[0], *list(commands)[:_EACH]]) + (step.after and "\n" + step.after)
    if step.commands:
        return _bare(texts[0], step.after)
    return texts[0]


def _bare(text: str, after: str) -> str:
    """Prose that led to commands, without them. One word, such as "Verify", then says nothing."""
    left = f"{re.sub(r'(:| with)$', '', text)} {after}".strip()
    return left if " " in left else ""


def _fill(template: str, facts: Mapping[str, str], in_shell: bool = True) -> str:
    """The template with its facts, quoted for the shells that will read it; empty where one of them is absent."""
    parts = []
    for literal, name, spec, _ in Formatter().parse(template):
        parts.append(literal)
        if name is not None:
            if name not in facts:
                return ""
            parts.append(_QUOTING[spec or ""](facts[name]) if in_shell else facts[name])
    return "".join(parts)


def _within(mark: str) -> Callable[[str], str]:
    """For a word of a remote command in quotes: an odd one leaves them and comes back."""
    return lambda word: word if quote(word) == word else mark + quote(quote(word)) + mark


_QUOTING: dict[str, Callable[[str], str]] = {
    "": quote,  # a word for the shell here
    "remote": lambda word: quote(quote(word)),  # ssh joins its arguments with spaces and a second shell splits them
    "'": _within("'"),
    '"': _within('"'),
    "whole": str,  # a command line by itself, from the config
}


def _worlds(alert: str, facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """The facts once for each subject of the alert: a template makes a command for every one that fills it."""
    known = _derived(_usable_facts(facts))
    found = section(alert)
    if found is None:
        return [known]
    subjects = _listed(facts.get("subjects") or {}, kind_of(alert)) or [""]
    each = [found.facts(subject, known) for subject in subjects]
    return [known | {key: text for key, text in one.items() if _usable(text)} for one in each]


def _derived(facts: dict[str, str]) -> dict[str, str]:
    """The facts, and what follows from them."""
    more = {
        "health_url": facts.get("url", ""),
        "test_host": facts.get("test_ssh", "").rpartition("@")[2],
        "peer_host": facts.get("peer_ssh", "").rpartition("@")[2],
        "origin_header": f"Origin: {facts['origin']}" if "origin" in facts else "",
        "method_header": f"Access-Control-Request-Method: {facts.get('method', 'GET')}",
        "headers_header": f"Access-Control-Request-Headers: {facts['headers']}" if "headers" in facts else "",
        "pom": pom(facts.get("config", "")),
        "env": f"{_ETC}/env",
        "data_dir": "/var/lib/pom",
    }
    sudo = {"sudo": _sudo(facts.get("ssh", "")), "peer_sudo": _sudo(facts.get("peer_ssh", ""))}
    return {key: text for key, text in more.items() if text} | facts | sudo


def pom(config: str) -> str:
    """How `pom` is called so that it uses this config."""
    return "pom" if config in ("", f"{_ETC}/pom.toml") else f"pom --config {quote(config)}"


def acknowledge(target: str, facts: Mapping[str, Any]) -> str:
    """The line that acknowledges a target's alerts, typed anywhere; "" where the instance's name is not known."""
    here, name = _usable(facts.get("instance")), _usable(target)
    if not here or not name:
        return ""
    command = f"{_usable(facts.get('pom_here')) or 'pom'} ack {quote(name)}"
    return f"ssh {quote(here)} {command if not set(command) & _SHELL else quote(command)}"


def _sudo(ssh: str) -> str:
    """What goes before a command for root where another user logs in; ~/.ssh/config may say who that is."""
    user, at, _ = ssh.rpartition("@")
    return "sudo " if at and user != "root" else ""


def _usable(value: Any) -> str:
    """The value as one word of text, or nothing: no hole, no control character, nothing that a program takes
    for an option (ssh and curl `-`, dig `@` and `+`)."""
    text = str(value) if isinstance(value, str | int) else ""
    return text if text and clean(text, _LONGEST) == text and text[0] not in "-+@" else ""


def _usable_facts(facts: Mapping[str, Any]) -> dict[str, str]:
    return {key: text for key, value in facts.items() if (text := _usable(value))}


def _listed(facts: Mapping[str, Any], key: str) -> list[str]:
    values = facts.get(key) or ()
    return [text for value in ([values] if isinstance(values, str) else values) if (text := _usable(value))]
