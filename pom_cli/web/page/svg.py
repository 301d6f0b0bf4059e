"""The status page's drawings as inline SVG: a mark of its own for each status, bars of days, a line of latencies. Pure.

Nothing is told by colour alone: marks differ in shape, downtime hangs below the line, and each chart says in words what
it shows. Colours come from the page's style sheet, by class.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Status
from pom_cli.web.page.model import DAYS, Day, System
from pom_cli.web.page.words import of_day, of_days, of_latency

# Each on 16 × 16: a filled shape, and on it a sign in the colour of the page.
_CIRCLE = '<circle cx="8" cy="8" r="7.5"/>'
_TRIANGLE = "M8 .9a1.2 1.2 0 0 1 1 .6l6.6 11.7a1.2 1.2 0 0 1-1 1.8H1.4a1.2 1.2 0 0 1-1-1.8L7 1.5a1.2 1.2 0 0 1 1-.6z"
_SHAPES = {
    OPERATIONAL: (_CIRCLE, "M4.7 8.3l2.3 2.3 4.4-4.9"),
    DEGRADED: (f'<path d="{_TRIANGLE}"/>', "M8 5.6v3.9M8 12.2v.1"),
    ERROR: ('<path d="M5 .6h6L15.4 5v6L11 15.4H5L.6 11V5z"/>', "M5.5 5.5l5 5M10.5 5.5l-5 5"),
    UNREACHABLE: ('<rect x=".8" y=".8" width="14.4" height="14.4" rx="3"/>', "M4.6 8h6.800"),
    UNKNOWN: (_CIRCLE, "M5.9 6.2a2.1 2.1 0 1 1 2.9 2c-.6.25-.8.55-.8 1.15M8 12v.1"),
}
_BY_TONE = {"ok": OPERATIONAL, "bad": ERROR, "unknown": UNKNOWN}
_ICON_COLOURS = {"ok": "#1a7f4e", "bad": "#b3261e", "unknown": "#5c636c"}

# Of the bars, in px: their height above the line, where below it begins, the depth there. Gaps in percent of the width.
_UP, _LINE, _DOWN, _GAP = 32.0, 34.0, 14.0, 0.9
_LEAST_UP, _LEAST_DOWN = 4.0, 5.0  # what there was is seen, however little of it
_PITCH = (100 + _GAP) / DAYS
# What all bars share, for the style sheet: said of each of 3,000 it would be most of the page. Places and widths are in
# percent, heights in pixels, so the bars fill any width and their corners stay round.
GEOMETRY = f"""
.bars rect {{ width: {_PITCH - _GAP:.2f}%; rx: 2px; }}
.bars .track, .bars .full {{ height: {_UP:g}px; }} .bars .down {{ y: {_LINE:g}px; }}
.bars .none {{ y: {_UP - 2:g}px; height: 2px; }}
"""
_SAMPLES = (("up", "up"), ("down", "down, below the line"), ("none", "not measured"))
_CHART = (240, 40)  # of the latency line: the view box, stretched as there is room


def symbols() -> str:
    """The marks, once a page; `mark` refers to them."""
    found = "".join(f'<symbol id="m-{status}" viewBox="0 0 16 16">{_drawn(status)}</symbol>' for status in _SHAPES)
    return f'<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false">{found}</svg>'


def _drawn(status: Status) -> str:
    shape, sign = _SHAPES[status]
    return f'{shape}<path class="sign" d="{sign}"/>'


def mark(status: Status) -> str:
    """The mark of a status. It stands beside the word, so it says nothing itself."""
    return f'<svg class="mark {status}" aria-hidden="true" focusable="false"><use href="#m-{status}"/></svg>'


def tone_mark(tone: str) -> str:
    return mark(_BY_TONE[tone])


def icon(tone: str) -> str:
    """The tab's icon as a data URL."""
    from base64 import b64encode

    shape, sign = _SHAPES[_BY_TONE[tone]]
    white = 'fill="none" stroke="#fff" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"'
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="{_ICON_COLOURS[tone]}">'
        f'{shape}<path d="{sign}" {white}/></svg>'
    )
    return f"data:image/svg+xml;base64,{b64encode(drawn.encode()).decode()}"


