"""Mail addresses, with or without a name, as the config writes them and as they go over the wire. Never looked up."""

import re
from typing import Any, NamedTuple

from pom_cli.idn import to_ascii
from pom_cli.text import clean

# Neither quoted local parts nor address literals: nobody has them, and each is a way to say more than an address.
_ADDRESS = re.compile(r"([^\s@<>()\[\],;:\\\"]+)@([^\s@<>()\[\],;:\\\"]+)")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_ATOMS = re.compile(r"[\w !#$%&'*+/=?^`{|}~-]*")  # RFC 5322, 3.2.3: what a name may hold without quotes


class Mailbox(NamedTuple):
    """An address that can be written to. The domain is in ASCII, the local part and the name need not be."""

    name: str
    local: str
    domain: str

    @property
    def address(self) -> str:
        """The bare address, for the envelope."""
        return f"{self.local}@{self.domain}"

    @property
    def phrase(self) -> str:
        """The name as a header holds it, quoted where it needs to be."""
        return self.name if _ATOMS.fullmatch(self.name) else '"' + re.sub(r'(["\\])', r"\\\1", self.name) + '"'

    def __str__(self) -> str:
        return f"{self.phrase} <{self.address}>" if self.name else self.address


def mailbox(value: Any) -> Mailbox:
    """`ops@example.com`, `PoM <pom@example.com>` or `"PoM, at home" <pom@example.com>`. Raises ValueError."""
    text = str(value)
    name, _, bare = text.removesuffix(">").rpartition("<")
    found = _ADDRESS.fullmatch(bare) if text.isprintable() and text.endswith(">") == ("<" in text) else None
    local, domain = found.groups() if found else ("", "")
    if not domain.isascii():
        domain = to_ascii(domain)
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"{clean(text, 80)!r} is not an address")
    return Mailbox(_unquoted(name.strip()), local, domain)


def _unquoted(name: str) -> str:
    quoted = re.fullmatch(r'"(.*)"', name)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else name
