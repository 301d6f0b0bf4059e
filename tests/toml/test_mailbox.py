from email.headerregistry import HeaderRegistry

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.toml.mailbox import Mailbox, mailbox


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("ops@example.com", Mailbox("", "ops", "example.com")),
        ("<ops@example.com>", Mailbox("", "ops", "example.com")),
        ("PoM at Example <pom+a.b@mail.example.com>", Mailbox("PoM at Example", "pom+a.b", "mail.example.com")),
        ('"PoM, the monitor" <pom@example.com>', Mailbox("PoM, the monitor", "pom", "example.com")),
        ("PoM, the monitor <pom@example.com>", Mailbox("PoM, the monitor", "pom", "example.com")),
        (r'"say \"hi\"" <pom@example.com>', Mailbox('say "hi"', "pom", "example.com")),
        ("ops@localhost", Mailbox("", "ops", "localhost")),
        ("jürgen@example.com", Mailbox("", "jürgen", "example.com")),
        # UTS 46, non-transitional, as Chromium and Firefox have it (https://util.unicode.org/UnicodeJsps/idna.jsp)
        ("ops@bücher.example", Mailbox("", "ops", "xn--bcher-kva.example")),
        ("ops@faß.example", Mailbox("", "ops", "xn--fa-hia.example")),
        ("ops@BÜCHER。example", Mailbox("", "ops", "xn--bcher-kva.example")),
    ],
)
def test_an_address_is_read_as_it_goes_over_the_wire(text: str, box: Mailbox) -> None:
    assert mailbox(text) == box


@pytest.mark.parametrize(
    "text",
    [
        "", "<", "ops", "@example.com", "a@b@c", "a@b, c@d", "a@x.y>\r\nDATA", "a b@c", "a@b>", "x <a@b",
        "a@[192.0.2.1]", "ops@a..example", "ops@xn--ü.example", "ops@\u2067.example",
    ],
)  # fmt: skip
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        mailbox(text)


@given(st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1).map(str.strip).filter(bool))
def test_a_name_is_quoted_where_it_needs_to_be_and_read_back_as_it_was(name: str) -> None:
    box = Mailbox(name, "pom", "example.com")
    assert mailbox(str(box)) == box
    if "=?" not in name:
        [read] = HeaderRegistry()("From", str(box)).addresses  # type: ignore[attr-defined]
        assert (read.display_name.split(), read.addr_spec) == (name.split(), "pom@example.com")
