"""Names: the form they have on the wire, and under which of their endings a registry registers.

The rules are the ICANN section of the public suffix list (https://publicsuffix.org/), without its private section: the
domain that a registry knows of `me.github.io` is `github.io`.
"""

from pathlib import Path

from pom_cli.idn import to_ascii

# Never delegated in the public DNS (RFC 6761, 6762, 7686, 8375, 9476, ICANN's `internal`), or at home everywhere.
_PRIVATE = (
    *("localhost", "local", "localdomain", "test", "example", "invalid", "onion", "alt", "internal", "intranet"),
    *("private", "corp", "home", "lan", "arpa"),
)
_RULES = Path(__file__).with_name("suffixes.txt")


def ascii_name(name: str) -> str:
    """The name in lower case, without a final dot, in ASCII (UTS 46). Raises ValueError where no name can be so."""
    text = name.strip().rstrip(".。").lower()
    try:
        ascii_text = to_ascii(text).lower()
    except ValueError as fault:
        raise ValueError(name) from fault
    labels = ascii_text.split(".")
    if not ascii_text or len(ascii_text) > 253 or any(not 0 < len(label) <= 63 for label in labels):
        raise ValueError(name)
    if not all(label.replace("-", "").replace("_", "").isalnum() for label in labels):
        raise ValueError(name)
    return ascii_text


def registrable(host: str, private: bool = False) -> str | None:
    """The domain that was registered for this host; None for an address or a bare suffix.

    None also for a name that no public registry knows (`db.internal`), unless `private` ones are wanted.
    """
    try:
        labels = ascii_name(host).split(".")
    except ValueError:  # an IPv6 address ends here
        return None
    if len(labels) < 2 or labels[-1].isdigit() or (labels[-1] in _PRIVATE and not private):
        return None
    size = _suffix_size(labels)
    return ".".join(labels[-size - 1 :]) if len(labels) > size else None


def _suffix_size(labels: list[str]) -> int:
    """How many labels at the end are the public suffix (the list's algorithm: an exception wins, then the longest)."""
    size = 1
    for rule in _rules(labels[-1]):
        parts = rule.lstrip("!").split(".") if rule else []
        tail = labels[-len(parts) - 1 : -1]
        if len(tail) == len(parts) and all(part in ("*", label) for part, label in zip(parts, tail, strict=True)):
            if rule.startswith("!"):
                return len(parts)
            size = max(size, len(parts) + 1)
    return size


def _rules(tld: str) -> list[str]:
    with _RULES.open(encoding="ascii") as lines:
        for line in lines:
            if line.startswith(f"{tld} "):
                return line.split()[1:]
    return []
