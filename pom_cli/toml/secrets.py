"""The secrets: from the environment, else from the env file beside the config. They never leave but to their use."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.text import hide

_NAMES = "POM_(POSTMARK_TOKEN|API_TOKEN|SMTP_PASSWORD|PEER_[A-Za-z0-9_]+_TOKEN)"
_REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_PIECE = r"""\s*(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|(.+))"""


@dataclass(frozen=True)
class Secrets:
    """What is known of the secrets; `repr` shows none of them."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    unreadable: str = ""  # why the env file could not be read, "" where it was or where there is none

    def get(self, name: str) -> str:
        """The secret of this name, "" where it is not set."""
        return self.values.get(name, "")

    def masked(self, text: str) -> str:
        """The text, which comes from outside, without any of them."""
        for secret in {one for value in self.values.values() for one in (value, *_listed(value))}:
            text = hide(text, secret)
        return text

    def api_tokens(self) -> tuple[str, ...]:
        """The tokens that the API accepts: more than one while they are rotated."""
        return _listed(self.get("POM_API_TOKEN"))

    def peer_tokens(self, peer: str) -> tuple[str, ...]:
        """The tokens that questions to this peer are signed with: its own, else the API's."""
        own = self.get(f"POM_PEER_{re.sub('[^A-Za-z0-9]', '_', peer).upper()}_TOKEN")
        return _listed(own) or self.api_tokens()


def load(environ: Mapping[str, str], env_file: Path, names: Collection[str] = ()) -> Secrets:
    """The secrets of the environment, completed by the file where this process may read it: PoM's own, and those of
    these names."""
    try:
        values, unreadable = parse(env_file.read_text(encoding="utf-8-sig"), names), ""
    except FileNotFoundError:
        values, unreadable = {}, ""
    except (OSError, UnicodeDecodeError) as error:
        values, unreadable = {}, f"{env_file}: {getattr(error, 'strerror', None) or 'not UTF-8'}"
    given = {name: value.strip() for name, value in environ.items() if name in names or _is_secret(name)}
    return Secrets(values | {name: value for name, value in given.items() if value}, unreadable)


def reference(value: Any) -> str:
    """The variable that a header's value names, as in `"env:SHOP_TOKEN"`; "" for any other value."""
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else ""


def references(data: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """The variables that headers in these tables name, each behind its header's dotted path."""
    for key, value in data.items():
        place = f"{path}.{key}".strip(".")
        if not isinstance(value, dict):
            continue
        if key == "headers":
            yield from ((f"{place}.{header}", name) for header, one in value.items() if (name := reference(one)))
        yield from references(value, place)


def parse(text: str, names: Collection[str] = ()) -> dict[str, str]:
    """KEY=value lines as systemd reads them for EnvironmentFile= (systemd.exec(5)), each on one line."""
    values = {}
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if equals and (name.strip() in names or _is_secret(name.strip())):
            values[name.strip()] = _value(value)
    return {name: value for name, value in values.items() if value}


def _listed(value: str) -> tuple[str, ...]:
    return tuple(token for token in (part.strip() for part in value.split(",")) if token)


def _is_secret(name: str) -> bool:
    return name.startswith("POM_") and re.fullmatch(_NAMES, name) is not None


def _value(text: str) -> str:
    """Quoted pieces without their quotes; a backslash escapes as it does there, within single quotes not at all."""
    value, rest = "", text.strip()
    while piece := re.match(_PIECE, rest):
        single, double, bare = piece.groups()
        value += single or re.sub(r'\\(["\\`$])', r"\1", double or "") + re.sub(r"\\(.)", r"\1", bare or "")
        rest = rest[piece.end() :]
    return value
