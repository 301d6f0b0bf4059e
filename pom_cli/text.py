"""Text from outside made safe: cut to a sane length, one line, nothing that a terminal or a mail header obeys."""

import re

# C0 and C1 controls, line and paragraph separators, and the bidirectional overrides that can reorder what is read.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+")


def clean(text: str, limit: int = 200) -> str:
    """One printable line of at most `limit` characters."""
    line = " ".join(_UNSAFE.sub(" ", text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def printable(text: str) -> str:
    """Several lines, each without what a terminal obeys; unlike `clean` it keeps the lines and their indentation."""
    return "\n".join(_UNSAFE.sub(" ", line).rstrip() for line in text.splitlines())


def hide(text: str, secret: str) -> str:
    """`text` without the secret, in whatever case it was echoed."""
    return re.sub(re.escape(secret), "(hidden)", text, flags=re.IGNORECASE) if secret else text
