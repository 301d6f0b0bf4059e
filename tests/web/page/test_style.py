"""The style sheet: the only one that the page's policy allows, and with colours that can be told apart."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from page_pictures import picture, system

from pom_cli.web.page import html as page
from pom_cli.web.page import style as page_style


def test_the_style_sheet_is_the_one_that_is_allowed() -> None:
    text = page.html(picture(system()))
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = dict(page_style.headers())["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert dict(page_style.headers())["Referrer-Policy"] == "no-referrer"


def colours(scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", page_style.STYLE, re.DOTALL)
    found: dict[str, str] = {}
    for block in blocks[: 2 if scheme == "dark" else 1]:
        found |= dict(re.findall(r"--([\w-]+): (#\w+);", block))
    return found


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


class TestContrast:
    BACKS = ("ground", "card", "ok-wash", "bad-wash", "dim-wash")
    TEXT = tuple((text, "card") for text in ("ok", "warn", "bad", "dim"))
    DRAWN = (("bar", "card"), ("amber", "card"),
             ("bad", "card"), ("dim", "card"), ("link", "card"), ("sign", "ok"), ("sign", "warn"),
             ("sign", "bad"), ("sign", "dim"), ("ok", "ok-wash"), ("bad", "bad-wash"), ("dim", "dim-wash"),
             ("bar", "ground"), ("dim", "ground"))  # fmt: skip

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_and_drawings_can_be_told_from_what_is_behind_them(self, scheme: str) -> None:
        found = colours(scheme)
        assert len(found) == 17
        pairs = [(text, back) for text in ("text", "soft", "link") for back in self.BACKS]
        low = [pair for pair in (*pairs, *self.TEXT) if contrast(found[pair[0]], found[pair[1]]) < 4.5]
        low += [pair for pair in self.DRAWN if contrast(found[pair[0]], found[pair[1]]) < 3]
        assert low == []
