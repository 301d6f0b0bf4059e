"""pom status on a terminal: a table with sparklines, drawn by rich."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pom_cli.report import silences
from pom_cli.report.delivery import Known
from pom_cli.report.render import (
    COLOURS,
    alert_lines,
    days_left,
    deployed,
    first_line,
    newest_run,
    peer_line,
    percent,
    ranked,
    stuck_lines,
    target_line,
)
from pom_cli.text import clean
from pom_cli.times import short

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = ("target", "status", "since", "latency", "24 hours", "24h", "7d", "30d", "expiry", "tests")
_RIGHT = ("latency", "24h", "7d", "30d")
_SHORT = {"certificate": "cert", "domain": "domain"}

Targets = Sequence[Mapping[str, Any]]
Trends = Mapping[str, Sequence[float | None]]


def show(found: Mapping[str, Any], known: Known, trends: Trends, late: Sequence[str], in_place: bool = False) -> None:
    """Print the overview to this terminal, as wide as it is; `in_place` overwrites the screen and fits its height."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    first = Text(first_line(found, known, late), style="bold")
    rest = _rest(console, found, known, trends, late)
    if not in_place or console.is_dumb_terminal:
        console.print(first, soft_wrap=True)
        console.print(*rest, sep="\n", end="\n" if rest else "")
        return
    with console.capture() as drawn:
        console.print(first, *rest, sep="\n")
    console.file.write(framed(drawn.get().splitlines(), console.height))
    console.file.flush()


def framed(rows: Sequence[str], height: int) -> str:
    """These rows, overwriting a terminal of this height; cut so that the first one does not scroll away."""
    room = max(height - 1, 1)  # the last line is for the cursor
    if len(rows) > room:
        kept = max(room - 1, 1)
        rows = [*rows[:kept], f"… {len(rows) - kept} more lines"][:room]
    # Each row is wiped before it is written: after a full one the cursor is still on its last character.
    return "\x1b[H" + "".join(f"\x1b[K{row}\n" for row in rows) + "\x1b[J"


def _rest(
    console: "Console", found: Mapping[str, Any], known: Known, trends: Trends, late: Sequence[str]
) -> "list[RenderableType]":
    """All that stands below the first line."""
    from rich.text import Text

    now = datetime.fromisoformat(found["generated_at"])
    lines = alert_lines(found["alerts"], known, now, found["instance"])
    lines += [f"peer {peer_line(peer)}" for peer in found["peers"]]
    return [
        *(Text(line, style="red") for line in found["crashed"]),
        *_fitting(console, ranked(found["targets"]), trends, now, found["instance"]),
        *(Text(clean(silences.line(one), 300), style="cyan") for one in found["silences"]),
        *map(Text.from_ansi, lines),
        *(Text(line, style="red") for line in stuck_lines(found, late)),
    ]


def _fitting(
    console: "Console", targets: Targets, trends: Trends, now: datetime, instance: str
) -> "list[RenderableType]":
    """The fullest table in which nothing is cut off at this width, and what is wrong; where none fits, a line a
    target."""
    from rich.measure import Measurement
    from rich.text import Text

    if not targets:
        return []
    full, narrow = [_cells(target, now) for target in targets], [_narrow(target, now) for target in targets]
    unbounded = console.options.update(width=10_000)
    for rows, gap in ((_barred(full, targets, trends), 2), (_barred(narrow, targets, trends), 1), (narrow, 1)):
        table = _table(rows, targets, gap)
        if Measurement.get(console, unbounded, table).maximum <= console.width:
            shared = any("\n(" in cell for row in rows for cell in row.values())
            legend = [Text("(…): the share of that time that is known", style="dim")] if shared else []
            return [table, *legend, *_wrong(targets), *_deployed(targets, now, instance)]
    return [Text.from_ansi(target_line(target, instance, now)) for target in targets]


def _barred(rows: Sequence[dict[str, str]], targets: Targets, trends: Trends) -> list[dict[str, str]]:
    return [{**row, "24 hours": sparkline(trends.get(one["name"], ()))} for row, one in zip(rows, targets, strict=True)]


def _wrong(targets: Targets) -> "list[Text]":
    """A line for each subject that is not operational."""
    from rich.text import Text

    lines = []
    for target in targets:
        for check in target["checks"]:
            if check["status"] != "operational":
                name = " ".join(part for part in (target["name"], check["kind"], check["subject"]) if part)
                line = clean(f"{name}: {check['status']}, {check['summary']}", 400)
                lines.append(Text(line, style=COLOURS[check["status"]]))
    return lines


def _deployed(targets: Targets, now: datetime, instance: str) -> "list[Text]":
    """The deployments of the last day, a line each."""
    from rich.text import Text

    found = [(one["name"], one["deployed"]) for one in targets if one["deployed"]]
    return [Text(f"{clean(name)}: {deployed(told, now, instance)}") for name, told in found
            if now - datetime.fromisoformat(told["at"]) < timedelta(days=1)]  # fmt: skip


def _table(rows: Sequence[Mapping[str, str]], targets: Targets, gap: int) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    columns = [name for name in _COLUMNS if any(row.get(name) for row in rows)]
    for name in columns:
        table.add_column(name, justify="right" if name in _RIGHT else "left", no_wrap=True)
    for row, target in zip(rows, targets, strict=True):
        styles = {"status": COLOURS[target["status"]]}
        table.add_row(*(Text(row.get(name) or "–", style=styles.get(name, "")) for name in columns))
    return table


def _cells(target: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """The row of a target, by column."""
    since, median = target["since"], target["latency"]["median_ms"]
    return {
        "target": clean(target["name"], 64),
        "status": target["status"],
        "since": short(now - datetime.fromisoformat(since)) if since else "–",
        "latency": f"{median:.0f} ms" if median is not None else "–",
        **{window: percent(uptime) for window, uptime in target["uptime"].items()},
        "expiry": ", ".join(f"{name} {left} d" for name, left in days_left(target)) or "–",
        "tests": newest_run(target),
    }


def _narrow(target: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """The same facts in narrow cells: one unit of time, what belongs together on two lines."""
    row = _cells(target, now)
    uptimes = {window: row[window].replace(" (", "\n(").replace(" known)", ")") for window in target["uptime"]}
    days = "\n".join(f"{_SHORT[name]} {left} d" for name, left in days_left(target)) or "–"
    return row | uptimes | {"since": " ".join(row["since"].split()[:2]), "expiry": days}


def sparkline(values: Sequence[float | None]) -> str:
    """One bar an hour, from the smallest to the largest; a gap where nothing is known."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, span = min(known), max(known) - min(known)
    return "".join(
        " " if value is None else _BARS[round((value - low) / span * (len(_BARS) - 1)) if span else 0]
        for value in values
    )
