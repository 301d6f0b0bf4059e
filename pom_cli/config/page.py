"""The `[page]` table: what the status page says of itself, and what is announced there."""

from datetime import datetime
from typing import Any, NamedTuple

from pom_cli.text import one_line
from pom_cli.toml.address import http_url
from pom_cli.toml.table import Table

_TIME = "a time with its offset, like 2026-12-01T20:00:00Z (without quotes)"


class Announcement(NamedTuple):
    """Planned maintenance or any other news: shown until it is over."""

    at: datetime
    until: datetime
    text: str


class Page(NamedTuple):
    """`home` and `contact` are links, "" for none; `title` "" is the page's own."""

    title: str = ""
    home: str = ""
    contact: str = ""
    announcements: tuple[Announcement, ...] = ()


def read(table: Table) -> Page:
    page = Page(
        title=table.line("title", "", "a title on one line"),
        home=table.url("home", "", "a URL like https://example.com"),
        contact=table.read(
            "contact", "", _contact, 'a link like "mailto:support@example.com" or "https://example.com"'
        ),
        announcements=tuple(filter(None, map(_announcement, table.tables("announcements")))),
    )
    table.finish()
    return page


def _contact(value: Any) -> str:
    if isinstance(value, str) and value.startswith("mailto:"):
        address = one_line(value).removeprefix("mailto:")
        local, at, domain = address.partition("@")
        if not (local and at and domain) or any(mark in address for mark in " <>\"'"):
            raise ValueError(value)
        return value
    return http_url(value)


def _announcement(table: Table) -> Announcement | None:
    for key, expected in (("at", _TIME), ("until", _TIME), ("text", "what is announced")):
        if key not in table.data:
            table.missing(key, expected)
    at, until = (table.read(key, None, _moment, _TIME) for key in ("at", "until"))
    text = table.line("text", "", "a text on one line")
    table.finish()
    if at and until and until <= at:
        table.problem("until", f"after its `at`, {at.isoformat()}")
    return Announcement(at, until, text) if at and until and text else None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(value)
    return value
