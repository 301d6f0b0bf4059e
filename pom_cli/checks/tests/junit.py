"""A JUnit XML file, as pytest, cargo nextest, jest-junit and Surefire write it → what passed and what failed."""

from dataclasses import dataclass
from pathlib import Path

from pom_cli.checks.tests.summary import Summary
from pom_cli.errors import UsageError
from pom_cli.outside import read_xml
from pom_cli.text import clean

LIMIT = 10 << 20  # bytes of a file
_SUITES = ("testsuites", "testsuite")
_BAD = ("failure", "error")


def read(path: Path) -> Summary:
    """What the file tells. Raises UsageError where it cannot be read, is too large, or is no JUnit XML."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise UsageError(f"{clean(str(path))}: cannot be read: {error.strerror or error}") from None
    if len(content) > LIMIT:
        raise UsageError(f"{clean(str(path))}: larger than {LIMIT >> 20} MiB")
    try:
        return parse(content)
    except ValueError as error:
        raise UsageError(f"{clean(str(path))}: not JUnit XML: {clean(str(error))}") from None


@dataclass
class _Suite:
    """One open suite: what its cases showed, and what its own attributes say."""

    name: str
    said: int  # failures and errors
    tests: int
    skipped: int
    passed: int = 0
    failed: int = 0


def parse(content: bytes) -> Summary:
    """The testcases of every suite, nested ones too; skipped ones count as neither. Raises ValueError.

    A suite that says of itself that more failed than its cases show is believed.
    """
    path: list[str] = []  # the open tags
    suites = [_Suite("", 0, 0, 0)]  # the open ones, in the whole file
    failing: dict[str, None] = {}
    case = ["", ""]  # name and outcome of the open testcase

    def start(tag: str, attributes: dict[str, str]) -> None:
        if not path and tag not in _SUITES:
            raise ValueError(f"its root is <{tag}>, not one of {', '.join(_SUITES)}")
        if tag == "testcase":
            case[:] = [_name(attributes), "passed"]
        elif tag in (*_BAD, "skipped") and path[-1] == "testcase" and case[1] not in _BAD:
            case[1] = tag
        elif tag in _BAD and path[-1] in _SUITES:
            failing[suites[-1].name] = None
            suites[-1].failed += 1
        elif tag in _SUITES:
            said = _number(attributes, "failures") + _number(attributes, "errors")
            suites.append(_Suite(_name(attributes), said, _number(attributes, "tests"), _number(attributes, "skipped")))
        path.append(tag)

    def end(tag: str) -> None:
        path.pop()
        if tag == "testcase":
            suites[-1].passed += case[1] == "passed"
            if case[1] in _BAD:
                suites[-1].failed += 1
                failing[case[0]] = None
        elif tag in _SUITES:
            _close(suites.pop(), suites[-1])

    read_xml(content, start, end)
    return Summary(suites[0].passed, suites[0].failed, tuple(failing))


def _close(suite: _Suite, outer: _Suite) -> None:
    failed = max(suite.failed, suite.said)
    bare = not (suite.passed or suite.failed)  # a report of numbers alone
    outer.passed += max(0, suite.tests - suite.skipped - failed) if bare else suite.passed
    outer.failed += failed


def _number(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "").strip()
    return int(text[:9]) if text.isascii() and text.isdigit() else 0


def _name(attributes: dict[str, str]) -> str:
    """`class.name`, the name alone where that is all there is."""
    parts = (attributes.get("classname", ""), attributes.get("name", ""))
    return clean(".".join(part for part in parts if part)) or "(no name)"
