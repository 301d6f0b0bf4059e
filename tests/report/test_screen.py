"""The overview on a terminal, redrawn in its place."""

from pom_cli.report.screen import framed


def shown(frame: str) -> list[str]:
    assert frame.startswith("\x1b[H") and frame.endswith("\n\x1b[J")
    rows = frame.removeprefix("\x1b[H").removesuffix("\n\x1b[J").split("\n")
    assert all(row.startswith("\x1b[K") for row in rows), "each row is wiped before it is written"
    return [row.removeprefix("\x1b[K") for row in rows]


def test_a_frame_that_fits_is_shown_whole() -> None:
    assert shown(framed(["first", "second"], 3)) == ["first", "second"]


def test_a_frame_that_is_too_high_is_cut_at_its_end_and_says_so() -> None:
    assert shown(framed(["first", *"abcdefgh"], 5)) == ["first", "a", "b", "… 6 more lines"]
    assert shown(framed(["first", "a", "b"], 3)) == ["first", "… 2 more lines"]


def test_the_lowest_window_still_shows_the_first_line() -> None:
    assert shown(framed(["first", "a"], 1)) == ["first"]
