"""The public status page as one HTML text without a script or a request: plain data in, text out. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape
from urllib.parse import urlsplit

from pom_cli.config.page import Announcement
from pom_cli.model import DEGRADED, Status
from pom_cli.text import clean
from pom_cli.times import utc
from pom_cli.web.page import svg as page_svg
from pom_cli.web.page import words as page_words
from pom_cli.web.page.data import Picture, System, Uptime
from pom_cli.web.page.incidents import Incident
from pom_cli.web.page.style import STYLE

FEED, TITLE = "feed.xml", "Status"  # relative, for a proxy that has the page elsewhere; the title where none is set
_TIPS = 20  # with more systems than that, the tips of their bars would be half of the page
_NOTE = "<p>Times and days are in UTC. Uptime covers measured time only; degraded counts as up.</p>"


def html(picture: Picture) -> str:
    """The page."""
    tone = page_words.tone(picture)
    body = [
        _header(picture, tone),
        "<main>",
        _systems(picture),
        _incidents(picture),
        "</main>",
        _footer(_NOTE + _feed_and_contact(picture)),
    ]
    return _document(page_words.headline(picture), picture.title or TITLE, tone, body)


def unreadable(now: datetime, title: str = "") -> str:
    """The page while there is nothing to make it from: the database cannot be read. Why is not the public's."""
    headline = "Status is currently unavailable"
    told = f'<p class="soft">We cannot read our monitoring data. {_time("As of", now, now, whole=True)}.</p>'
    main = (
        "<main><section><p>This says nothing about the systems themselves: they may be working normally."
        "</p></section></main>"
    )
    body = [f"<header>{_banner('unknown', headline, told)}</header>", main, _footer()]
    return _document(headline, title or TITLE, "unknown", body)


def _document(headline: str, title: str, tone: str, body: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(headline, 300)} · {_text(title)}</title>\n"
        f'<link rel="icon" type="image/svg+xml" href="{page_svg.icon(tone)}">\n'
        f'<link rel="alternate" type="application/atom+xml" title="{_text(title)}" href="{FEED}">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{page_svg.symbols()}\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _header(picture: Picture, tone: str) -> str:
    now = picture.at
    title = _text(picture.title or TITLE)
    if picture.home:
        host = _text(urlsplit(picture.home).hostname or picture.home)
        title += f' <a href="{escape(picture.home)}">{host}</a>'
    told = f'<p class="soft">{_time("As of", now, now, whole=True)}</p>'
    caveats = "".join(_caveat(*one, now) for one in page_words.caveats(picture))
    news = "".join(_announcement(one, now) for one in picture.announcements)
    return (
        f'<header><p class="title">{title}</p>{_banner(tone, _headline(picture), told)}{caveats}'
        f"{_maintenance(picture)}{news}</header>"
    )


def _headline(picture: Picture) -> str:
    """Each system that is not well with its own time, and a link to where it stands."""
    if not picture.bad:
        return escape(page_words.headline(picture))
    numbers = {id(one): number for number, one in enumerate(picture.systems)}
    named = picture.bad[: page_words.NAMED]
    items = [
        f'<a href="#s{numbers[id(one)]}">{_text(one.label)}</a> {page_words.word(one.status)}'
        + (f" {_time('since', one.since, picture.at)}" if one.since else "")
        for one in named
    ]
    return "; ".join(f'<span class="one">{one}</span>' for one in [*items, *page_words.more(picture)])


def _banner(tone: str, title: str, told: str) -> str:
    return f'<div class="banner {tone}">{page_svg.tone_mark(tone)}<div><h1>{title}</h1>{told}</div></div>'


def _caveat(point: str, before: str, at: datetime | None, after: str, now: datetime) -> str:
    told = f"<strong>{escape(point)}</strong> {_time(before, at, now, whole=True) if at else escape(before)}"
    return f'<div class="caveat" role="note">{page_svg.mark(DEGRADED)}<p>{told}{escape(after)}</p></div>'


def _maintenance(picture: Picture) -> str:
    """What is under maintenance just now, and until when."""
    items = [
        f"{_text(one.label)} {_time('until', one.maintenance_until, picture.at)}"
        for one in picture.maintained
        if one.maintenance_until
    ]
    return _news("Under maintenance:", "; ".join(items)) if items else ""


def _announcement(one: Announcement, now: datetime) -> str:
    state = "Now" if page_words.running(one, now) else "Planned"
    when = f'<time datetime="{utc(one.at)}">{page_words.span(one.at, one.until, now)} UTC</time>'
    return _news(f"{state}:", f'{_text(one.text, 500)} <span class="soft">({when})</span>')


def _news(point: str, told: str) -> str:
    return f'<div class="caveat news" role="note">{page_svg.WRENCH}<p><strong>{point}</strong> {told}</p></div>'


def _systems(picture: Picture) -> str:
    cards = "".join(_system(one, number, picture) for number, one in enumerate(picture.systems))
    deployed = any(day.deployments for one in picture.systems for day in one.days)
    key = page_svg.key(deployed) if any(one.days for one in picture.systems) else ""
    listed = (
        f'<ul class="systems" role="list">{cards}</ul>'
        if cards
        else '<p class="empty">No systems are monitored yet.</p>'
    )
    return (
        f'<section aria-labelledby="systems"><div class="lead"><h2 id="systems">Systems</h2>{key}</div>'
        f"{listed}</section>"
    )


