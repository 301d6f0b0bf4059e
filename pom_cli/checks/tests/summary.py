"""Pure: the output of a test command → how many passed and failed, and which. By line, so that no output is too long.

Knows pytest, cargo test, go test and jest; what several of them tell in one run is added up.
"""

import re
from collections.abc import Iterable, Sequence

from pom_cli.frozen import dataclass

# ECMA-48: CSI sequences such as colours, OSC strings such as titles and links, and the two-character ones.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])|\x9b[0-?]*[ -/]*[@-~]"
)

_PYTEST_COUNT = re.compile(r"(\d+) ([a-z]+)")
_PYTEST = re.compile(
    r"=*\s*((?:\d{1,9} (?:failed|passed|skipped|deselected|xfailed|xpassed|warnings?|errors?|rerun|subtests \w+)"
    r"(?:, )?)+) in \d[\d.]*s\b.*"
)
# The name ends before " - message"; a parameter in brackets may hold that, too.
_PYTEST_NAME = re.compile(r"(?:FAILED|ERROR) ((?=\S*(?:::|\.py\b))[^\[]+?(?:\[.*?\])?)(?: - .*)?")
_CARGO = re.compile(r"test result: \S+ (\d{1,9}) passed; (\d{1,9}) failed;.*")
_CARGO_NAMES = (
    re.compile(r"test (.+?)(?: - should panic)? \.\.\. FAILED"),
    re.compile(r"---- (.+?)(?: - should panic)? stdout ----"),  # where the first was torn by the test's own output
)
_GO_TEST = re.compile(r"\s*--- (PASS|FAIL): (\S+) \(\d[\d.]*s\)")
_GO_PACKAGE = re.compile(r"(ok|FAIL)\s*\t(\S+)(?:\t\(?\d[\d.]*s\)?|\t\(cached\)| \[[\w ]+\])[^\n]*")
_JEST = re.compile(r"Tests:\s+((?:\d{1,9} \w+, )*)\d+ total")
_JEST_FILE = re.compile(r"\s*(PASS|FAIL) +(\S.*?)(?: \(\d[\d.]* m?s\))?")
_JEST_NAME = re.compile(r"\s{1,4}● (.+)")
_JEST_SUITE = "Test suite failed to run"

_TELLING = (_PYTEST, _PYTEST_NAME, _CARGO, *_CARGO_NAMES, _GO_TEST, _GO_PACKAGE, _JEST, _JEST_FILE, _JEST_NAME)


@dataclass(frozen=True)
class Summary:
    """What the runners told. None: none of them told a number."""

    passed: int | None = None
    failed: int | None = None
    failing: tuple[str, ...] = ()
    mended: bool = False  # what failed had another try, for the last word of each runner tells of no failure


def plain(line: str) -> str:
    """A line without colours and whatever else a terminal obeys."""
    return _ESCAPES.sub("", line) if "\x1b" in line or "\x9b" in line else line


def telling(line: str) -> bool:
    """May this line of output, without its escapes, mean something to `parse`?"""
    return any(pattern.fullmatch(line) for pattern in _TELLING)


def parse(lines: Iterable[str]) -> Summary:
    """What the telling lines of an output add up to."""
    kept = [line for raw in lines if telling(line := plain(raw).rstrip())]
    found = [one for runner in (_pytest, _cargo, _go, _jest) if (one := runner(kept))]
    if not found:
        return Summary()
    names = dict.fromkeys(name for one in found for name in one.failing)
    passed, failed = sum(one.passed or 0 for one in found), sum(one.failed or 0 for one in found)
    return Summary(passed, failed, tuple(names), failed > 0 and all(one.mended or not one.failed for one in found))


def _pytest(lines: Sequence[str]) -> Summary | None:
    """https://docs.pytest.org/en/stable/how-to/output.html. An error outside a test counts as a failure."""
    totals = [dict(_counts(match[1])) for line in lines if (match := _PYTEST.fullmatch(line))]
    if not totals:
        return None
    names = (match[1] for line in lines if (match := _PYTEST_NAME.fullmatch(line)))
    failed = [sum(one.get(word, 0) for word in ("failed", "error", "errors")) for one in totals]
    passed = sum(one.get("passed", 0) for one in totals)
    return Summary(passed, sum(failed), tuple(dict.fromkeys(names)), not failed[-1])


def _counts(text: str) -> Iterable[tuple[str, int]]:
    return ((word, int(number)) for number, word in _PYTEST_COUNT.findall(text))


def _cargo(lines: Sequence[str]) -> Summary | None:
    """https://doc.rust-lang.org/book/ch11-01-writing-tests.html. Each test binary tells its own result."""
    results = [match for line in lines if (match := _CARGO.fullmatch(line))]
    if not results:
        return None
    names = (match[1] for line in lines for form in _CARGO_NAMES if (match := form.fullmatch(line)))
    failed = [int(one[2]) for one in results]
    return Summary(sum(int(one[1]) for one in results), sum(failed), tuple(dict.fromkeys(names)), not failed[-1])


def _go(lines: Sequence[str]) -> Summary | None:
    """https://pkg.go.dev/cmd/go#hdr-Test_packages. Without -v only packages are told to pass: then these are counted.

    Of a test and its subtests the subtests count. A package that fails without a failing test (it does not build, it
    panics) counts as one that fails, by its own name.
    """
    passed: list[str] = []
    failing: list[str] = []
    told: list[str] = []  # failing tests since the last package's end
    last: dict[str, str] = {}  # what was last told of each test
    packages = 0  # that pass
    for line in lines:
        if test := _GO_TEST.fullmatch(line):
            (passed if test[1] == "PASS" else told).append(test[2])
            last[test[2]] = test[1]
        elif package := _GO_PACKAGE.fullmatch(line):
            packages += package[1] == "ok"
            failing += _leaves(told) if told or package[1] == "ok" else [package[2]]
            told = []
    failing += _leaves(told)
    if not (passed or failing or packages):
        return None
    mended = all(last.get(name) == "PASS" for name in failing)
    return Summary(len(_leaves(passed)) or packages, len(failing), tuple(dict.fromkeys(failing)), mended)


def _leaves(names: Sequence[str]) -> list[str]:
    """The tests that have no subtest among these."""
    parents = {name.rpartition("/")[0] for name in names}
    return [name for name in names if name not in parents]


def _jest(lines: Sequence[str]) -> Summary | None:
    """https://jestjs.io/docs/cli. A test file that does not run at all is a failure by its own name."""
    totals = [dict(_counts(match[1])) for line in lines if (match := _JEST.fullmatch(line))]
    if not totals:
        return None
    file, names, broken = "", [], []
    for line in lines:
        if bullet := _JEST_NAME.fullmatch(line):
            if file and bullet[1] == _JEST_SUITE:
                broken.append(file)
            elif file and bullet[1] != "Console":
                names.append(bullet[1])
        elif of_file := _JEST_FILE.fullmatch(line):
            file = of_file[2] if of_file[1] == "FAIL" else ""
    failed = [one.get("failed", 0) for one in totals]
    passed, names = sum(one.get("passed", 0) for one in totals), list(dict.fromkeys(names + broken))
    return Summary(passed, sum(failed) + len(set(broken)), tuple(names), not failed[-1] and not broken)
