"""The secrets: from the environment, else from the env file beside the config. They never leave but to their use."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from pom_cli.frozen import dataclass
from pom_cli.text import mask, names_a_secret, secrets_in

_NAMES = "POM_(POSTMARK_TOKEN|API_TOKEN|SMTP_PASSWORD|PEER_[A-Za-z0-9_]+_TOKEN)"
_REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
# Headers that authorize nobody; their values are words that occur in answers, too.
_HARMLESS = ("accept", "accept-encoding", "accept-language", "cache-control", "content-type", "origin", "user-agent")
SHORTEST = 16  # characters of a good token
_LEAST = 6  # characters
T = TypeVar("T")
_PIECE = r"""\s*(?:'([^']*)'|"((?:[^"\\]|\\.)*)"|(.+))"""


@dataclass(frozen=True)
class Secrets:
    """What is known of the secrets; `repr` shows none of them."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    unreadable: str = ""  # why the env file could not be read; "" if it was, or is absent
    configured: frozenset[str] = field(default=frozenset(), repr=False)  # those that the config itself has

    def get(self, name: str) -> str:
        """The secret of this name, "" where it is not set."""
        return self.values.get(name, "")

    def masked(self, value: T) -> T:
        """A text, or another JSON value, that comes from outside, without any of them."""
        known = {one for text in self.values.values() for one in (text, *_listed(text))}
        found: T = mask(value, frozenset(known) | self.configured)
        return found

    def api_tokens(self) -> tuple[str, ...]:
        """The tokens that the API accepts: more than one while they are rotated."""
        return _listed(self.get("POM_API_TOKEN"))

    def peer_tokens(self, peer: str) -> tuple[str, ...]:
        """The tokens that questions to this peer are signed with: its own, else the API's."""
        own = self.get(f"POM_PEER_{re.sub('[^A-Za-z0-9]', '_', peer).upper()}_TOKEN")
        return _listed(own) or self.api_tokens()


def configured(value: Any, key: str = "") -> Iterator[str]:
    """The secrets within a value of the config: what `pom config show` hides, and its parts."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if key == "headers" and isinstance(item, str) and name.lower() not in _HARMLESS:
                yield from (item, item.rpartition(" ")[2]) if names_a_secret(name) else (item,)  # `Bearer TOKEN`
            else:
                yield from configured(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from configured(item, key)
    elif isinstance(value, str):
        yield from [value] if names_a_secret(key) else secrets_in(value)


def masking(effective: Mapping[str, Any]) -> frozenset[str]:
    """The secrets of a config that are long enough not to be found in texts by chance."""
    return frozenset(one for one in configured(effective) if len(one) >= _LEAST)


def short(known: Secrets) -> list[str]:
    """A warning for each token that can be guessed: with a signature to compare, that takes no asking."""
    return [
        f"{name}: a token of {len(token)} characters can be guessed; give it {SHORTEST} or more: openssl rand -hex 32"
        for name, value in known.values.items()
        if name == "POM_API_TOKEN" or name.startswith("POM_PEER_")
        for token in _listed(value)
        if len(token) < SHORTEST
    ]


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


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a child, which has no use for any of PoM's own settings."""
    return {name: value for name, value in environ.items() if not name.startswith("POM_")}


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
