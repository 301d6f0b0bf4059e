"""Internationalised names as clients send them: UTS 46, non-transitional, so that `faß.de` is not `fass.de`."""

import re

_LONGEST = 1024  # characters; more than any name needs, and what comes from outside must not cost much
_DOTS = "[.\u3002\uff0e\uff61]"  # UTS 46 section 2.3: these separate labels, too


def to_ascii(name: str) -> str:
    """The name in the ASCII form that DNS, TLS and HTTP carry. Raises ValueError where no such name can exist.

    ASCII labels stay as they are, `_dmarc` and `xn--fa-hia` included; what they may hold is the caller's to check.
    """
    if name.isascii():
        return name
    if len(name) > _LONGEST:
        raise ValueError("too long for a name")
    return ".".join(_label(label) for label in re.split(_DOTS, name))


def _label(label: str) -> str:
    if label.isascii():
        return label
    import idna

    try:
        return idna.encode(label, uts46=True, std3_rules=True, transitional=False).decode("ascii")
    except idna.InvalidCodepoint:
        return _symbols(label)


def _symbols(label: str) -> str:
    """A label with characters such as emoji: registered, and looked up by browsers, though IDNA 2008 excludes them."""
    import idna

    mapped = idna.uts46_remap(label, std3_rules=True, transitional=False)  # it raises for what UTS 46 excludes, too
    encoded = mapped if mapped.isascii() else "xn--" + mapped.encode("punycode").decode("ascii")
    if len(encoded) > 63:
        raise ValueError(label)
    return encoded
