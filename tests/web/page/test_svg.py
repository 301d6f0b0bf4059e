"""The status page's drawings: told apart without colour, and true to what they show."""

from __future__ import annotations

import base64
import re

from page_pictures import NOW, days, system

from pom_cli.model import Status
from pom_cli.web.page import style as page_style
from pom_cli.web.page import svg as page_svg


def test_statuses_differ_in_shape() -> None:
    signs = re.findall(r'<symbol id="m-(\w+)"[^>]*>(.*?)</symbol>', page_svg.symbols())
    assert {name for name, _ in signs} == {status.value for status in Status}
    assert len({drawn for _, drawn in signs}) == len(Status)


def test_downtime_hangs_below_and_is_seen_however_short() -> None:
    drawn = page_svg.bars(days((0, 0.0001), (1, 1.0), first=0), NOW)
    bars = re.findall(r"<g>(.*?)</g>", drawn)
    assert 'class="full"' in bars[0]
    assert re.search(r'class="down"[^>]* height="5"', bars[0])
    assert not re.search("full|up", bars[1].partition("</title>")[2])
    assert re.search(r'class="down"[^>]* height="14"', bars[1])
    assert "down" not in bars[2]
    assert ".bars .down { y: 34px; }" in page_style.STYLE


def test_a_day_that_was_not_measured_is_a_low_line() -> None:
    bars = re.findall(r"<g>(.*?)</g>", page_svg.bars(days(first=1), NOW))
    assert 'class="none"' in bars[0]
    assert 'class="none"' not in bars[1]


def test_an_hour_without_an_answer_is_a_gap_and_a_lone_one_a_dash() -> None:
    drawn = page_svg.line(system(latency=(10.0, 20.0, None, 20.0, None), median_ms=15.0))
    (path,) = re.findall(r'class="ms" d="(.*?)"', drawn)
    assert re.fullmatch(r"M0 [\d.]+L60 [\d.]+M180 [\d.]+h1", path)


def test_a_line_of_nothing_but_zeros_is_drawn() -> None:
    assert 'd="M0 40L240 40"' in page_svg.line(system(latency=(0.0, 0.0), median_ms=0.0))


def test_the_icon_is_in_the_page() -> None:
    icons = {tone: page_svg.icon(tone) for tone in ("ok", "bad", "unknown")}
    assert len(set(icons.values())) == 3
    assert all(base64.b64decode(one.partition(",")[2]).startswith(b"<svg") for one in icons.values())
