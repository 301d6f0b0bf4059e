"""The status page's drawings as inline SVG: a mark for each status, bars of days, a line of latencies, a badge. Pure.

Nothing depends on colour alone: marks differ in shape, downtime stands at the foot of its bar, and each chart says in
words what it shows. Colours come from the page's style sheet, by class.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, UNKNOWN, UNREACHABLE, Status
from pom_cli.web.page.data import Day, System
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
_LETTER = 6.6  # px that a letter of a badge takes; `textLength` makes up for what it is not
_BY_TONE = {"ok": OPERATIONAL, "bad": ERROR, "unknown": UNKNOWN}
_ICON_COLOURS = {"ok": "#1a7f4e", "warn": "#8f5600", "bad": "#b3261e", "unknown": "#5c636c", "busy": "#1b5fa8"}

# Of the bars: a column a day, its pitch 1 and its height in px; below it the marks of deployments.
HEIGHT, _FOOT, _WIDTH = 40, 6, 0.74
_ROUNDING = 0.01  # of a day: what is not measured between two looks that were a little late
_LEAST = 3.0  # px: what there was is seen, however little of it
# From the bottom up, so that the place tells what the colour does: downtime first.
_PARTS = ("down", "degraded", "up", "maintenance", "none")
_SAMPLES = (
    ("up", "up"),
    ("degraded", "degraded"),
    ("down", "down"),
    ("maintenance", "maintenance"),
    ("none", "not measured"),
)
_CHART = (240, 40)  # of the latency line: the view box, stretched as there is room


def symbols() -> str:
    """The marks, once a page; `mark` refers to them."""
    found = "".join(f'<symbol id="m-{status}" viewBox="0 0 16 16">{_drawn(status)}</symbol>' for status in _SHAPES)
    return f'<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false">{found}</svg>'


def _drawn(status: Status) -> str:
    shape, sign = _SHAPES[status]
    return f'{shape}<path class="sign" d="{sign}"/>'


def mark(status: Status) -> str:
    """The mark of a status. It is next to the word, so it is hidden from screen readers."""
    return f'<svg class="mark {status}" aria-hidden="true" focusable="false"><use href="#m-{status}"/></svg>'


def tone_mark(tone: str) -> str:
    return mark(_BY_TONE[tone])


WRENCH = (  # the mark of maintenance, which is no status
    '<svg class="mark maintenance" viewBox="0 0 16 16" aria-hidden="true" focusable="false">'
    '<circle cx="8" cy="8" r="7.5"/><path class="sign" d="M5 11l4-4M9 7a2.2 2.2 0 0 0 2.8-2.8L10.4 5.6 9.2 4.4z"/>'
    "</svg>"
)


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
    """A column for each day, split from the bottom up into its shares: down, degraded, up, maintenance, not measured.

    All columns of one kind are one path of upright strokes, which keeps the page small. `tips`: each says what it is
    where the mouse points at it.
    """
    paths: dict[str, list[str]] = {part: [] for part in (*_PARTS, "deployed")}
    for number, one in enumerate(days):
        bottom = float(HEIGHT)
        for part, height in zip(_PARTS, _heights(one), strict=True):
            if height > 0:
                paths[part].append(f"M{number} {_n(bottom)}v-{_n(height)}")
                bottom -= height
        if one.deployments:
            paths["deployed"].append(f"M{number - _WIDTH / 2:g} {HEIGHT + _FOOT}l{_WIDTH / 2} -4l{_WIDTH / 2} 4z")
    drawn = "".join(f'<path class="{part}" d="{"".join(path)}"/>' for part, path in paths.items() if path)
    told = "".join(
        f'<rect x="{number - 0.5}" width="1" height="{HEIGHT}"><title>{escape(of_day(one, now))}</title></rect>'
        for number, one in enumerate(days)
    )
    return (
        f'<svg class="bars" role="img" aria-label="{escape(of_days(days, now))}" focusable="false"'
        f' viewBox="-.5 0 {len(days)} {HEIGHT + _FOOT}" preserveAspectRatio="none">{drawn}'
        + (f"<g>{told}</g>" if tips else "")
        + "</svg>"
    )


def _heights(one: Day) -> list[float]:
    """The height of each part in px. What there was at all is at least so high that it is seen."""
    uptime, length = one.uptime, max(1.0, one.uptime.length_ms)
    shares = {
        "down": uptime.down_ms,
        "degraded": one.degraded_ms,
        "up": uptime.up_ms - one.degraded_ms,
        "maintenance": one.maintenance_ms,
    }
    heights = {part: max(_LEAST, HEIGHT * ms / length) if ms >= 1 else 0.0 for part, ms in shares.items()}
    rest = length - sum(shares.values())
    heights["none"] = HEIGHT * rest / length if rest / length > _ROUNDING else 0.0
    scale = HEIGHT / (sum(heights.values()) or HEIGHT)
    return [heights[part] * scale for part in _PARTS] if any(heights.values()) else [0, 0, 0, 0, HEIGHT]


def key(deployed: bool) -> str:
    """What the bars mean. A screen reader has each chart's own words instead."""
    square, deployment = (
        f'<svg viewBox="0 0 10 10" aria-hidden="true">{shape}</svg>'
        for shape in ('<rect class="{}" width="10" height="10" rx="2"/>', '<path class="deployed" d="M0 9l5 -7l5 7z"/>')
    )
    items = [f"<li>{square.format(kind)}<span>{told}</span></li>" for kind, told in _SAMPLES]
    items += [f"<li>{deployment}<span>update</span></li>"] if deployed else []
    return f'<ul class="key" aria-hidden="true">{"".join(items)}</ul>'


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
    """A number in its shortest form."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def badge(label: str, told: str, tone: str) -> str:
    """A badge for other pages: a name and a word, in a picture that needs nothing else."""
    left, right = (round(_LETTER * len(text) + 14) for text in (label, told))
    name = escape(f"{label}: {told}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{name}">'
        f'<title>{name}</title><rect width="{left + right}" height="20" rx="4" fill="#3b4149"/>'
        f'<path d="M{left} 0h{right - 4}a4 4 0 0 1 4 4v12a4 4 0 0 1 -4 4h-{right - 4}z" fill="{_ICON_COLOURS[tone]}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2}" y="14" textLength="{left - 12}">{escape(label)}</text>'
        f'<text x="{left + right / 2}" y="14" textLength="{right - 12}">{escape(told)}</text></g></svg>\n'
    )
