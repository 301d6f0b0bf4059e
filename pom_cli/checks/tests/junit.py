"""A JUnit XML file, as pytest, cargo nextest, jest-junit and Surefire write it → what passed and what failed."""

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


def parse(content: bytes) -> Summary:
    """The testcases of every suite, nested ones too; skipped ones count as neither. Raises ValueError."""
    ended: list[list[str]] = []  # name and outcome of each testcase, and of each error outside of them
    path: list[str] = []  # the open tags
    suite = ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal suite
        if not path and tag not in _SUITES:
            raise ValueError(f"its root is <{tag}>, not one of {', '.join(_SUITES)}")
        if tag == "testcase":
            ended.append([_name(attributes), "passed"])
        elif tag in (*_BAD, "skipped") and path[-1] == "testcase" and ended[-1][1] not in _BAD:
            ended[-1][1] = tag
        elif tag in _BAD and path[-1] in _SUITES:
            ended.append([suite, tag])
        elif tag in _SUITES:
            suite = _name(attributes)
        path.append(tag)

    def end(_tag: str) -> None:
        path.pop()

    read_xml(content, start, end)
    failing = [name for name, outcome in ended if outcome in _BAD]
    passed = sum(outcome == "passed" for _, outcome in ended)
    return Summary(passed, len(failing), tuple(dict.fromkeys(failing)))


def _name(attributes: dict[str, str]) -> str:
    """`class.name`, the name alone where that is all there is."""
    parts = (attributes.get("classname", ""), attributes.get("name", ""))
    return clean(".".join(part for part in parts if part)) or "(no name)"
