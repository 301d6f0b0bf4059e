"""The status page's drawings: told apart without colour, and true to what they show."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from page_pictures import DAY_MS, NOW, days, system

from pom_cli.model import Status
from pom_cli.web.page import svg as page_svg
from pom_cli.web.page.data import Uptime


def test_statuses_differ_in_shape() -> None:
    signs = re.findall(r'<symbol id="m-(\w+)"[^>]*>(.*?)</symbol>', page_svg.symbols())
    assert {name for name, _ in signs} == {status.value for status in Status}
    assert len({drawn for _, drawn in signs}) == len(Status)


def columns(drawn: str, part: str) -> dict[int, tuple[float, float]]:
    """Of one part, by the number of the day: where its foot stands and how high it is, in px."""
    path = re.search(rf'class="{part}" d="(.*?)"', drawn)
    steps = re.findall(r"M(\d+) ([\d.]+)v-([\d.]+)", path[1]) if path else []
    return {int(day): (float(foot), float(height)) for day, foot, height in steps}


def test_a_day_is_split_into_its_true_shares_from_downtime_at_the_foot_up() -> None:
    some = list(days((0, 0.25)))
    uptime = Uptime(DAY_MS, DAY_MS * 0.75, DAY_MS * 0.5)
    some[0] = replace(some[0], uptime=uptime, degraded_ms=DAY_MS / 4, maintenance_ms=DAY_MS / 8)
    drawn = page_svg.bars(some, NOW)
    assert {part: columns(drawn, part)[0] for part in ("down", "degraded", "up", "maintenance", "none")} == {
        "down": (40, 10),
        "degraded": (30, 10),
        "up": (20, 10),
        "maintenance": (10, 5),
        "none": (5, 5),
    }


def test_downtime_is_seen_however_short() -> None:
    drawn = page_svg.bars(days((0, 0.0001), (1, 1.0)), NOW)
    assert columns(drawn, "down")[0] == (40, pytest.approx(3, abs=0.3))
    assert columns(drawn, "down")[1] == (40, 40)
    assert 1 not in columns(drawn, "up")
    assert columns(drawn, "up")[2] == (40, 40)
    assert 2 not in columns(drawn, "down")


def test_a_day_that_was_not_measured_is_empty() -> None:
    drawn = page_svg.bars(days(first=1), NOW)
    assert columns(drawn, "none") == {0: (40, 40)}


def test_a_deployment_is_a_mark_below_its_day() -> None:
    some = list(days())
    some[7] = replace(some[7], deployments=1)
    assert re.findall(r'class="deployed" d="M([\d.]+) ', page_svg.bars(some, NOW)) == ["6.63"]
    assert "deployed" not in page_svg.bars(days(), NOW)
    assert ("update" in page_svg.key(True), "update" in page_svg.key(False)) == (True, False)


def test_a_badge_is_a_picture_of_its_own_in_which_no_name_is_markup() -> None:
    text = page_svg.badge('<shop> & "co"', "failing", "bad")
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == '<shop> & "co": failing'
    assert not re.search(r"https?:(?!//www.w3.org/2000/svg)|href|style|script", text)


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