def bars(days: Sequence[Day], now: datetime, tips: bool = True) -> str:
    """A bar for each of 30 days: up above the line, down below it; what was not measured is pale, with a low line.

    `tips`: each says what it is where the mouse points at it.
    """
    drawn = "".join(
        f"<g><title>{escape(of_day(one, now))}</title>{_bar(one, number)}</g>" if tips else _bar(one, number)
        for number, one in enumerate(days)
    )
    label = escape(of_days(days, now))
    return f'<svg class="bars" role="img" aria-label="{label}" focusable="false">{drawn}</svg>'


def _bar(one: Day, number: int) -> str:
    uptime, at = one.uptime, f'x="{number * _PITCH:.2f}%"'
    up = _UP * min(1.0, uptime.up_ms / max(1.0, uptime.length_ms - uptime.down_ms))
    parts = []
    if up > _UP - 0.5:
        parts.append(f'<rect class="full" {at}/>')
    else:
        parts.append(f'<rect class="track" {at}/>')
        if uptime.known_ms <= 0:
            parts.append(f'<rect class="none" {at}/>')
        elif uptime.up_ms > 0:
            height = max(_LEAST_UP, up)
            parts.append(f'<rect class="up" {at} y="{_n(_UP - height)}" height="{_n(height)}"/>')
    if uptime.down_ms >= 1:
        # The root, so that a quarter of an hour is told from an hour, and that from the whole day.
        depth = max(_LEAST_DOWN, _DOWN * min(1.0, uptime.down_ms / uptime.length_ms) ** 0.5)
        parts.append(f'<rect class="down" {at} height="{_n(depth)}"/>')
    return "".join(parts)


def key() -> str:
    """What the bars mean. A screen reader has each chart's own words instead."""
    track, shape = _sample("track", 0, 16), {"up": _sample("up", 0, 16), "down": _sample("down", 18, 6)}
    drawn = {**shape, "down": track + shape["down"], "none": track + _sample("none", 14, 2)}
    items = "".join(f"<li><svg>{drawn[kind]}</svg><span>{told}</span></li>" for kind, told in _SAMPLES)
    return f'<ul class="key" aria-hidden="true">{items}</ul>'


def _sample(kind: str, y: int, height: int) -> str:
    return f'<rect class="{kind}" width="8" y="{y}" height="{height}" rx="{min(2, height // 2)}"/>'


def line(system: System) -> str:
    """Latency by the hour, from zero up; an hour without a good answer is a gap."""
    width, height = _CHART
    top = max(ms for ms in system.latency if ms is not None) * 1.1 or 1.0
    step = width / max(1, len(system.latency) - 1)
    path = "".join(_stretches([(n * step, None if ms is None else height - height * ms / top)
                               for n, ms in enumerate(system.latency)]))  # fmt: skip
    label = escape(of_latency(system))
    return (
        f'<svg class="line" role="img" aria-label="{label}" focusable="false" viewBox="0 0 {width} {height}"'
        f' preserveAspectRatio="none"><path class="floor" d="M0 {height}H{width}"/><path class="ms" d="{path}"/></svg>'
    )


def _stretches(points: Sequence[tuple[float, float | None]]) -> Iterator[str]:
    """The path's steps; a point that stands alone is a dash."""
    drawing = False
    for number, (x, y) in enumerate(points):
        if y is None:
            drawing = False
            continue
        alone = not drawing and (number + 1 == len(points) or points[number + 1][1] is None)
        yield f"{'L' if drawing else 'M'}{_n(x)} {_n(y)}{'h1' if alone else ''}"
        drawing = True


def _n(value: float) -> str:
    """A number, as short as it goes."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
