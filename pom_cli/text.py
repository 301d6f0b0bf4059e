"""Text made safe: what comes from outside cut to one printable line, what may be a secret hidden."""

import re
from collections.abc import Iterable
from typing import Any

# Not compiled before they are needed: that takes longer than to read this file.
_TELLTALE = "(?i)token|password|passwd|secret|api.?key|authorization|cookie"
_QUERY = r"([?&])([^=&#\s]*)=([^&#\s]*)"
HIDDEN = "(hidden)"
_SHORT = 8  # characters: fewer are found in many a word and number by chance


def clean(text: str, limit: int = 200) -> str:
    """One printable line of at most `limit` characters."""
    line = " ".join(_harmless(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def printable(text: str) -> str:
    """Several lines, each without what a terminal obeys; unlike `clean` it keeps the lines and their indentation."""
    return "\n".join(_harmless(line).rstrip() for line in text.splitlines())


def _harmless(line: str) -> str:
    """Without controls, separators, invisible characters, and those that reorder what is read."""
    return line if line.isprintable() else "".join(one if one.isprintable() else " " for one in line)


def one_line(value: Any) -> str:
    """The value where it is a text that cannot break out of a header, a mail or a terminal line; else ValueError."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("not a text on one line")
    return value


def hide(text: str, secret: str) -> str:
    """`text` without the secret, in whatever case it was echoed; a short one is hidden where it stands alone."""
    if not secret:
        return text
    found = re.escape(secret)
    alone = found if len(secret) >= _SHORT else rf"(?<![^\W_]){found}(?![^\W_])"
    return re.sub(alone, HIDDEN, text, flags=re.IGNORECASE)


def names_a_secret(key: str) -> bool:
    """Is the value under this name likely to be a secret, as that of `Authorization` or `api_key` is."""
    return re.search(_TELLTALE, key) is not None


def without_passwords(text: str) -> str:
    """A text without the user and password of a URL in it, and without its query's tokens and keys.

    It hides too much rather than too little: a password with an `@` or a `/` in it is hidden whole.
    """
    head, at, tail = text.rpartition("@")
    if ":" in head.removeprefix("mailto:"):
        text = f"{head[: head.find('//') + 2 if '//' in head else 0]}{HIDDEN}{at}{tail}"
    return re.sub(_QUERY, _without_value, text) if "=" in text else text


def host_alone(url: str) -> str:
    """Scheme and host of a URL whose path is as good as a password, as a webhook's is."""
    safe = without_passwords(url)
    head = re.match(r"(?:[a-z]+:/*)?[^/?#]*", safe)
    return safe if head is None or head[0] == safe else f"{head[0]}/{HIDDEN}"


def _without_value(found: re.Match[str]) -> str:
    name = found[2]
    hidden = names_a_secret(name) or name.lower() in ("key", "auth", "sig", "signature")
    return f"{found[1]}{name}={HIDDEN}" if hidden else found[0]


def listed(items: Iterable[str], most: int = 3) -> str:
    """`a; b; c; 4 more`."""
    found = list(items)
    more = [f"{len(found) - most} more"] if len(found) > most else []
    return "; ".join(found[:most] + more)
