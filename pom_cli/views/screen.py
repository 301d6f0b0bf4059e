"""pom status on a terminal: a table with sparklines, drawn by rich."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pom_cli.model import SEVERITY, Status
from pom_cli.text import clean
from pom_cli.times import short
from pom_cli.views.render import (
    COLOURS,
    alert_lines,
    days_left,
    first_line,
    newest_run,
    peer_line,
    percent,
    target_line,
)
from pom_cli.views.told import Known

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


def show(found: Mapping[str, Any], known: Known, trends: Trends, clear: bool = False) -> None:
    """Print the overview to this terminal, as wide as it is."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if clear:
        console.clear()
    now = datetime.fromisoformat(found["generated_at"])
    targets = sorted(found["targets"], key=lambda one: (-SEVERITY[Status(one["status"])], one["name"]))
    console.print(Text(first_line(found, known), style="bold"), soft_wrap=True)
    for part in _fitting(console, targets, trends, now):
        console.print(part)
    for line in alert_lines(found["alerts"], known, now):
        console.print(Text.from_ansi(line))
    for peer in found["peers"]:
        console.print(Text.from_ansi(f"peer {peer_line(peer)}"))
    if found["undelivered"]:
        console.print(Text(f"undelivered: {found['undelivered']}; see pom alerts", style="red"))


def _fitting(console: "Console", targets: Targets, trends: Trends, now: datetime) -> "list[RenderableType]":
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
            return [table, *legend, *_wrong(targets)]
    return [Text.from_ansi(target_line(target)) for target in targets]


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
