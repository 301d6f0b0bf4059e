"""pom status on a terminal: a table with sparklines, drawn by rich."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pom_cli.model import SEVERITY, Status
from pom_cli.text import clean
from pom_cli.times import short
from pom_cli.views.render import COLOURS, alert_lines, days_left, first_line, peer_line, percent
from pom_cli.views.told import Known

_BARS = "▁▂▃▄▅▆▇█"


def show(
    found: Mapping[str, Any], known: Known, trends: Mapping[str, Sequence[float | None]], clear: bool = False
) -> None:
    """Print the overview to this terminal, as wide as it is."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if clear:
        console.clear()
    console.print(Text(first_line(found, known), style="bold"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    wide = console.width >= 100
    for name in (
        "target",
        "status",
        "since",
        "latency",
        *(("24 hours",) if wide else ()),
        "24h",
        "7d",
        "30d",
        "expiry",
    ):
        table.add_column(name, justify="right" if name in ("latency", "24h", "7d", "30d") else "left", no_wrap=True)
    now = datetime.fromisoformat(found["generated_at"])
    for target in sorted(found["targets"], key=lambda one: (-SEVERITY[Status(one["status"])], one["name"])):
        cells = _cells(target, now)
        if wide:
            cells.insert(4, sparkline(trends.get(target["name"], ())))
        status = target["status"]
        texts = [Text(cell, style=COLOURS[status] if number == 1 else "") for number, cell in enumerate(cells)]
        table.add_row(*texts)
    console.print(table)
    for target in found["targets"]:
        for check in target["checks"]:
            if check["status"] != "operational":
                name = " ".join(part for part in (target["name"], check["kind"], check["subject"]) if part)
                line = clean(f"{name}: {check['status']}, {check['summary']}", 400)
                console.print(Text(line, style=COLOURS[check["status"]]))
    for line in alert_lines(found["alerts"], known, now):
        console.print(Text.from_ansi(line))
    for peer in found["peers"]:
        console.print(Text.from_ansi(f"peer {peer_line(peer)}"))
    if found["undelivered"]:
        console.print(Text(f"undelivered: {found['undelivered']}; see pom alerts", style="red"))


def _cells(target: Mapping[str, Any], now: datetime) -> list[str]:
    since = datetime.fromisoformat(target["since"]).astimezone(UTC) if target["since"] else None
    median = target["latency"]["median_ms"]
    days = " ".join(f"{name} {left} d" for name, left in days_left(target))
    return [
        clean(target["name"], 40),
        target["status"],
        short(now - since) if since else "–",
        f"{median:.0f} ms" if median is not None else "–",
        *(percent(target["uptime"][window]) for window in ("24h", "7d", "30d")),
        days or "–",
    ]


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
