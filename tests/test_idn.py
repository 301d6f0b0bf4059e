"""Internationalised names: what browsers and curl send for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.idn import to_ascii


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("faß.de", "xn--fa-hia.de"),  # IDNA 2003 made this fass.de, another domain
        ("FAẞ.de", "xn--fa-hia.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("Bücher.Example.", "xn--bcher-kva.Example."),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # composed first
        ("日本語。jp", "xn--wgv71a119e.jp"),
        ("ﬃ.example", "ffi.example"),
        ("i❤.ws", "xn--i-7iq.ws"),  # Chromium and curl go there
        ("_dmarc.bücher.example", "_dmarc.xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("xn--fa-hia.bücher.example", "xn--fa-hia.xn--bcher-kva.example"),
        ("ab--c.bücher.example", "ab--c.xn--bcher-kva.example"),
        ("Example.com", "Example.com"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        (".", "."),
        ("", ""),
    ],
)
def test_a_name_goes_over_the_wire_as_clients_send_it(name: str, wire: str) -> None:
    assert to_ascii(name) == wire


@pytest.mark.parametrize(
    "name",
    [
        "\U0001f4a9\u202e.example",  # turns the text's direction
        "ü" * 70 + ".example",
        "❤" * 70 + ".example",
        "ü." * 600 + "example",
        "-ü.example",
        "\u0308u.example",  # begins with a mark that combines
        "℀.example",  # would become a/c
        "xn--ü.example",
        "a\u200db.example",  # joins nothing
    ],
)
def test_what_no_name_can_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        to_ascii(name)


@given(st.text())
def test_no_text_raises_anything_but_a_value_error_and_what_is_taken_is_ascii(text: str) -> None:
    for name in (text, f"{text}.example", f"ü{text}.example"):
        try:
            assert to_ascii(name).isascii()
        except ValueError:
            continue
