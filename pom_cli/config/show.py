"""The config as it holds, defaults included, for people and programs: secrets masked, all as in TOML. Pure."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from pom_cli import channels
from pom_cli.config import Config
from pom_cli.config import alerts as audience
from pom_cli.text import HIDDEN, host_alone, names_a_secret, without_passwords
from pom_cli.times import written
from pom_cli.toml.secrets import reference
from pom_cli.toml.table import Table

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SECRETS = ("POM_POSTMARK_TOKEN", "POM_API_TOKEN", "POM_SMTP_PASSWORD")


def effective(config: Config) -> dict[str, Any]:
    """Every key with its effective value, in TOML types."""
    values: dict[str, Any] = {key: plain(value, key) for key, value in config.effective.items()}
    alerts = values.get("alerts", {})
    alerts |= {name: _defaults(name) for name in audience.TABLES if not alerts.get(name)}
    webhook = values.get("alerts", {}).get("webhook", {})
    if "url" in webhook:
        webhook["url"] = host_alone(webhook["url"])
    return values


def _defaults(channel: str) -> dict[str, Any]:
    """The defaults of a channel that the config does not use, so that its keys are shown."""
    table = Table({}, f"alerts.{channel}", [])
    channels.load(channel).parse(table)
    return {key: plain(value, key) for key, value in table.effective.items()}


def secrets(config: Config) -> dict[str, str]:
    """Which secrets are set, by the names of their variables."""
    names = dict.fromkeys([*_SECRETS, *config.secrets.values])
    return {name: HIDDEN if config.secrets.get(name) else "(not set)" for name in names}


def plain(value: Any, key: str = "") -> Any:
    """A value of the config as it would be written in TOML; what may be a secret is masked."""
    if isinstance(value, Mapping):
        if key == "headers":  # any of them may authorize; the name of a variable does not
            return {name: item if reference(item) else HIDDEN for name, item in value.items()}
        return {name: plain(item, name) for name, item in value.items()}
    if isinstance(value, str):
        return HIDDEN if value and names_a_secret(key) else without_passwords(value)
    if isinstance(value, list | tuple):
        return [plain(item, key) for item in value]
    return written(value) if isinstance(value, timedelta) else value


def as_json(value: Any) -> Any:
    """The same values for JSON, which has no dates."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def toml(values: Mapping[str, Any], path: str = "") -> str:
    """These values as TOML: plain keys first, then a section for each table that is not empty."""
    plain_keys = [(key, value) for key, value in values.items() if not isinstance(value, Mapping)]
    lines = [f"{_key(key)} = {inline(value)}" for key, value in plain_keys]
    sections = ["\n".join([f"[{path}]", *lines] if path else lines)] if lines else []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            sections.append(toml(value, f"{path}.{_key(key)}" if path else _key(key)))
    return "\n\n".join(section for section in sections if section)


def quoted(text: str) -> str:
    """A text as a TOML basic string (toml.io/en/v1.0.0#string)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else _escape(one) for one in escaped) + '"'


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else quoted(key)


def inline(value: Any) -> str:
    """A value as written after an equals sign, on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)
