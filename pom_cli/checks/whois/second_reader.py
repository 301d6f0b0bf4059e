"""A second opinion on a WHOIS answer in which our reader finds no date: python-whois, in a child that can be killed.

Of today's labels it knows none that ours does not; it is asked because registries change theirs, and its next release
may know the new one first. It is trusted with the label alone: it needs 23 seconds of CPU for an ordinary .jp answer,
swaps days and months, and takes the end of a quarantine for an expiry. So the child has one second of CPU, and a date
is taken only where our own reader finds the same one, unmistakably, behind a label that speaks of nothing else.
"""

import re
from datetime import date, datetime

from pom_cli.checks.whois.dates import AmbiguousDate, Order, read
from pom_cli.checks.whois.fields import Topic, split, topic
from pom_cli.net.deadline import Deadline
from pom_cli.outside import from_json

_LIMIT = 64 * 1024  # characters; longer answers are not worth a child
_PATIENCE = 4.0  # seconds of wall time
_CHILD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
domain, text = json.load(sys.stdin)
from whois.parser import WhoisEntry
found = WhoisEntry.load(domain, text).get("expiration_date")
found = found if isinstance(found, list) else [found]
print(json.dumps([one.strftime("%Y-%m-%d") for one in found if hasattr(one, "strftime")]))
"""


# Words of labels whose date is another one, whatever anybody says.
_OTHERWISE = re.compile(
    r"\b(?:quarantine|free|releas\w*|delet\w*|purg\w*|available|redemption|hold|out ?zone|transfer\w*|lock\w*|option"
    r"|last|latest|updat\w*|modif\w*|chang\w*|lookup|query|request\w*|renewed|password|certificate|key|signature)\b"
)


def second_opinion(text: str, domain: str, order: Order, deadline: Deadline) -> datetime | None:
    """The one expiry date on which python-whois and our reader of dates agree; None in every other case."""
    if len(text) > _LIMIT:
        return None
    days = _ask(text, domain, deadline)
    if len(days) != 1:
        return None
    return _seen(text, order).get(days.pop())


def _ask(text: str, domain: str, deadline: Deadline) -> set[date]:
    """The days that python-whois takes for the expiry. A child that fails, or is killed, has no opinion."""
    import json
    import os
    import subprocess
    import sys

    from pom_cli.toml.secrets import without_secrets

    command = [sys.executable, "-P", "-W", "ignore", "-c", _CHILD]
    try:
        run = subprocess.run(  # noqa: S603 - our own interpreter; the answer goes in on its standard input
            command,
            input=json.dumps([domain, text]).encode(),
            capture_output=True,
            env=without_secrets(os.environ),
            timeout=min(_PATIENCE, deadline.remaining()),
            check=True,
        )
        return {date.fromisoformat(day) for day in from_json(run.stdout)}
    except (subprocess.SubprocessError, OSError, ValueError, TypeError):
        return set()


def _seen(text: str, order: Order) -> dict[date, datetime]:
    """Every date that stands alone behind a label of no known meaning."""
    found = {}
    for line in split(text):
        if line.value and not line.comment and topic(line.label) is Topic.OTHER and not _OTHERWISE.search(line.label):
            try:
                instant = read(line.value, order)
            except AmbiguousDate:
                continue
            if instant:
                found[instant.date()] = instant
    return found
