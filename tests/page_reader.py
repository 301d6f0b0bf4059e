"""An HTML page as a strict reader sees it: the tree must be whole, and what it says is there to be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

VOID = ("meta", "link", "br", "img", "input", "hr")


class Page(HTMLParser):
    """Tags with their attributes in the order of the page, and the text under each. Anything unbalanced is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[tuple[str, int]] = []  # with the number of the first text in it
        self.said: list[tuple[str, dict[str, str], str]] = []  # each element that has ended, with its text
        self._attributes: list[dict[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append((tag, len(self.texts)))
            self._attributes.append(found)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        opened, first = self.open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"
        self.said.append((tag, self._attributes.pop(), "".join(self.texts[first:])))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data}")

    @property
    def shape(self) -> list[str]:
        return [tag for tag, _ in self.tags]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text_of(self, tag: str, kind: str = "") -> list[str]:
        """What each of these says, on one line; `kind` is one of its classes."""
        return [
            " ".join(text.split())
            for name, attributes, text in self.said
            if name == tag and (not kind or kind in attributes.get("class", "").split())
        ]

    def references(self) -> Iterator[str]:
        for _, attributes in self.tags:
            for name in ("href", "src", "xlink:href", "action", "poster", "data", "srcset", "formaction", "background"):
                if name in attributes:
                    yield attributes[name]

    @property
    def text(self) -> str:
        """All that is read, without the style sheet."""
        style = next((text for tag, _, text in self.said if tag == "style"), "")
        return " ".join("".join(text for text in self.texts if text != style).split())
