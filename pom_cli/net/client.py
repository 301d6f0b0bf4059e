"""How a check asks over HTTP, and which certificates it trusts: the settings that health, routes and cors share."""

from collections.abc import Mapping
from dataclasses import field

from pom_cli.frozen import dataclass


@dataclass(frozen=True)
class Client:
    """Times are in seconds."""

    timeout_s: float = 10.0  # for a whole request
    attempts: int = 2
    pause_s: float = 2.0  # before what was bad is asked again
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    ca_file: str | None = None

    def budget(self, attempt_s: float) -> float:
        """Seconds for all attempts of at most `attempt_s` seconds each."""
        return self.attempts * attempt_s + (self.attempts - 1) * self.pause_s
