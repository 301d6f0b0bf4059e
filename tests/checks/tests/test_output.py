"""Output as it comes, in pieces of any size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.tests.output import LINE, TAIL, Output


def fed(content: bytes, *sizes: int) -> tuple[list[str], Output]:
    output, lines = Output(), []
    for size in sizes:
        lines += output.feed(content[:size])
        content = content[size:]
    return lines + output.feed(content, last=True), output


def test_lines_are_the_same_however_they_come() -> None:
    content = "a\r\nb\n\nünï\tx\rlast".encode()
    assert fed(content)[0] == ["a", "b", "", "ünï     x", "last"]
    for size in range(1, len(content)):
        assert fed(content, size)[0] == fed(content)[0]


@given(st.binary(max_size=300), st.lists(st.integers(0, 40), max_size=8))
def test_whatever_comes_no_line_holds_what_a_terminal_obeys(content: bytes, sizes: list[int]) -> None:
    lines, output = fed(content, *sizes)
    assert lines == fed(content)[0]
    assert all(line.isprintable() or "�" in line or _is_plain(line) for line in lines)
    assert output.count == len(lines)
    assert output.tail() == "\n".join(lines)


def _is_plain(line: str) -> bool:
    return not any(ord(letter) < 32 or 127 <= ord(letter) < 160 or letter in "\u2028\u2029\u202e" for letter in line)


def test_control_sequences_are_gone() -> None:
    lines, _ = fed(b"\x1b[2J\x1b[31mred\x1b[0m \x07bell\x08\n\x1b]0;title\x07x\n\xe2\x80\xaereversed\n")
    assert lines == ["red  bell", "x", " reversed"]


def test_the_end_of_a_long_output_is_kept_and_no_more() -> None:
    lines, output = fed(b"".join(b"line %d\n" % number for number in range(50_000)))
    assert len(lines) == output.count == 50_000
    assert len(output.tail()) <= TAIL
    assert output.tail().endswith("\nline 49999")
    assert output.tail().startswith("line ")


def test_a_line_that_never_ends_is_cut() -> None:
    output = Output()
    for _ in range(100):
        assert all(len(line) <= LINE for line in output.feed(b"." * 10_000))
    assert len(output.tail()) <= TAIL


def test_telling_lines_are_kept_even_where_the_log_has_lost_them() -> None:
    _, output = fed(b"FAILED a.py::test_b - x\n" + b"noise\n" * 30_000 + b"1 failed in 0.1s\n")
    assert list(output.telling) == ["FAILED a.py::test_b - x", "1 failed in 0.1s"]
    assert "FAILED" not in output.tail()
