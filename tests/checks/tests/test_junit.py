"""JUnit XML as several tools write it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pom_cli.checks.tests import junit
from pom_cli.checks.tests.junit import parse, read
from pom_cli.checks.tests.summary import Summary
from pom_cli.errors import UsageError

PYTEST = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="0.1">
<testcase classname="tests.test_a" name="test_good" time="0.001" />
<testcase classname="tests.test_a" name="test_bad"><failure message="assert 1 == 2">a &lt; b</failure></testcase>
<testcase classname="tests.test_a" name="test_worse"><error message="at setup" /><failure message="too"/></testcase>
<testcase classname="tests.test_a" name="test_later"><skipped type="pytest.skip" message="no" /></testcase>
</testsuite></testsuites>"""


def test_failures_and_errors_fail_and_skipped_ones_count_as_neither() -> None:
    assert parse(PYTEST) == Summary(1, 2, ("tests.test_a.test_bad", "tests.test_a.test_worse"))


def test_suites_may_be_several_nested_or_the_root_itself() -> None:
    inner = b'<testsuite name="b"><testcase name="y"><failure/></testcase></testsuite>'
    found = parse(b'<testsuite name="a"><testcase name="x"/>' + inner + inner.replace(b'"y"', b'"z"') + b"</testsuite>")
    assert found == Summary(1, 2, ("y", "z"))


def test_a_test_that_passed_when_tried_again_passed() -> None:
    found = parse(b'<testsuite><testcase name="x"><flakyFailure/><rerunFailure/></testcase></testsuite>')
    assert found == Summary(1, 0, ())


def test_an_error_outside_of_the_tests_is_one_that_failed() -> None:
    assert parse(b'<testsuite name="api"><testcase name="x"/><error/></testsuite>') == Summary(1, 1, ("api",))


@pytest.mark.parametrize(
    ("report", "numbers"),
    [
        (b'<testsuite tests="5" failures="2"/>', (3, 2)),
        (b'<testsuites tests="5" failures="1" errors="1" skipped="1"><testsuite/></testsuites>', (2, 2)),
        (b'<testsuites failures="2"><testsuite failures="2"><testcase name="x"/></testsuite></testsuites>', (1, 2)),
        (b'<testsuite failures="2"><testcase name="x"><failure/></testcase></testsuite>', (0, 2)),
        (b'<testsuite failures="0"><testcase name="x"><failure/></testcase></testsuite>', (0, 1)),
        (b'<testsuite failures="many" errors="-1"><testcase name="x"/></testsuite>', (1, 0)),
    ],
)
def test_a_suite_that_counts_more_failures_than_it_has_cases_is_believed(
    report: bytes, numbers: tuple[int, int]
) -> None:
    assert (parse(report).passed, parse(report).failed) == numbers


def test_an_empty_report_is_of_no_tests() -> None:
    assert parse(b"<testsuites/>") == Summary(0, 0, ())


def test_names_are_made_printable() -> None:
    found = parse('<testsuite><testcase name="a&#10;b\u202e"><failure/></testcase></testsuite>'.encode())
    assert found.failing == ("a b",)


def test_other_encodings_are_read() -> None:
    text = '<?xml version="1.0" encoding="{}"?><testsuite><testcase name="ü"><failure/></testcase></testsuite>'
    for encoding in ("utf-16", "iso-8859-1"):
        assert parse(text.format(encoding).encode(encoding)).failing == ("ü",)


BOMB = '<!DOCTYPE testsuite [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><testsuite name="&b;"/>'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (BOMB.encode(), "it declares a document type"),
        (f'<?xml version="1.0" encoding="utf-16"?>{BOMB}'.encode("utf-16"), "it declares a document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>', "it declares a document type"),
        (b"<html><body/></html>", "its root is <html>, not one of testsuites, testsuite"),
        (b"", "no element found"),
        (b"<testsuite>", "no element found"),
        (b"not XML", "syntax error"),
        (b'<testsuite name="&unknown;"/>', "undefined entity"),
        (b'<?xml version="1.0" encoding="nonsense"?><testsuite/>', "unknown encoding"),
        (b"<testsuite>\xff</testsuite>", "not well-formed"),
    ],
)
def test_what_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        parse(content)
    path = tmp_path / "report.xml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}: not JUnit XML: {told}")
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(PYTEST)
    assert read(path).failed == 2


def test_a_file_that_is_absent_or_a_folder_or_too_large_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"absent\.xml: cannot be read: No such file"):
        read(tmp_path / "absent.xml")
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read(tmp_path)
    monkeypatch.setattr(junit, "LIMIT", 1 << 20)
    (tmp_path / "large.xml").write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(UsageError, match=r"large\.xml: larger than 1 MiB"):
        read(tmp_path / "large.xml")


@pytest.mark.parametrize("depth", [101, 50_000])
def test_nesting_that_no_runner_writes_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="nested more than 100 levels deep"):
        parse(b"<testsuite>" * depth + b"</testsuite>" * depth)
