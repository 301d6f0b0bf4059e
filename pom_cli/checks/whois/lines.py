"""A WHOIS answer as labelled lines, in each way that registries have of writing them. What they mean is `labels`."""

import re
import unicodedata
from collections.abc import Iterator

from pom_cli.frozen import dataclass

_LINES, _WIDTH = 4000, 500  # what an honest answer stays far below, its terms of use aside
_COMMENT = re.compile(r"[%#;>]")
_BRACKETED = re.compile(r"(?:[a-z]\.?\s+)?\[([^\]]{1,60})\]\s*(.*)")
_COLON = re.compile(r"([^:：]{1,60}?)[\s.…·]{0,80}[:：]+(?!//)\s*(.*)")
_DOTTED = re.compile(r"(\S[^:]{0,58}?)\s?\.{3,}\s*(\S.*)")
_SPACED = re.compile(r"(\S.{0,58}?)(?<![.,;])(?:\t+|\s{2,})(\S.*)")
_EQUALS = re.compile(r"([\w. -]{2,60}?)\s*=\s*(\S.*)")
_DECORATION = re.compile(r"^[*\-|•]+\s+|\s*<br\s*/?>$", re.IGNORECASE)


@dataclass(frozen=True)
class Line:
    """One line. `label` is in plain words ("" where it has none), `hint` what stood in parentheses in the label."""

    text: str
    label: str = ""
    value: str = ""
    hint: str = ""
    comment: bool = False
    block: int = 0  # grows with every empty line

    @property
    def heading(self) -> bool:
        """A label that waits for its value on the lines below."""
        return bool(self.label) and not self.value


def split(text: str) -> list[Line]:
    """The lines of an answer, empty ones left out."""
    found, block = [], 0
    for raw in text.splitlines()[:_LINES]:
        stripped = _DECORATION.sub("", raw[:_WIDTH].strip()).strip()
        if not stripped:
            block += 1
        elif _COMMENT.match(stripped):
            found.append(Line(stripped.lstrip("%#;> \t"), comment=True, block=block))
        else:
            found.append(_labelled(stripped, block))
    return found


def plain(label: str) -> str:
    """A label in lower-case words: `Registry_Expiry-Date` and `registry expiry date` are one.

    What is said twice in one label, in two languages, stays apart: `data de expiração / expiration date`.
    """
    folded = re.sub(r"\([^)]*\)", " ", unicodedata.normalize("NFKC", label).casefold())
    parts = (" ".join(re.sub(r"[\W_]", " ", part).split()) for part in folded.split(" / "))
    return " / ".join(part for part in parts if part)


def below(lines: list[Line], at: int) -> Iterator[Line]:
    """The unlabelled lines that follow a heading at once."""
    for line in lines[at + 1 : at + 6]:
        if line.label or line.comment:
            return
        yield line


def _labelled(text: str, block: int) -> Line:
    for form in (_BRACKETED, _COLON, _DOTTED, _SPACED, _EQUALS):
        match = form.fullmatch(text)
        if match and re.search(r"[^\W\d_]{2}", match[1]) and not _splits_a_time(match):
            hint = " ".join(re.findall(r"\(([^)]*)\)", match[1]))
            return Line(text, plain(match[1]), match[2].strip(), hint, block=block)
    return Line(text, block=block)


def _splits_a_time(match: re.Match[str]) -> bool:
    """`Expires Mon Mar 1 12:00:00 2027`: that colon stands in the time."""
    return match[1][-1].isdigit() and match[2][:2].isdigit()
