"""What each test runner writes: pytest, unittest, cargo test, cargo nextest, go test, jest, vitest and node:test.

A runner is a function from the telling lines to a Tally. A session is one run of it; several may be in one output.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class Event(NamedTuple):
    """One test in one session. `place` tells tests of one name apart: a folder, a binary, a package."""

    session: int
    place: str
    name: str
    mark: str = ""  # how it failed; "" where it passed


class Tally(NamedTuple):
    """How many passed, how many failed in each session, and the tests that are known by name."""

    passed: int
    failed: Sequence[int]
    events: Sequence[Event]


_NUMBER = r"\d{1,9}"
_COUNT = re.compile(rf"({_NUMBER}) ([a-z]+)")

_PYTEST = re.compile(
    rf"=*\s*(no tests ran|(?:{_NUMBER} (?:failed|passed|skipped|deselected|xfailed|xpassed|warnings?|errors?|rerun"
    r"|subtests \w+)(?:, )?)+) in \d[\d.]*s\b.*"
)
_PYTEST_ROOT = re.compile(r"rootdir: (\S.*)")
_NODE_ID = r"((?=\S*(?:::|\.py\b))[^\[]+?(?:\[.*?\])?)"
# The name ends before " - message"; a parameter in brackets may hold that, too. pytest 9 adds which subtest it was.
_PYTEST_NAME = re.compile(rf"(PASSED|FAILED|ERROR|SUBFAIL(?:ED)?)((?:\[.*?\])?(?: ?\(.*?\))?) {_NODE_ID}(?: - .*)?")
_PYTEST_VERBOSE = re.compile(rf"{_NODE_ID} (PASSED|FAILED|ERROR)(?: +\[ *\d+%\])?")

_UNITTEST_RAN = re.compile(rf"Ran ({_NUMBER}) tests? in \d[\d.]*s")
_UNITTEST = re.compile(rf"(?:OK|FAILED|NO TESTS RAN)(?: \(((?:[a-z ]+={_NUMBER}(?:, )?)+)\))?")
_UNITTEST_COUNT = re.compile(rf"([a-z ]+)=({_NUMBER})")
_UNITTEST_NAME = re.compile(r"(FAIL|ERROR|UNEXPECTED SUCCESS): (\w+) \(([\w.]+)\)(.*)")
_UNITTEST_OK = re.compile(r"(\w+) \(([\w.]+)\) \.\.\. ok")

_CARGO = re.compile(rf"test result: \S+ ({_NUMBER}) passed; ({_NUMBER}) failed;.*")
_CARGO_BINARY = re.compile(r"\s+(?:Running|Doc-tests) (\S.*)")
_CARGO_NAME = re.compile(r"test (.+?)(?: - should panic)? \.\.\. (ok|FAILED)")
_CARGO_OUTPUT = re.compile(r"---- (.+?)(?: - should panic)? stdout ----")  # where the first was torn by a test's output

_NEXTEST = re.compile(rf"\s*Summary \[ *[\d.]+s\] +(?:\d+/)?({_NUMBER}) tests? run: (.*)")
_NEXTEST_COUNT = re.compile(rf"({_NUMBER}) (passed|(?:\w+ )*failed|timed out)")
_NEXTEST_START = re.compile(r"\s*Starting \d+ tests? .*")
_NEXTEST_NAME = re.compile(
    r"\s*(?:TRY \d+ )?(PASS|LEAK|FAIL|TIMEOUT|ABORT|SIG[A-Z]+|XFAIL) \[ *>?[\d.]+s\] (?:\( *\d+/\d+\) )?(\S.*)"
)

_GO_TEST = re.compile(r"\s*--- (PASS|FAIL): (\S+) \(\d[\d.]*s\)")
_GO_PACKAGE = re.compile(r"(ok|FAIL)\s*\t(\S+)(?:\t\(?\d[\d.]*s\)?|\t\(cached\)| \[[\w ]+\])[^\n]*")

_JEST = re.compile(rf"Tests:\s+((?:{_NUMBER} \w+, )*)\d+ total|No tests found, exiting with code 0")
_JEST_FILE = re.compile(r"\s*(PASS|FAIL) +(\S.*?)(?: \(\d[\d.]* m?s\))?")
_JEST_NAME = re.compile(r"\s{1,4}● (.+)")
_JEST_SUITE = "Test suite failed to run"

_VITEST = re.compile(
    rf"\s*Tests  (no tests|{_NUMBER} \w+(?: \| {_NUMBER} \w+)*)(?: \(\d+\))?|No test files found, exiting with code 0"
)
_VITEST_ROOT = re.compile(r"\s*RUN  v\S+ (\S.*)")
_VITEST_FAIL = re.compile(r"\s*FAIL  (\S.*?)(?: \[ .* \])?")
_VITEST_OK = re.compile(r"\s*✓ (\S+ > .+?)(?: \d[\d.]*m?s)?")

_NODE = re.compile(rf"[#ℹ] (tests|pass|fail|cancelled) ({_NUMBER})")
_NODE_TAP = re.compile(r"( *)not ok \d+ - (.+?)(?: *# (TODO|SKIP)\b.*)?")
_NODE_LIST = re.compile(r"✖ failing tests:")
_NODE_SPEC = re.compile(r"✖ (.+?) \(\d[\d.]*ms\)")

TELLING = tuple(value for value in list(globals().values()) if isinstance(value, re.Pattern) and value is not _COUNT)


def _pytest(lines: Sequence[str]) -> Tally | None:
    """https://docs.pytest.org/en/stable/how-to/output.html. An error outside a test counts as a failure."""
    totals: list[dict[str, int]] = []
    events, place = list[Event](), ""
    for line in lines:
        if match := _PYTEST.fullmatch(line):
            totals.append(_counts(match[1]))
            place = ""
        elif match := _PYTEST_ROOT.fullmatch(line):
            place = match[1]
        elif match := _PYTEST_NAME.fullmatch(line):
            events.append(_pytest_event(len(totals), place, f"{match[3]} {match[2].strip()}".strip(), match[1]))
        elif match := _PYTEST_VERBOSE.fullmatch(line):
            events.append(_pytest_event(len(totals), place, match[1], match[2]))
    failed = [sum(total.get(word, 0) for word in ("failed", "error", "errors")) for total in totals]
    return Tally(sum(total.get("passed", 0) for total in totals), failed, events) if totals else None


