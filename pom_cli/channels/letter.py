"""One mail as the text that goes to a mail server (RFC 5322)."""

import re
from datetime import datetime

from pom_cli.model import Mail
from pom_cli.text import clean, printable
from pom_cli.toml.mailbox import Mailbox, mailbox

_LONG = 60  # characters that still go on one line with a header's name, or an address

_REFERENCES = 8  # incidents that one mail refers to: the header stays well below the 998 characters of a line


def letter(mail: Mail, sender: str, now: datetime) -> bytes:
    """Lines that end in CRLF, the last one too; all ASCII but for local parts of addresses beyond it (RFC 6532).

    What could add another header is cleaned out of the subject, and makes an address invalid. Raises ValueError where
    the sender or the recipient is not an address.
    """
    from email import policy
    from email.message import EmailMessage
    from email.utils import format_datetime

    origin = mailbox(sender)
    # Not EmailMessage's headers: it folds a name without its quotes, and a subject with a blank more than it had.
    headers = {
        "From": _written(origin),
        "To": _written(mailbox(mail.recipient)),
        "Subject": _encoded(clean(mail.subject, 500)),
        "Date": format_datetime(now),
        # The same for every try, so that a mail that arrives twice is seen once.
        "Message-ID": f"<pom-{re.sub('[^A-Za-z0-9]', '-', mail.id)}@{origin.domain}>",
        **threading(mail),
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's holiday notice shall answer
    }
    content = EmailMessage(policy.SMTP.clone(cte_type="7bit"))
    content.set_content(printable(mail.body) + "\n")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + content.as_bytes()


def threading(mail: Mail) -> dict[str, str]:
    """The headers that make one thread of all mails about an incident (RFC 5322, 3.6.4).

    A mail about several incidents refers to each, so that each goes on in that thread. No mail has such an id: readers
    group by what mails refer to alike.
    """
    ids = [f"<incident-{re.sub('[^A-Za-z0-9-]', '-', incident)}@pom.invalid>" for incident in mail.thread.split()]
    return {"References": " ".join(ids[:_REFERENCES]), "In-Reply-To": ids[0]} if ids else {}


def _written(box: Mailbox) -> str:
    short = len(box.name) <= _LONG and _is_plain(box.name)
    return str(box) if short else f"{_encoded(box.name, plain=False)} <{box.address}>"


def _encoded(text: str, plain: bool = True) -> str:
    """Folded, and beyond ASCII as encoded words (RFC 2047), so that exactly this text is read."""
    from email.header import Header

    charset = "us-ascii" if plain and _is_plain(text) else "utf-8"
    return Header(text, charset, header_name="Auto-Submitted").encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    """Is it read as it is written: no encoded word from outside, and no word that is too long to fold around."""
    return text.isascii() and "=?" not in text and max(map(len, text.split()), default=0) <= _LONG
