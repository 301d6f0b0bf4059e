"""One mail as the text that goes to a mail server (RFC 5322)."""

import re
from datetime import datetime

from pom_cli.model import Mail
from pom_cli.text import clean, printable


def letter(mail: Mail, sender: str, now: datetime, international: bool = False) -> bytes:
    """Lines that end in CRLF, the last one too; all ASCII, but for addresses beyond it where `international`.

    What a header obeys is cleaned out of its value, so that no text can add another header.
    """
    from email import policy
    from email.message import EmailMessage
    from email.utils import format_datetime

    message = EmailMessage((policy.SMTPUTF8 if international else policy.SMTP).clone(cte_type="7bit"))
    message["From"] = clean(sender, 500)
    message["To"] = clean(mail.recipient, 500)
    message["Subject"] = clean(mail.subject, 500)
    message["Date"] = format_datetime(now)
    # The same for every try, so that a mail that arrives twice is seen once.
    message["Message-ID"] = f"<{re.sub('[^A-Za-z0-9.-]', '-', mail.id)}@{_domain(sender)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice shall answer
    message.set_content(printable(mail.body) + "\n")
    return message.as_bytes()


def address(sender: str) -> str:
    """The bare address of `Name <address>`, for the envelope."""
    from email.utils import parseaddr

    return parseaddr(sender)[1] or sender


def _domain(sender: str) -> str:
    domain = address(sender).rpartition("@")[2]
    return domain if re.fullmatch(r"[A-Za-z0-9.-]+", domain) else "localhost"
