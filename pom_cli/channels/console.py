"""The channel of last resort: the message on this process's own output, which the journal keeps."""

import sys
from collections.abc import Sequence

from pom_cli.frozen import dataclass
from pom_cli.model import Mail, Outcome
from pom_cli.text import clean, printable
from pom_cli.toml.table import Table

SECRET = ""


@dataclass(frozen=True)
class Settings:
    """`stream_name` is not a key of the config: with --json, standard output is JSON alone."""

    stream_name: str = "stdout"  # or "stderr"


def parse(table: Table) -> Settings:
    """There is nothing to set."""
    table.finish()
    return Settings()


def recipients(settings: Settings, to: Sequence[str]) -> tuple[str, ...]:
    """One row, however many recipients there are."""
    return ("console",)


def probe(settings: Settings, secret: str, timeout: float) -> None:
    """There is nothing to try."""


def send(mails: Sequence[Mail], settings: Settings, sender: str, secret: str, timeout: float) -> list[Outcome]:
    """Print each; delivered once the stream took it. A reader that is gone or a full disk is a passing fault."""
    return [_print(mail, settings.stream_name) for mail in mails]


def _print(mail: Mail, stream_name: str) -> Outcome:
    stream = getattr(sys, stream_name)
    if stream is None:  # so it is where the process was started with the stream closed
        return Outcome(mail.id, error=f"{stream_name} is closed")
    text = f"{clean(mail.subject, 500)}\n\n{printable(mail.body)}\n\n"
    try:
        # A terminal that has no arrow gets a question mark rather than no alert.
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except (OSError, ValueError) as error:  # ValueError: the stream was closed meanwhile
        reason = getattr(error, "strerror", None) or "closed"
        return Outcome(mail.id, error=f"{stream_name}: {clean(reason).lower()}")
    return Outcome(mail.id, provider_id="console")
