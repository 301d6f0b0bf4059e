"""What every kind's part of the runbook is made of: sections of steps, and the steps that several kinds share.

The words and their order are the runbook's own for the alerts that it names. `messages.runbook` fills them in.
"""

from collections.abc import Callable, Mapping

from pom_cli.frozen import dataclass
from pom_cli.model import Status


@dataclass(frozen=True)
class Step:
    """One step. `{field}` is a fact; what stands behind a colon in it says which shells will read it: `{field}` the one
    here, `{field:remote}` also the one at the other end of ssh, `{field:'}` and `{field:"}` the same where the remote
    command stands in such quotes, `{field:whole}` none: it is a command line of the config's own."""

    text: str
    commands: tuple[str, ...] = ()
    after: str = ""  # prose that goes on behind the commands
    when: tuple[Status, ...] = ()  # the statuses now that it is for; empty: any
    having: str = ""  # it is for those only who have this fact
    lacking: str = ""  # it is for those only who lack this fact


@dataclass(frozen=True)
class Section:
    """The runbook's section about one kind of alert."""

    title: str
    symptoms: str
    steps: tuple[Step, ...]
    plural: str = "subjects"  # what several of its subjects are called
    facts: Callable[[str, Mapping[str, str]], Mapping[str, str]] = lambda _subject, _known: {}
    """What one subject, "" for none, adds to the facts that are known."""


# The remote shell splits again: without the outer quotes it would see --since 10.
LOGS = """ssh {ssh} '{sudo:whole}journalctl -u {unit:'} --since "10 minutes ago"'"""

WRONG_CERTIFICATE = Step("If Caddy is serving wrong cert: verify cert paths in /etc/caddy/Caddyfile")
CADDY_STATUS = Step("Check Caddy status:", ("ssh {ssh} systemctl status caddy",))
CADDY_RESTART = Step("If Caddy is down, restart:", ("ssh {ssh} {sudo:whole}systemctl restart caddy",))
