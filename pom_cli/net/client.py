"""How a check asks over HTTP, and which certificates it trusts: the settings that health, routes and cors share."""

import functools
from collections.abc import Mapping
from dataclasses import field

from pom_cli.frozen import dataclass
from pom_cli.net.faults import Fault
from pom_cli.text import hide


@dataclass(frozen=True)
class Client:
    """Times are in seconds."""

    timeout_s: float = 10.0  # for a whole request
    attempts: int = 2
    pause_s: float = 2.0  # before what was bad is asked again
    headers: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    ca_file: str | None = None
    method: str = "GET"
    body: str = ""  # of a POST
    connect_to: tuple[str, int] | None = None  # host and port to connect to, whatever the URL's name resolves to
    identity: tuple[str, str] | None = None  # the files of a client certificate and of its key
    secrets: tuple[str, ...] = field(default=(), repr=False)  # header values that must not be shown
    unset: str = ""  # the variable that a header needs and nobody has set

    def budget(self, attempt_s: float) -> float:
        """Seconds for all attempts of at most `attempt_s` seconds each."""
        return self.attempts * attempt_s + (self.attempts - 1) * self.pause_s

    def masked(self, text: str) -> str:
        """The text without the secrets that were sent, in case the server echoes them."""
        return functools.reduce(hide, self.secrets, text)

    def obstacle(self) -> Fault | None:
        """Why nothing can be asked: a request without its header would get another answer."""
        return Fault("send", f"{self.unset}, which a header needs, is not set", "ours") if self.unset else None
