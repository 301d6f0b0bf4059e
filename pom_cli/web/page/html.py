"""The public status page as one HTML text without a script or a request: plain data in, text out. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape

from pom_cli.model import DEGRADED
from pom_cli.text import clean
from pom_cli.times import utc
from pom_cli.web.page import svg as page_svg
from pom_cli.web.page import words as page_words
from pom_cli.web.page.model import Incident, Picture, System, Uptime
from pom_cli.web.page.style import STYLE

REFRESH_S = 60
STILL = "/?refresh=off"  # the same page, left as it is: for who reads slowly, or has it read out
_WHOSE = 5  # of the systems that are not well the banner names so many
_TIPS = 50  # with more systems than that, the tips of their bars would be half of the page
_NOTE = (
    "<p>Times are UTC, and so are the days. Uptime counts the known time alone; a degraded system counts as up,"
    " since it answers.</p>"
)


def html(picture: Picture, refresh: bool = True) -> str:
    """The page. `refresh`: it loads itself anew every minute."""
    headline = page_words.headline(picture)
    body = [
        _header(picture, headline),
        "<main>",
        _systems(picture),
        _incidents(picture),
        "</main>",
        _footer(refresh, _NOTE),
    ]
    return document(headline, page_words.tone(picture), body, refresh)


def unreadable(now: datetime, refresh: bool = True) -> str:
    """The page while there is nothing to make it from: the database cannot be read. Why is not the public's."""
    headline = "Status cannot be told right now"
    told = f'<p class="soft">This monitor cannot read its own records. {_time("As of", now, now)}.</p>'
    body = [f"<header>{_banner('unknown', headline, told)}</header>", f"<main>{_no_news()}</main>", _footer(refresh)]
    return document(headline, "unknown", body, refresh)


def _no_news() -> str:
    return (
        "<section><p>That says nothing about the systems that it watches: they may well be operational.</p></section>"
    )


def document(headline: str, tone: str, body: Iterable[str], refresh: bool) -> str:
    again = f'<meta http-equiv="refresh" content="{REFRESH_S}">\n' if refresh else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"{again}<title>{escape(headline)} · Status</title>\n"
        f'<link rel="icon" type="image/svg+xml" href="{page_svg.icon(tone)}">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{page_svg.symbols()}\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _header(picture: Picture, headline: str) -> str:
    now, tone = picture.at, page_words.tone(picture)
    since = page_words.bad_since(picture)
    title = escape(headline) + (f' <span class="since">{_time("since", since, now)}</span>' if since else "")
    told = f'{_whose(picture)}<p class="soft">{_time("As of", now, now)}</p>'
    caveats = "".join(_caveat(*one, now) for one in page_words.caveats(picture))
    return f"<header>{_banner(tone, title, told)}{caveats}</header>"


def _banner(tone: str, title: str, told: str) -> str:
    return f'<div class="banner {tone}">{page_svg.tone_mark(tone)}<div><h1>{title}</h1>{told}</div></div>'


def _whose(picture: Picture) -> str:
    """The systems that are not well, each a link to where it stands."""
    numbers = {id(one): number for number, one in enumerate(picture.systems)}
    found = picture.bad or picture.unknown
    if not found or len(found) == len(picture.systems) > _WHOSE:
        return ""
    items = [
        f'<li><a href="#s{numbers[id(one)]}">{_name(one.name)}</a> {escape(one.status.value)}</li>'
        for one in found[:_WHOSE]
    ]
    items += [f"<li>and {len(found) - _WHOSE} more</li>"] if len(found) > _WHOSE else []
    return f'<ul class="whose" role="list">{"".join(items)}</ul>'


def _caveat(point: str, before: str, at: datetime | None, after: str, now: datetime) -> str:
    told = f"<strong>{escape(point)}</strong> {_time(before, at, now) if at else escape(before)}{escape(after)}"
    return f'<div class="caveat" role="note">{page_svg.mark(DEGRADED)}<p>{told}</p></div>'


def _systems(picture: Picture) -> str:
    cards = "".join(_system(one, number, picture) for number, one in enumerate(picture.systems))
    key = page_svg.key() if any(one.days for one in picture.systems) else ""
    listed = (
        f'<ul class="systems" role="list">{cards}</ul>'
        if cards
        else '<p class="empty">This monitor has no targets.</p>'
    )
    return (
        f'<section aria-labelledby="systems"><div class="lead"><h2 id="systems">Systems</h2>{key}</div>'
        f"{listed}</section>"
    )


def _system(system: System, number: int, picture: Picture) -> str:
    status = f'{page_svg.mark(system.status)}<span class="word">{escape(page_words.status(system))}</span>'
    return (
        f'<li id="s{number}"><div class="name"><h3>{_name(system.name)}</h3>'
        f'<p class="status {system.status}">{status}</p></div>'
        f'<p class="small soft">{_since(system, picture.at)}</p>{_maintenance(system, picture.at)}'
        f"{_measured(system, picture.at, len(picture.systems) <= _TIPS)}</li>"
    )


def _maintenance(system: System, now: datetime) -> str:
    if system.quiet_until is None:
        return ""
    return f'<p class="small">{_time("Under maintenance until", system.quiet_until, now)}</p>'


def _since(system: System, now: datetime) -> str:
    if system.since is None:
        return "Not checked yet"
    span = page_words.lasted(max(timedelta(), now - system.since))
    told = f'{_time("Since", system.since, now)}, for <span class="whole">{span}</span>'
    stale = f". {_time('Last checked', system.seen_at, now)}" if system.overdue and system.seen_at else ""
    return told + stale


def _measured(system: System, now: datetime, tips: bool) -> str:
    if not system.days:
        return '<p class="small soft">Its uptime is not measured.</p>'
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
        when, long = _from_to(one.started_at, one.ended_at, now), length
    return (
        f'<li><p class="what"><strong>{_name(one.target)}</strong> <span class="status {one.worst}">'
        f'{page_svg.mark(one.worst)}<span class="word">{escape(one.worst.value.capitalize())}</span></span></p>'
        f'<p class="long">{long}</p><p class="when small soft">{when}</p></li>'
    )


def _from_to(begun: datetime, ended: datetime, now: datetime) -> str:
    """`22 Nov, 05:40 to 08:10 UTC`."""
    first = f'<time datetime="{utc(begun)}">{page_words.moment(begun, now)}</time>'
    text = f"{page_words.clock(ended)} UTC" if page_words.same_day(begun, ended) else page_words.instant(ended, now)
    return f'{first} to <time datetime="{utc(ended)}">{text}</time>'


def _footer(refresh: bool, note: str = "") -> str:
    again = (
        f'This page refreshes itself every minute. <a href="{STILL}">Stop that</a>'
        if refresh
        else 'This page does not refresh itself. <a href="/">Refresh every minute</a>'
    )
    return f'<footer class="small soft">{note}<p class="refresh">{again}</p></footer>'


def _time(before: str, at: datetime, now: datetime) -> str:
    told = f'<time datetime="{utc(at)}">{page_words.instant(at, now)}</time>'
    return f"{before} {told}" if before else told


def _name(name: str) -> str:
    """Names are the operator's own, and plain; here nothing rests on that."""
    return escape(clean(name, 80))
