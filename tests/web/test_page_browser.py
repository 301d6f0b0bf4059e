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
from browser import CHROMIUM, Browser, axe_core, command
from page_reader import Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")]

WIDTHS = (320, 390, 800, 1280)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A month of history with trouble just now, served."""
    loaded = page_demo.build(tmp_path_factory.mktemp("demo"), now=datetime.now(UTC))
    with ApiServer(loaded) as api:
        yield f"http://127.0.0.1:{api.port}/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found


def test_the_document_that_a_browser_makes_of_it_says_it_all(url: str, tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path / "profile", "--dump-dom", url), capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    found = Page(done.stdout)
    assert found.text_of("h1")[0].startswith("storefront unreachable since ")
    assert found.text_of("h3") == ["storefront", "documentation", "api", "media-cdn", "mail"]
    assert found.text_of("span", "word")[:5] == ["Unreachable", "Degraded", "Operational", "Operational", "Operational"]
    assert [one["aria-label"][:13] for one in found.all("svg") if one.get("role") == "img"] == [
        "Uptime by day",
        "Response time",
    ] * 4
    assert found.text_of("dl")[2].startswith("24 hours100%7 days")
    assert found.text_of("p", "what")[:3] == [
        "storefront UnreachableDid not answer",
        "documentation DegradedNot fully working",
        "api FailingSome pages failed",
    ]
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
    width, height = browser.value(
        "(b => [b.width, b.height])(document.querySelector('.bars .up').getBoundingClientRect())"
    )
    assert width > 90
    assert height == pytest.approx(40, abs=1)
    assert browser.value("document.querySelector('.line .ms').getBoundingClientRect().width") > 200
    assert browser.value("document.querySelector('h3 + p .mark').getBoundingClientRect().width") > 15


def test_a_keyboard_finds_its_links_and_sees_where_it_is(url: str, browser: Browser) -> None:
    browser.open(url, 800)
    for place in ("#s0", "#s1", "feed.xml"):
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
    assert headings[0].startswith("storefront unreachable since ")
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


@pytest.fixture(scope="module")
def axe() -> str:
    found = axe_core()
    if found is None:
        pytest.skip("npm's axe-core is not there: npm install axe-core, and AXE_CORE=its folder")
    return found.read_text(encoding="utf-8") + ";0"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", (390, 1280))
def test_axe_finds_no_violation(url: str, browser: Browser, axe: str, width: int, dark: bool) -> None:
    browser.open(url, width, dark=dark)
    browser.value(axe)
    run = "axe.run().then(found => JSON.stringify(found.violations.map(one => [one.id, one.nodes.map(n => n.html)])))"
    found = browser.ask("Runtime.evaluate", expression=run, awaitPromise=True, returnByValue=True)
    assert found["result"]["value"] == "[]"