def _system(system: System, number: int, picture: Picture) -> str:
    shown = "maintenance" if system.maintenance_until else str(system.status)
    sign = page_svg.WRENCH if system.maintenance_until else page_svg.mark(system.status)
    status = f'{sign}<span class="word">{escape(page_words.status(system))}</span>'
    return (
        f'<li id="s{number}"><div class="name"><h3>{_text(system.label)}</h3>'
        f'<p class="status {shown}">{status}</p></div>'
        f'<p class="small soft">{_since(system, picture.at)}</p>'
        f"{_measured(system, picture.at, len(picture.systems) <= _TIPS)}</li>"
    )


def _since(system: System, now: datetime) -> str:
    if system.since is None:
        return "Not checked yet"
    span = page_words.lasted(max(timedelta(), now - system.since))
    told = f'{_time("Since", system.since, now)}, for <span class="whole">{span}</span>'
    stale = f". {_time('Last checked', system.seen_at, now)}" if system.overdue and system.seen_at else ""
    return told + stale


def _measured(system: System, now: datetime, tips: bool) -> str:
    if not system.days:
        return '<p class="small soft">Uptime is not measured.</p>'
    first = page_words.day(system.days[0].date, now)
    uptime = "".join(_uptime(window, one) for window, one in system.uptime)
    return (
        f"{page_svg.bars(system.days, now, tips)}"
        f'<div class="axis" aria-hidden="true"><span>{first}</span><span>Today</span></div>'
        f'<div class="figures"><div><p class="label">Uptime</p><dl class="uptime">{uptime}</dl></div>'
        f"<div>{_latency(system)}</div></div>"
    )


def _uptime(window: str, uptime: Uptime) -> str:
    covered = page_words.covered(uptime)
    more = f"<dd>{escape(covered)}</dd>" if covered else ""
    return f"<div><dt>{escape(window)}</dt><dd><strong>{page_words.percent(uptime)}</strong></dd>{more}</div>"


def _latency(system: System) -> str:
    label = '<p class="label">Response time</p>'
    known = [ms for ms in system.latency if ms is not None]
    if system.median_ms is None or not known:
        return f'{label}<p class="small soft">No good answer in the last 24 hours</p>'
    span = f"{page_words.ms(min(known))} to {page_words.ms(max(known))} in 24 hours"
    typical = f"<strong>{page_words.ms(system.median_ms)}</strong> <span>{span}</span>"
    return f'{label}<p class="value">{typical}</p>{page_svg.line(system)}'


def _incidents(picture: Picture) -> str:
    if picture.incidents:
        items = "".join(_incident(one, picture) for one in picture.incidents)
        told = f'<ol class="incidents" role="list">{items}</ol>'
        told += '<p class="small soft">Only the newest are shown.</p>' if picture.more else ""
    else:
        told = '<p class="empty">No incidents in the last 30 days.</p>'
    return (
        '<section aria-labelledby="incidents"><div class="lead"><h2 id="incidents">Incidents</h2>'
        f'<p class="small soft">Last 30 days, newest first</p></div>{told}</section>'
    )


def _incident(one: Incident, picture: Picture) -> str:
    now, span = picture.at, page_words.duration(one, picture.at)
    length = f'<time class="whole" datetime="{page_words.iso(span)}">{page_words.lasted(span)}</time>'
    if one.ended_at is None:
        when, long = _time("Since", one.started_at, now), f"<strong>Ongoing</strong>, {length} so far"
    else:
        text = page_words.span(one.started_at, one.ended_at, now)
        when, long = f'<time datetime="{utc(one.started_at)}">{text}</time>', length
    return (
        f'<li id="i{one.number}"><p class="what"><strong>{_text(one.label)}</strong> {_mark(one.worst)}'
        f'<span>{escape(page_words.what(one))}</span></p><p class="long">{long}</p>'
        f'<p class="when small soft">{when}</p></li>'
    )


def _mark(status: Status) -> str:
    return (
        f'<span class="status {status}">{page_svg.mark(status)}'
        f'<span class="word">{page_words.word(status).capitalize()}</span></span>'
    )


def _feed_and_contact(picture: Picture) -> str:
    links = [f'<a href="{FEED}">Atom feed</a>']
    if picture.contact:
        told = picture.contact.removeprefix("mailto:")
        links.append(f'Contact: <a href="{escape(picture.contact)}">{_text(told)}</a>')
    return f"<p>{' · '.join(links)}</p>"


def _footer(note: str = "") -> str:
    return f'<footer class="small soft">{note}</footer>'


def _time(before: str, at: datetime, now: datetime, whole: bool = False) -> str:
    """`whole`: with the zone."""
    text = page_words.instant(at, now) if whole else page_words.moment(at, now)
    told = f'<time datetime="{utc(at)}">{text}</time>'
    return f"{before} {told}" if before else told


def _text(text: str, most: int = 80) -> str:
    """Names and titles are the operator's own, and plain; here nothing rests on that."""
    return escape(clean(text, most))
