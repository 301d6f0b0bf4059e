"""The status page's incidents and announcements as an Atom feed (RFC 4287). Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape

from pom_cli.config.page import Announcement
from pom_cli.text import clean
from pom_cli.times import utc
from pom_cli.web.page import words
from pom_cli.web.page.data import Picture
from pom_cli.web.page.html import FEED, TITLE
from pom_cli.web.page.incidents import Incident

_EVER = datetime.fromtimestamp(0, UTC)  # a feed is read at any time: so each date has its year
_AHEAD = timedelta(days=7)  # how long before it an announcement may have been written
_OVER = timedelta(days=30)  # how long an announcement that is over is listed


def feed(picture: Picture, announcements: tuple[Announcement, ...], identity: str) -> str:
    """`identity` is the instance's: an entry keeps its id whatever becomes of the page's address."""
    now = picture.at
    news = [one for one in announcements if now - one.until < _OVER]
    entries = [_incident(one, now, identity) for one in picture.incidents]
    entries += [_announcement(one, now, identity) for one in news]
    entries.sort(reverse=True)
    title = clean(picture.title or TITLE)
    links = f'<link rel="self" type="application/atom+xml" href="{FEED}"/>{_link("./")}'
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<id>{_id(identity, 'feed')}</id>\n<title>{escape(title)}</title>\n"
        f"<updated>{entries[0][0] if entries else utc(now)}</updated>\n{links}\n"
        f"<author><name>{escape(title)}</name></author>\n"
        + "".join(f"<entry>{text}</entry>\n" for _, text in entries)
        + "</feed>\n"
    )


def _incident(one: Incident, now: datetime, identity: str) -> tuple[str, str]:
    """When it was updated, and the entry's elements."""
    label, what = clean(one.label, 80), words.what(one)
    span = words.span(one.started_at, one.ended_at or now, _EVER)
    lasted = words.lasted(words.duration(one, now))
    if one.ended_at is None:
        title, told = f"{label}: {what}", f"Ongoing since {words.moment(one.started_at, _EVER)} UTC."
    else:
        title, told = f"Resolved: {label}: {what}", f"{span} UTC, {lasted}."
    updated = utc(one.ended_at or one.started_at)
    elements = _elements(_id(identity, f"incident {one.number}"), title, utc(one.started_at), updated, told)
    return updated, "".join([*elements, _link(f"./#i{one.number}")])


def _announcement(one: Announcement, now: datetime, identity: str) -> tuple[str, str]:
    text = clean(one.text, 500)
    about = f"{words.span(one.at, one.until, _EVER)} UTC: {text}"
    updated = utc(min(one.at - _AHEAD, now))  # when it was written nobody knows; a reader wants no entry of the future
    number = _id(identity, f"announcement {utc(one.at)} {text}")
    return updated, "".join(_elements(number, f"Announcement: {text}", updated, updated, about))


def _link(href: str) -> str:
    return f'<link rel="alternate" type="text/html" href="{href}"/>'


def _elements(number: str, title: str, published: str, updated: str, told: str) -> Iterator[str]:
    yield f"<id>{number}</id><title>{escape(title)}</title>"
    yield f"<published>{published}</published><updated>{updated}</updated>"
    yield f'<content type="text">{escape(told)}</content>'


def _id(identity: str, name: str) -> str:
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'pom:{identity}:{name}')}"
