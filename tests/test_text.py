import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli import text as text_
from pom_cli.text import clean, hide, host_alone, names_a_secret, one_line, printable, without_passwords


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("200 OK", "200 OK"),
        ("", ""),
        ("  two \t words\r\n", "two words"),
        ("\x1b[2J\x1b]0;title\x07gone", "[2J ]0;title gone"),
        ("Subject: x\r\nBcc: evil@example.com", "Subject: x Bcc: evil@example.com"),
        ("one\u2028two\u0085three", "one two three"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("\ufeffma\u200brk\u061c", "ma rk"),
        ("half \ud800 a pair", "half a pair"),
        ("é → ü", "é → ü"),
    ],
)
def test_text_from_outside_becomes_one_harmless_line(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_long_text_is_cut_with_a_sign_that_it_was() -> None:
    assert clean("x" * 300) == "x" * 199 + "…"
    assert clean("x" * 200) == "x" * 200
    assert clean("abcdef", 3) == "ab…"


@given(st.text(), st.integers(1, 300))
def test_cleaned_text_is_one_line_within_its_limit_and_can_be_encoded(text: str, limit: int) -> None:
    line = clean(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert clean(line, limit) == line
    line.encode("utf-8")


def test_several_lines_keep_their_indentation_and_lose_what_a_terminal_obeys() -> None:
    assert printable("steps:\n    ssh\x1b[1m host  \r\nend") == "steps:\n    ssh [1m host\nend"


@pytest.mark.parametrize("value", ["", "two\nlines", "bell\x07", "\u202e", "nul\0", 3, None, True, ["text"], b"bytes"])
def test_what_is_no_text_on_one_line_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a text on one line"):
        one_line(value)


def test_a_text_on_one_line_stays_as_it_is() -> None:
    assert one_line("München → Köln") == "München → Köln"


def test_a_secret_is_hidden_in_whatever_case_it_was_echoed() -> None:
    assert hide("bad token S3CR.T!", "s3cr.t") == "bad token (hidden)!"
    assert hide("nothing to hide", "") == "nothing to hide"


def test_a_short_secret_is_hidden_where_it_stands_alone_and_not_in_other_words() -> None:
    assert hide("no t1, not T1: 2026-11-24T10:00:00Z", "t1") == "no (hidden), not (hidden): 2026-11-24T10:00:00Z"
    assert hide("xlong-enoughx", "long-enough") == "x(hidden)x"


@pytest.mark.parametrize("key", ["token", "POM_API_TOKEN", "Password", "client_secret", "api-key", "apikey", "Cookie"])
def test_the_names_of_secrets_are_known(key: str) -> None:
    assert names_a_secret(key)


@pytest.mark.parametrize("key", ["url", "path", "headers", "key", "stream", "username"])
def test_the_other_names_are_no_secrets(key: str) -> None:
    assert not names_a_secret(key)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("https://example.com/a", "https://example.com/a"),
        ("https://user:pass@example.com/a", "https://(hidden)@example.com/a"),
        ("https://user@example.com/a", "https://(hidden)@example.com/a"),
        ("https://:pass@example.com", "https://(hidden)@example.com"),
        ("https://user:p@ss/w@rd@example.com", "https://(hidden)@example.com"),
        ("user:pass@example.com", "(hidden)@example.com"),
        ("ops@example.com", "ops@example.com"),
        ("https://example.com/?token=abc&page=2", "https://example.com/?token=(hidden)&page=2"),
        ("https://example.com/?a=1&API_KEY=abc#x", "https://example.com/?a=1&API_KEY=(hidden)#x"),
        ("https://example.com/?key=abc", "https://example.com/?key=(hidden)"),
        ("https://example.com/?monkey=abc", "https://example.com/?monkey=abc"),
    ],
)
def test_a_url_is_shown_without_its_password_and_tokens(text: str, safe: str) -> None:
    assert without_passwords(text) == safe


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://hooks.example.com/services/T1/abc", "https://hooks.example.com/(hidden)"),
        ("https://hooks.example.com?abc", "https://hooks.example.com/(hidden)"),
        ("https://me:pw@hooks.example.com/x", "https://(hidden)@hooks.example.com/(hidden)"),
        ("https:/hooks.example.com/services/abc", "https:/hooks.example.com/(hidden)"),
        ("hooks.example.com/services/abc", "hooks.example.com/(hidden)"),
        ("https://hooks.example.com", "https://hooks.example.com"),
        ("/abc", "/(hidden)"),
    ],
)
def test_of_a_webhook_the_host_alone_is_shown(url: str, safe: str) -> None:
    assert host_alone(url) == safe


@given(st.text(st.characters(exclude_characters="@/?#"), min_size=8))
def test_no_password_comes_through(password: str) -> None:
    for text in (f"https://user:{password}@example.com/", f"user:{password}@example.com"):
        assert (
            without_passwords(text)
            == text[: text.find("//") + 2 if "//" in text else 0] + "(hidden)@" + text.rpartition("@")[2]
        )


@given(
    st.text("abcdefgh+/=é", min_size=8, max_size=30),
    st.binary(max_size=20),
    st.binary(max_size=20),
    st.sampled_from((base64.b64encode, base64.urlsafe_b64encode)),
)
def test_a_secret_is_masked_in_base64_wherever_it_stands_in_what_was_encoded(
    secret: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    data = secret.encode()
    shown = text_.mask(f"said: {encode(before + data + after).decode()}", frozenset({secret}))
    assert text_.HIDDEN in shown
    left = shown.removeprefix("said: ").replace(text_.HIDDEN, "")
    assert len(left) * 6 // 8 <= len(before) + len(after) + 6, "but for the characters at the edges"


def test_a_secret_is_masked_as_it_is_and_percent_encoded_and_in_every_part_of_a_value() -> None:
    secrets = frozenset({"p@ss/word!"})
    seen = {"a": ["p@ss/word!", ("x P@SS/WORD!", 7)], "p%40ss%2Fword%21": None}
    assert text_.mask(seen, secrets) == {"a": ["(hidden)", ("x (hidden)", 7)], "(hidden)": None}
    assert text_.mask("nothing to hide", frozenset()) == "nothing to hide"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://user:pa%20ss@shop.example.com/", {"pa%20ss", "pa ss"}),
        ("https://shop.example.com/?page=2&api_key=0123456789", {"0123456789"}),
        ("https://shop.example.com/a@b?page=2", set()),
    ],
)
def test_the_secrets_in_a_url_are_found(url: str, found: set[str]) -> None:
    assert set(text_.secrets_in(url)) == found
