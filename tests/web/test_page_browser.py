"""The status page in a real browser: what is there once it is laid out, and that its own policy does not break it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import page_demo
import pytest
from api_server import ApiServer
from browser import CHROMIUM, Browser, command
from page_reader import Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]

WIDTHS = (320, 390, 800, 1280)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A month of history with trouble just now, served; the page that does not load itself anew during a test."""
    loaded = page_demo.build(tmp_path_factory.mktemp("demo"), now=datetime.now(UTC))
    with ApiServer(loaded) as api:
        yield f"http://127.0.0.1:{api.port}/?refresh=off"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found


def test_the_document_that_a_browser_makes_of_it_says_it_all(url: str, tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "profile", "--dump-dom", url), capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    found = Page(done.stdout)
    assert found.text_of("h1")[0].startswith("2 of 5 not operational since ")
    assert found.text_of("h3") == ["storefront", "documentation", "api", "media-cdn", "mail"]
    assert found.text_of("span", "word")[:5] == ["Unreachable", "Degraded", "Operational", "Operational", "Operational"]
    assert [one["aria-label"][:13] for one in found.all("svg") if one.get("role") == "img"] == [
        "Uptime by day",
        "Response time",
    ] * 4
    assert found.text_of("dl")[2].startswith("24 hours100%7 days")
    assert found.text_of("p", "what")[:3] == ["storefront Unreachable", "documentation Degraded", "api Error"]
    assert not [secret for secret in page_demo.SECRETS if secret in done.stdout]


def test_it_asks_for_nothing_and_breaks_no_rule_of_its_own(url: str, browser: Browser) -> None:
    browser.open(url, 800)
    asked = [one["request"]["url"] for one in browser.heard("Network.requestWillBeSent")]
    assert [one for one in asked if not one.startswith("data:")] == [url]
    assert [one["entry"]["text"] for one in browser.heard("Log.entryAdded")] == []
    # The style sheet holds: without it the page would stand on white, in a serif face.
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(246, 245, 241)"
    assert "system-ui" in browser.value("getComputedStyle(document.documentElement).fontFamily")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_its_window(url: str, browser: Browser, width: int, dark: bool) -> None:
    browser.open(url, width, dark=dark)
    assert browser.value("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert outside(browser) == []
    # With letters of twice the size too.
    browser.value("document.documentElement.style.fontSize = '200%'")
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert outside(browser) == []


def outside(browser: Browser) -> list[str]:
    """What sticks out of the window or, as text, out of the box that it is in."""
    found: list[str] = browser.value(
        """[...document.querySelectorAll('body *')].filter(e => !e.closest('svg')).filter(e =>
        e.getBoundingClientRect().right > innerWidth + 0.5 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth
        ).map(e => e.outerHTML.slice(0, 120))"""
    )
    return found


def test_charts_are_drawn(url: str, browser: Browser) -> None:
    browser.open(url, 390)
    boxes: list[list[float]] = browser.value(
        "[...document.querySelectorAll('.bars')][0].querySelectorAll('.full').values().toArray()"
        ".map(e => e.getBoundingClientRect()).map(b => [b.width, b.height])"
    )
    assert len(boxes) >= 28
    assert all(width > 5 and height == 32 for width, height in boxes)
    assert browser.value("document.querySelector('.line .ms').getBoundingClientRect().width") > 200
    assert browser.value("document.querySelector('h3 + p .mark').getBoundingClientRect().width") > 15


def test_a_keyboard_finds_its_links_and_sees_where_it_is(url: str, browser: Browser) -> None:
    browser.open(url, 800)
    for place in ("#s0", "#s1", "/"):
        for kind in ("keyDown", "keyUp"):
            browser.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        assert browser.value("document.activeElement.getAttribute('href')") == place
        assert browser.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_screen_reader_is_given_landmarks_headings_and_the_charts_in_words(url: str, browser: Browser) -> None:
    browser.open(url, 800)
    told = list(read_out(browser.ask("Accessibility.getFullAXTree")["nodes"]))
    roles = [role for role, _ in told]
    assert [roles.count(one) for one in ("banner", "main", "contentinfo", "note")] == [1, 1, 1, 0]
    assert [name for role, name in told if role == "region"] == ["Systems", "Incidents"]
    headings = [name for role, name in told if role == "heading"]
    assert headings[0].startswith("2 of 5 not operational since")
    assert headings[1:] == ["Systems", "storefront", "documentation", "api", "media-cdn", "mail", "Incidents"]
    images = [name for role, name in told if role == "image"]
    assert len(images) == 8
    assert all(images)


def read_out(nodes: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Role and name of each node that is not ignored, in the order in which they are read."""
    by_id = {node["nodeId"]: node for node in nodes}
    todo = [nodes[0]]
    while todo:
        node = todo.pop()
        if not node["ignored"]:
            yield node["role"]["value"], node.get("name", {}).get("value", "")
        todo += [by_id[child] for child in reversed(node.get("childIds", [])) if child in by_id]


def test_nothing_moves_for_those_who_want_that(url: str, browser: Browser) -> None:
    browser.open(url, 800, prefers_reduced_motion="reduce")
    assert browser.value("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert browser.value("document.getAnimations().length") == 0