def _pytest_event(session: int, place: str, name: str, word: str) -> Event:
    return Event(session, place, name, "" if word == "PASSED" else word)


def _counts(text: str) -> dict[str, int]:
    return {word: int(number) for number, word in _COUNT.findall(text)}


def _unittest(lines: Sequence[str]) -> Tally | None:
    """https://docs.python.org/3/library/unittest.html; Django's too."""
    passed, failed = 0, list[int]()
    events, ran = list[Event](), -1
    for line in lines:
        if match := _UNITTEST_RAN.fullmatch(line):
            ran = int(match[1])
        elif ran >= 0 and (match := _UNITTEST.fullmatch(line)):
            counts = {word.strip(): int(number) for word, number in _UNITTEST_COUNT.findall(match[1] or "")}
            bad = sum(counts.get(word, 0) for word in ("failures", "errors", "unexpected successes"))
            passed += max(0, ran - bad - counts.get("skipped", 0))
            failed.append(bad)
            ran = -1
        elif match := _UNITTEST_NAME.fullmatch(line):
            events.append(Event(len(failed), "", _dotted(match[2], match[3]) + match[4], match[1]))
        elif match := _UNITTEST_OK.fullmatch(line):
            events.append(Event(len(failed), "", _dotted(match[1], match[2])))
    return Tally(passed, failed, events) if failed else None


def _dotted(name: str, where: str) -> str:
    """`test_a (shop.Cart)`, and from Python 3.11 on `test_a (shop.Cart.test_a)`."""
    return where if where.endswith(f".{name}") else f"{where}.{name}"


def _cargo(lines: Sequence[str]) -> Tally | None:
    """https://doc.rust-lang.org/book/ch11-01-writing-tests.html. Each test binary has its own result.

    Names such as `tests::it_works` are in many binaries, so a test is the same only where cargo named the binary,
    and just one since the result before: its line comes by standard error, which a pipe may overtake.
    """
    results: list[tuple[int, int]] = []
    events, binaries = list[Event](), list[str]()
    for line in lines:
        place = binaries[0] if len(binaries) == 1 else f"binary {len(results)}"
        if match := _CARGO.fullmatch(line):
            results.append((int(match[1]), int(match[2])))
            binaries = []
        elif match := _CARGO_BINARY.fullmatch(line):
            binaries.append(match[1])
        elif match := _CARGO_NAME.fullmatch(line):
            events.append(Event(len(results), place, match[1], "" if match[2] == "ok" else "FAILED"))
        elif match := _CARGO_OUTPUT.fullmatch(line):
            events.append(Event(len(results), place, match[1], "FAILED"))
    return Tally(sum(one for one, _ in results), [two for _, two in results], events) if results else None


def _nextest(lines: Sequence[str]) -> Tally | None:
    """https://nexte.st/docs/reporting/. It tries a test again by itself; after its summary it lists failures again."""
    passed, failed, over = 0, list[int](), False
    events, last = list[Event](), dict[str, str]()
    for line in lines:
        if match := _NEXTEST.fullmatch(line):
            counts = [(int(number), word) for number, word in _NEXTEST_COUNT.findall(match[2])]
            passed += sum(number for number, word in counts if word == "passed")
            events += [Event(len(failed), "", name, mark) for name, mark in last.items()]
            failed.append(sum(number for number, word in counts if word != "passed"))
            over, last = True, {}
        elif _NEXTEST_START.fullmatch(line):
            over = False
        elif not over and (match := _NEXTEST_NAME.fullmatch(line)):
            last[match[2]] = "" if match[1] in ("PASS", "LEAK") else match[1]
    return Tally(passed, failed, events) if failed else None


