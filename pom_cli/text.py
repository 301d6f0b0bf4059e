"""Text made safe: what comes from outside cut to one printable line, what may be a secret hidden."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
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
    return re.sub(_alone(secret), HIDDEN, text, flags=re.IGNORECASE)


def mask(value: Any, secrets: frozenset[str]) -> Any:
    """A JSON value from outside without any of the secrets: as they are, in base64, or percent-encoded."""
    if isinstance(value, str):
        pattern = _pattern(secrets)
        return re.sub(pattern, HIDDEN, value, flags=re.IGNORECASE) if pattern else value
    if isinstance(value, Mapping):
        return {mask(key, secrets): mask(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(mask(item, secrets) for item in value)
    return value


@lru_cache(8)
def _pattern(secrets: frozenset[str]) -> str:
    forms = {form for secret in secrets if secret for form in (secret, *_encoded(secret))}
    return "|".join(_alone(form) for form in sorted(forms, key=lambda form: (-len(form), form)))


def _alone(text: str) -> str:
    found = re.escape(text)
    return found if len(text) >= _SHORT else rf"(?<![^\W_]){found}(?![^\W_])"


def _encoded(secret: str) -> Iterator[str]:
    """How a secret may look that somebody sends back encoded, within something longer too (AUTH PLAIN, Basic)."""
    from base64 import b64encode
    from urllib.parse import quote

    data = secret.encode("utf-8", "surrogateescape")
    yield quote(data, safe="")
    for before, mixed in ((0, 0), (1, 2), (2, 3)):  # bytes before it, and the characters that depend on those, too
        text = b64encode(bytes(before) + data).decode()[mixed : (before + len(data)) * 8 // 6]
        if len(text) >= _SHORT:
            yield text
            yield text.translate(str.maketrans("+/", "-_"))


def secrets_in(text: str) -> Iterator[str]:
    """The passwords and tokens in a URL: what `without_passwords` hides of it, for hiding it elsewhere."""
    from urllib.parse import unquote

    for password in re.findall(r"//[^/?#\s]*?:([^/?#\s]*)@", text):
        yield from (password, unquote(password))
    for found in re.finditer(_QUERY, text):
        if _without_value(found) != found[0]:
            yield from (found[3], unquote(found[3]))


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
