"""One mail as the text that goes to a mail server (RFC 5322)."""

import re
from datetime import datetime
from typing import TYPE_CHECKING

from pom_cli.model import Mail
from pom_cli.text import clean, printable

if TYPE_CHECKING:
    from email.headerregistry import Address

# Neither quoted local parts nor address literals: nobody has them, and each is a way to say more than an address.
_BARE = re.compile(r"([^\s@<>()\[\],;:\\\"]+)@([\w-]+(?:\.[\w-]+)*)")


def letter(mail: Mail, sender: str, now: datetime, international: bool = False) -> bytes:
    """Lines that end in CRLF, the last one too; all ASCII, but for addresses beyond it where `international`.

    What could add another header is cleaned out of the subject, and makes an address none. Raises ValueError where
    the sender or the recipient is no address.
    """
    from email import policy
    from email.message import EmailMessage
    from email.utils import format_datetime

    message = EmailMessage((policy.SMTPUTF8 if international else policy.SMTP).clone(cte_type="7bit"))
    message["From"] = _parsed(sender)
    message["To"] = _parsed(mail.recipient)
    message["Subject"] = clean(mail.subject, 500)
    message["Date"] = format_datetime(now)
    # The same for every try, so that a mail that arrives twice is seen once.
    message["Message-ID"] = f"<pom-{re.sub('[^A-Za-z0-9]', '-', mail.id)}@{_parsed(sender).domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice shall answer
    message.set_content(printable(mail.body) + "\n")
    return message.as_bytes()


def address(text: str) -> str:
    """The bare address of `Name <address>`, for the envelope. Raises ValueError where it is none."""
    return _parsed(text).addr_spec


def _parsed(text: str) -> "Address":
    # The library's own reader of addresses raises IndexError for some of what is none; it is given only what is one.
    from email.headerregistry import Address

    name, _, bare = text.removesuffix(">").rpartition("<")
    match = _BARE.fullmatch(bare)
    if not match or not text.isprintable():
        raise ValueError(f"{clean(text, 80)!r} is not an address")
    return Address(name.strip().strip('"'), match[1], match[2])