def _go(lines: Sequence[str]) -> Tally | None:
    """https://pkg.go.dev/cmd/go#hdr-Test_packages. Without -v only packages are reported to pass: these are counted.

    Of a test and its subtests the subtests count. A package that fails without a failing test (it does not build, it
    panics) counts as one that fails, by its own name.
    """
    events, passed = list[Event](), list[str]()
    failing: list[str] = []  # since the last package's end
    known: list[str] = []
    packages, sessions = 0, 0
    for line in lines:
        if test := _GO_TEST.fullmatch(line):
            (known if test[1] == "PASS" else failing).append(test[2])
        elif package := _GO_PACKAGE.fullmatch(line):
            good = package[1] == "ok"
            packages += good and "[no tests to run]" not in line
            events += _go_events(sessions, package[2], known, failing or ([] if good else [package[2]]))
            events += [Event(sessions, package[2], package[2])] if good else []
            passed, known, failing, sessions = passed + known, [], [], sessions + 1
    events += _go_events(sessions, "", known, failing)
    if not (sessions or events):
        return None
    failed = [sum(event.session == number and bool(event.mark) for event in events) for number in range(sessions + 1)]
    return Tally(len(_leaves(passed + known)) or packages, failed, events)


def _go_events(session: int, package: str, passed: list[str], failing: list[str]) -> Iterator[Event]:
    yield from (Event(session, package, name) for name in passed)
    yield from (Event(session, package, name, "FAIL") for name in dict.fromkeys(_leaves(failing)))


def _leaves(names: Sequence[str]) -> list[str]:
    """The tests that have no subtest among these."""
    parents = {name.rpartition("/")[0] for name in names}
    return [name for name in names if name not in parents]


def _jest(lines: Sequence[str]) -> Tally | None:
    """https://jestjs.io/docs/cli. A test file that does not run at all is a failure by its own name."""
    totals: list[dict[str, int]] = []
    events, file = list[Event](), ""
    for line in lines:
        if match := _JEST.fullmatch(line):
            totals.append(_counts(match[1] or ""))
        elif bullet := _JEST_NAME.fullmatch(line):
            if file and bullet[1] != "Console":
                broken = bullet[1] == _JEST_SUITE
                events.append(Event(len(totals), file, file if broken else bullet[1], "suite" if broken else "FAIL"))
        elif match := _JEST_FILE.fullmatch(line):
            file = match[2] if match[1] == "FAIL" else ""
    return _with_suites(totals, events)


def _vitest(lines: Sequence[str]) -> Tally | None:
    """https://vitest.dev/guide/reporters. A test file that does not run at all is a failure by its own name."""
    totals: list[dict[str, int]] = []
    events, place = list[Event](), ""
    for line in lines:
        if match := _VITEST.fullmatch(line):
            totals.append(_counts(match[1] or ""))
        elif match := _VITEST_ROOT.fullmatch(line):
            place = match[1]
        elif match := _VITEST_FAIL.fullmatch(line):
            events.append(Event(len(totals), place, match[1], "FAIL" if " > " in match[1] else "suite"))
        elif match := _VITEST_OK.fullmatch(line):
            events.append(Event(len(totals), place, match[1]))
    return _with_suites(totals, events)


def _with_suites(totals: list[dict[str, int]], events: list[Event]) -> Tally | None:
    """The totals are of tests alone: a file that does not run is added to the session's failures."""
    broken = Counter(event.session for event in set(events) if event.mark == "suite")
    failed = [total.get("failed", 0) + broken[number] for number, total in enumerate(totals)]
    return Tally(sum(total.get("passed", 0) for total in totals), failed, events) if totals else None


def _node(lines: Sequence[str]) -> Tally | None:
    """https://nodejs.org/api/test.html, in the forms `spec` and `tap`, which tape and others write too."""
    totals: list[dict[str, int]] = []
    events, listed = list[Event](), False
    inner: list[tuple[int, str]] = []  # failing tests whose parent has not ended yet, with their indentation
    for line in lines:
        if match := _NODE.fullmatch(line):
            if match[1] == "tests":
                totals.append({})
            if totals:
                totals[-1][match[1]] = int(match[2])
            listed = False
        elif _NODE_LIST.fullmatch(line):
            listed = True
        elif listed and (match := _NODE_SPEC.fullmatch(line)):
            events.append(Event(len(totals) - 1, "", match[1], "fail"))
        elif (match := _NODE_TAP.fullmatch(line)) and not match[3]:
            depth, mine = len(match[1]), f"{match[2]} > "
            below = [(depth, mine + name) for size, name in inner if size > depth]
            inner = [one for one in inner if one[0] <= depth] + (below or [(depth, match[2])])
    events += [Event(0, "", name, "fail") for _, name in inner]
    failed = [total.get("fail", 0) + total.get("cancelled", 0) for total in totals]
    return Tally(sum(total.get("pass", 0) for total in totals), failed, events) if totals else None


RUNNERS: tuple[Callable[[Sequence[str]], Tally | None], ...] = (
    _pytest, _unittest, _cargo, _nextest, _go, _jest, _vitest, _node,
)  # fmt: skip
