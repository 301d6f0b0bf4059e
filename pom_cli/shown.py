"""The config as it holds, defaults included, for people and programs: secrets masked, durations as in TOML. Pure."""

import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pom_cli.config import Config

HIDDEN = "(hidden)"
_SECRET = re.compile(r"token|password|secret|api.?key|authorization|cookie", re.IGNORECASE)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def effective(config: Config) -> dict[str, Any]:
    """Every key with the value that holds, as JSON values, and which secrets are set."""
    values: dict[str, Any] = {key: plain(value, key) for key, value in config.effective.items()}
    webhook = values["alerts"].get("webhook", {})
    if webhook.get("url"):
        webhook["url"] = masked_url(webhook["url"])
    names = ("POM_POSTMARK_TOKEN", "POM_API_TOKEN", "POM_SMTP_PASSWORD")
    values["secrets"] = {name: HIDDEN if config.secrets.get(name) else "(not set)" for name in names}
    return values


def plain(value: Any, key: str = "") -> Any:
    """A value of the config as it would be written in TOML; what may be a secret is masked."""
    if isinstance(value, Mapping):
        masked = key == "headers"
        return {
            str(name): HIDDEN if masked else plain(item, str(name)) for name, item in value.items() if item is not None
        }
    if isinstance(value, str) and _SECRET.search(key):
        return HIDDEN if value else ""
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, list | tuple):
        if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
            return f"{value[0]}:{value[1]}"
        return [plain(item, key) for item in value if item is not None]
    if isinstance(value, Path | date):
        return str(value)
    return {} if is_dataclass(value) else value


def duration(span: timedelta) -> str:
    """A timedelta as the config writes it: `"5m"`, `"1h30m"`, `"500ms"`."""
    left = round(span.total_seconds() * 1000)
    parts = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds * 1000)
        parts += [f"{count}{unit}"] if count else []
    return "".join([*parts, f"{left}ms"] if left else parts) or "0s"


def masked_url(url: str) -> str:
    """Scheme and host alone: a webhook's path is often its password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{HIDDEN}" if parts.netloc else url


def toml(values: Mapping[str, Any], path: str = "") -> str:
    """These values as TOML: plain keys first, then a section for each table."""
    lines = [f"{_key(key)} = {_value(value)}" for key, value in values.items() if not isinstance(value, Mapping)]
    sections = [[f"[{path}]", *lines]] if path and (lines or not values) else [lines]
    for key, value in values.items():
        if isinstance(value, Mapping):
            sections.append([toml(value, f"{path}.{_key(key)}" if path else _key(key))])
    return "\n\n".join("\n".join(section) for section in sections if section)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    import json

    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
