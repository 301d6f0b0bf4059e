"""What a first config may say of a site: plain data, between looking (discovery) and writing (first_config)."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pom_cli.frozen import dataclass


@dataclass(frozen=True)
class Proposal:
    """What the config should say of one kind. The notes and what is told may hold text from outside."""

    settings: Mapping[str, Any] | bool | None = None  # as TOML has them; False: switched off; None: nothing is said
    notes: tuple[str, ...] = ()  # what was seen, a line each
    told: str = ""  # the same in a few words


@dataclass(frozen=True)
class Found:
    """One site as it is today. `kinds` is by kind; what could not be looked at has none."""

    typed: str  # the URL as it was given
    url: str  # the one to watch
    kinds: Mapping[str, Proposal] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unseen: str = ""  # why nothing of it could be looked at
