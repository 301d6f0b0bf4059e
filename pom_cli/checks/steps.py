"""What every kind's part of the runbook is made of: sections of steps, and the steps that several kinds share.

The words and their order are the runbook's own for the alerts that it names. `messages.runbook` fills them in.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from pom_cli.frozen import dataclass
from pom_cli.model import Status


@dataclass(frozen=True)
class Step:
    """One step. `{field}` is a fact; after a colon comes which shells will read it: `{field}` the one here,
    `{field:remote}` also the one at the other end of ssh, `{field:'}` and `{field:"}` the same where the remote
    command is in such quotes, `{field:whole}` none: it is a whole command line."""

    text: str
    commands: tuple[str, ...] = ()
    after: str = ""  # prose that continues after the commands
    when: tuple[Status, ...] = ()  # the statuses now that it is for; empty: any
    having: str = ""  # facts, separated by spaces: left out unless all are known
    lacking: str = ""  # likewise: left out if any is known


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

WEB_SERVER_STATUS = Step("Check {web_server} status:", ("ssh {ssh} systemctl status {web_unit:remote}",))
WEB_SERVER_RESTART = Step(
    "If {web_server} is down, restart:", ("ssh {ssh} {sudo:whole}systemctl restart {web_unit:remote}",)
)
_PATHS = "If {web_server} is serving wrong cert: verify cert paths in {web_config}"
CERTIFICATE_PATHS = (
    Step(_PATHS, having="web_config"),
    Step("If {web_server} is serving wrong cert: verify its cert paths", lacking="web_config"),
)
RENEWAL = (
    Step(
        "For custom domains (on-demand TLS): {web_server} auto-renews via ACME. Check {web_server} logs.",
        having="acme",
    ),
    Step(
        "If an ACME client renews it: check the client's logs, and that the server was reloaded since",
        lacking="acme",
    ),
)
# What the target shows instead of a certificate that clients accept: `certificate` is why they do not.
CERTIFICATE_FAULT = (
    Step(
        "See which certificate is served:",
        (
            "echo | openssl s_client -connect {connect} -servername {name} 2>/dev/null"
            " | openssl x509 -noout -subject -issuer -dates -ext subjectAltName",
        ),
        having="certificate",
    ),
    Step("It is issued for {certificate_names}; it should be for {name}", having="certificate certificate_names"),
    Step(
        "If the chain is incomplete or unknown: serve the intermediates too, or give tls.ca_file in PoM config",
        having="untrusted",
    ),
    *(replace(step, having=f"{step.having} certificate") for step in (*CERTIFICATE_PATHS, *RENEWAL)),
)


def host_facts(subject: str, known: Mapping[str, str]) -> Mapping[str, str]:
    """`"example.com:8443"` or `"[::1]"` for openssl and ss; without a subject the target's own host."""
    port = known.get("port") or ("443" if known.get("host") else "")
    parts = re.fullmatch(r"(?:(\w+)://)?(\[[^\]\s]+\]|[^\s:]+)(?::(\d{1,5}))?", subject or known.get("host", ""))
    if not parts:
        return {"port": port}
    number = parts[3] or port
    more = {"starttls": parts[1]} if parts[1] else {}
    return {"connect": f"{parts[2]}:{number}", "name": parts[2].strip("[]"), "port": number, **more}
