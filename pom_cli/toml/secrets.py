"""The secrets: from the environment, else from the env file beside the config. They never leave but to their use."""

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from pom_cli.frozen import dataclass
from pom_cli.text import hide

_NAMES = "POM_(POSTMARK_TOKEN|API_TOKEN|SMTP_PASSWORD|PEER_[A-Za-z0-9_]+_TOKEN)"
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


def load(environ: Mapping[str, str], env_file: Path) -> Secrets:
    """The secrets of the environment, completed by the file where this process may read it."""
    try:
        values, unreadable = parse(env_file.read_text(encoding="utf-8-sig")), ""
    except FileNotFoundError:
        values, unreadable = {}, ""
    except (OSError, UnicodeDecodeError) as error:
        values, unreadable = {}, f"{env_file}: {getattr(error, 'strerror', None) or 'not UTF-8'}"
    values |= {name: value.strip() for name, value in environ.items() if _is_secret(name) and value.strip()}
    return Secrets(values, unreadable)


def parse(text: str) -> dict[str, str]:
    """KEY=value lines as systemd reads them for EnvironmentFile= (systemd.exec(5)), each on one line."""
    values = {}
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if equals and _is_secret(name.strip()):
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
