"""What runners' outputs add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pom_cli.checks.tests.summary import Summary, parse, plain, telling

PYTEST = """\
============================= test session starts ==============================
collected 43 items

tests/test_cart.py ..F.E                                                 [100%]

=================================== FAILURES ===================================
_________________________________ test_total ___________________________________
    def test_total():
>       assert total() == 2
E       assert 1 == 2
------------------------------ Captured log call -------------------------------
ERROR    root:cart.py:12 boom
FAILED to connect - to the database
=========================== short test summary info ============================
FAILED tests/test_cart.py::test_total - assert 1 == 2
FAILED tests/test_cart.py::TestTax::test_rate[de - vat] - assert [1] == [2]
FAILED tests/test_cart.py::test_quiet
ERROR tests/test_cart.py::test_login - RuntimeError: no database
ERROR tests/test_broken.py - ImportError: no module named 'x'
= 3 failed, 38 passed, 1 skipped, 1 xfailed, 2 warnings, 2 errors in 12.34s (0:00:12) =
"""

CARGO = """\
running 3 tests
test cart::adds ... ok
test cart::total ... FAILED
test cart::refuses - should panic ... FAILED
test torn ... some output of the test's own

failures:

---- cart::total stdout ----
thread 'cart::total' panicked at src/cart.rs:9:5:
assertion `left == right` failed

---- torn stdout ----

failures:
    cart::total

test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

     Running tests/api.rs (target/debug/deps/api-0123)
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

   Doc-tests shop
test src/lib.rs - add (line 5) ... FAILED
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.31s
"""

GO = """\
ok  \texample.com/shop/cart\t0.012s
ok  \texample.com/shop/tax\t(cached)\tcoverage: 80.0% of statements
?   \texample.com/shop/cmd\t[no test files]
--- FAIL: TestOrder (0.00s)
    --- FAIL: TestOrder/empty (0.00s)
        order_test.go:12: got 1, want 2
    --- FAIL: TestOrder/full (0.00s)
--- FAIL: TestShip (1.20s)
FAIL
FAIL\texample.com/shop/order\t1.234s
# example.com/shop/mail
mail/mail.go:3:1: syntax error
FAIL\texample.com/shop/mail [build failed]
FAIL
"""

GO_VERBOSE = """\
=== RUN   TestAdd
--- PASS: TestAdd (0.00s)
=== RUN   TestMany
=== RUN   TestMany/one
--- FAIL: TestMany (0.00s)
    --- PASS: TestMany/one (0.00s)
    --- FAIL: TestMany/two (0.00s)
FAIL
FAIL\texample.com/shop\t0.005s
"""

JEST = """\
PASS src/tax.test.js
  ● Console

    console.log
      hello
FAIL src/cart.test.js (5.123 s)
  cart
    ✓ adds (2 ms)
    ✕ totals (3 ms)

  ● cart › totals

    expect(received).toBe(expected)

  ● works on the top level

FAIL src/broken.test.js
  ● Test suite failed to run

    SyntaxError: Unexpected token

Summary of all failing tests
FAIL src/cart.test.js
  ● cart › totals

Test Suites: 2 failed, 1 passed, 3 total
Tests:       2 failed, 1 skipped, 12 passed, 15 total
Snapshots:   0 total
Time:        6.1 s
"""


SUBTESTS = """\
tests/test_tax.py .u.F
SUBFAILED[de - vat] (rate=19) tests/test_tax.py::test_rates - assert 1 == 2
SUBFAILED(<subtest>) tests/test_tax.py::test_plain - assert 0
SUBFAILED(i=1) tests/test_tax.py::T::test_unit - AssertionError: 1 != 0
FAILED tests/test_tax.py::test_rates - contains 1 failed subtest
========================= 4 failed, 1 passed, 3 subtests passed in 0.14s =========================
"""

UNITTEST = """\
test_good (shop.test_cart.Cart.test_good) ... ok
test_later (shop.test_cart.Cart.test_later) ... skipped 'no'

======================================================================
ERROR: setUpClass (shop.test_mail.Mail)
----------------------------------------------------------------------
FAIL: test_rates (shop.test_cart.Cart.test_rates) (rate=19)
FAIL: test_old (shop.test_cart.Cart)
UNEXPECTED SUCCESS: test_xf (shop.test_cart.Cart.test_xf)
----------------------------------------------------------------------
Ran 6 tests in 0.014s

FAILED (failures=2, errors=1, skipped=1, unexpected successes=1)
"""

NEXTEST = """\
    Starting 4 tests across 2 binaries
        PASS [   0.005s] shop cart::adds
  TRY 1 FAIL [   0.005s] shop cart::flaky
  TRY 2 PASS [   0.005s] shop cart::flaky
        FAIL [   0.006s] (3/4) shop::api orders::total
     TIMEOUT [  60.006s] shop::api slow
------------
     Summary [  60.010s] 4 tests run: 2 passed (1 flaky), 1 failed, 1 timed out, 0 skipped
        FAIL [   0.006s] (3/4) shop::api orders::total
     TIMEOUT [  60.006s] shop::api slow
error: test run failed
"""

VITEST = """\
 RUN  v3.1.1 /home/max/shop

 ✓ src/tax.test.ts (2 tests) 3ms
 ❯ src/cart.test.ts (3 tests | 1 failed) 12ms
   × cart > totals 5ms

 FAIL  src/broken.test.ts [ src/broken.test.ts ]
Error: Failed to resolve import
 FAIL  src/cart.test.ts > cart > totals
AssertionError: expected 1 to be 2

 Test Files  2 failed | 1 passed (3)
      Tests  1 failed | 4 passed (5)
"""

NODE_TAP = """\
TAP version 13
# Subtest: good
ok 1 - good
# Subtest: cart
    # Subtest: adds
    ok 1 - adds
    # Subtest: totals
    not ok 2 - totals
    not ok 3 - later # TODO
    1..3
not ok 2 - cart
not ok 3 - alone
# tests 5
# suites 1
# pass 2
# fail 2
# cancelled 1
"""

NODE_SPEC = """\
▶ cart
  ✔ adds (0.3ms)
  ✖ totals (0.3ms)
✖ cart (1.3ms)
ℹ tests 3
ℹ pass 1
ℹ fail 1
ℹ cancelled 0

✖ failing tests:

test at cart.test.mjs:2:26
✖ totals (0.3ms)
  AssertionError [ERR_ASSERTION]: 1 == 2
"""

CARGO_RESULT = "test result: x. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"


@pytest.mark.parametrize(
    ("output", "passed", "failed", "failing"),
    [
        (
            PYTEST, 38, 5,
            (
                "tests/test_cart.py::test_total", "tests/test_cart.py::TestTax::test_rate[de - vat]",
                "tests/test_cart.py::test_quiet", "tests/test_cart.py::test_login", "tests/test_broken.py",
            ),
        ),
        (CARGO, 13, 4, ("cart::total", "cart::refuses", "torn", "src/lib.rs - add (line 5)")),
        (GO, 2, 4, ("TestOrder/empty", "TestOrder/full", "TestShip", "example.com/shop/mail")),
        (GO_VERBOSE, 2, 1, ("TestMany/two",)),
        (JEST, 12, 3, ("cart › totals", "works on the top level", "src/broken.test.js")),
        (
            SUBTESTS, 1, 4,
            (
                "tests/test_tax.py::test_rates [de - vat] (rate=19)", "tests/test_tax.py::test_plain (<subtest>)",
                "tests/test_tax.py::T::test_unit (i=1)", "tests/test_tax.py::test_rates",
            ),
        ),
        (
            UNITTEST, 1, 4,
            (
                "shop.test_mail.Mail.setUpClass", "shop.test_cart.Cart.test_rates (rate=19)",
                "shop.test_cart.Cart.test_old", "shop.test_cart.Cart.test_xf",
            ),
        ),
        (NEXTEST, 2, 2, ("shop::api orders::total", "shop::api slow")),
        (VITEST, 4, 2, ("src/broken.test.ts", "src/cart.test.ts > cart > totals")),
        (NODE_TAP, 2, 3, ("cart > totals", "alone")),
        (NODE_SPEC, 1, 1, ("totals",)),
    ],
    ids=["pytest", "cargo", "go", "go -v", "jest", "subtests", "unittest", "nextest", "vitest", "tap", "spec"],
)  # fmt: skip
def test_each_runner_tells_how_many_and_which(output: str, passed: int, failed: int, failing: tuple[str, ...]) -> None:
    found = parse(output.splitlines())
    assert (found.passed, found.failed) == (passed, failed)
    assert sorted(found.failing) == sorted(failing)


@pytest.mark.parametrize(
    ("line", "passed", "failed"),
    [
        ("== 3 failed, 40 passed in 1.2s ==", 40, 3),
        ("43 passed in 0.05s", 43, 0),
        ("1 failed in 0.05s", 0, 1),
        ("======= 40 passed, 3 rerun, 5 subtests passed in 61.20s (0:01:01) =======", 40, 0),
        ("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.00s", 3, 0),
        ("ok  \texample.com/shop\t0.3s", 1, 0),
        ("ok  \texample.com/shop\t0.3s [no tests to run]", 0, 0),
        ("FAIL\texample.com/shop [setup failed]", 0, 1),
        ("Tests:       12 passed, 12 total", 12, 0),
        ("Tests:       0 total", 0, 0),
        ("No tests found, exiting with code 0", 0, 0),
        ("no tests ran in 0.01s", 0, 0),
        ("      Tests  no tests", 0, 0),
        ("      Tests  1 failed | 3 passed | 2 skipped (6)", 3, 1),
        ("No test files found, exiting with code 0", 0, 0),
        ("     Summary [   0.010s] 3 tests run: 2 passed (1 flaky), 1 timed out, 4 skipped", 2, 1),
        ("     Summary [   0.010s] 2/3 tests run: 1 passed, 1 failed, 4 skipped", 1, 1),
    ],
)
def test_a_last_line_alone_is_enough(line: str, passed: int, failed: int) -> None:
    found = parse([line])
    assert (found.passed, found.failed) == (passed, failed)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "all 3 tests passed",
        "we passed in 3 days",
        "FAILED (failures=1)",
        "Tests: 5, Assertions: 10, Failures: 1.",
        "ok 1 - a TAP line",
        "FAIL",
        "PASS",
        f"{'9' * 5000} passed in 0.1s",
        "FAILED tests/test_a.py::test_b - without a count",
        "make: *** [Makefile:3: test] Error 2",
    ],
)
def test_what_no_known_runner_says_tells_nothing(output: str) -> None:
    assert parse(output.splitlines()) == Summary()


CARGO_RUN = "     Running {} (target/debug/deps/{})\nrunning 1 test\ntest works ... {}\n\n{}"


def cargo(binary: str, good: bool) -> str:
    result = CARGO_RESULT.format(int(good), int(not good))
    return CARGO_RUN.format("unittests src/lib.rs", binary, "ok" if good else "FAILED", result)


@pytest.mark.parametrize(
    ("output", "failed"),
    [
        # No later summary takes a failure back.
        ("1 failed, 2 passed in 0.1s\n1 passed in 0.1s", 1),
        ("FAILED a.py::x - no\n1 failed, 2 passed in 0.1s\n3 passed in 0.1s", 1),
        (f"{CARGO_RESULT.format(2, 1)}\n   Doc-tests shop\n{CARGO_RESULT.format(1, 0)}", 1),
        ("Tests:       1 failed, 4 passed, 5 total\nTests:       1 passed, 1 total", 1),
        ("FAIL: test_a (x.T.test_a)\nRan 2 tests in 0.1s\nFAILED (failures=1)\nRan 1 test in 0.1s\nOK", 1),
        # The same test does.
        ("FAILED a.py::x - no\n1 failed in 0.1s\na.py::x PASSED [100%]\n1 passed in 0.1s", 0),
        ("FAILED a.py::x\nFAILED a.py::y\n2 failed in 0.1s\nPASSED a.py::x\n1 passed in 0.1s", 1),
        ("--- FAIL: TestA (0.00s)\nFAIL\tx\t0.1s\n--- PASS: TestA (0.00s)\nok  \tx\t0.1s", 0),
        ("FAIL\tx [build failed]\nok  \tx\t0.1s", 0),
        (f"{cargo('shop-1', False)}\n{cargo('shop-1', True)}", 0),
        (
            "test_a (x.T.test_a) ... FAIL\nFAIL: test_a (x.T.test_a)\nRan 1 test in 0.1s\nFAILED (failures=1)\n"
            "test_a (x.T.test_a) ... ok\nRan 1 test in 0.1s\nOK",
            0,
        ),
        ("FAILED a.py::x\n1 failed in 0.1s\nFAILED a.py::x\n1 failed in 0.1s\na.py::x PASSED\n1 passed in 0.1s", 0),
        # A test of that name elsewhere is another one, and so is one that passed before.
        ("rootdir: /a\nFAILED t.py::x\n1 failed in 0.1s\nrootdir: /b\nt.py::x PASSED [100%]\n1 passed in 0.1s", 1),
        ("--- FAIL: TestA (0.00s)\nFAIL\tx\t0.1s\n--- PASS: TestA (0.00s)\nok  \ty\t0.1s", 1),
        (f"{cargo('shop-1', False)}\n{cargo('mail-2', True)}", 1),
        (f"test works ... FAILED\n{CARGO_RESULT.format(0, 1)}\ntest works ... ok\n{CARGO_RESULT.format(1, 0)}", 1),
        ("a.py::x PASSED [100%]\n1 passed in 0.1s\nFAILED a.py::x - no\n1 failed in 0.1s", 1),
        ("PASSED a.py::x\nERROR a.py::x - at teardown\n1 passed, 1 error in 0.1s", 1),
        # A line that only looks like a name takes nothing back.
        ("FAILED a.py::x\nERROR b.py::y is down\n1 failed in 0.1s\nPASSED b.py::y\n1 passed in 0.1s", 1),
    ],
)
def test_a_failure_stands_unless_the_same_test_passed_later(output: str, failed: int) -> None:
    assert parse(output.splitlines()).failed == failed


def test_several_runners_of_one_script_are_added_up() -> None:
    found = parse([*PYTEST.splitlines(), *JEST.splitlines(), *JEST.splitlines()])
    assert (found.passed, found.failed) == (38 + 24, 5 + 6)
    assert "cart › totals" in found.failing
    assert "tests/test_cart.py::test_total" in found.failing


@pytest.mark.parametrize("output", [PYTEST, CARGO, GO, GO_VERBOSE, JEST])
def test_colours_change_nothing(output: str) -> None:
    coloured = "\n".join(
        f"\x1b[1m\x1b[31m{line[:3]}\x1b[0m{line[3:]}\x1b[K\x1b]8;;file\x1b\\" for line in output.splitlines()
    )
    assert parse(coloured.splitlines()) == parse(output.splitlines())


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("\x1b[0;32mok\x1b[0m", "ok"),
        ("\x1b]0;a title\x07ok", "ok"),
        ("\x1b]8;;https://example.com\x1b\\ok\x1b]8;;\x1b\\", "ok"),
        ("\x1b(Bok\x1b=", "ok"),
        ("\x9b31mok", "ok"),
        ("an escape at the end \x1b", "an escape at the end \x1b"),
    ],
)
def test_escapes_are_taken_out_whole(line: str, left: str) -> None:
    assert plain(line) == left


@given(
    st.lists(
        st.sampled_from((PYTEST + CARGO + GO + JEST + SUBTESTS + UNITTEST + NEXTEST + VITEST + NODE_TAP).splitlines())
        | st.text(max_size=80),
        max_size=40,
    )
)
def test_any_output_is_read_and_only_the_telling_lines_count(lines: list[str]) -> None:
    found = parse(lines)
    assert found == parse([plain(line).rstrip() for line in lines if telling(plain(line).rstrip())])
    assert (found.passed is None) == (found.failed is None)
    assert len(set(found.failing)) == len(found.failing)


@pytest.mark.parametrize(
    "line",
    ["FAILED a.py::" + "[" * 2000, "1 passed, " * 200 + "x", "--- FAIL: " + "a/" * 1000, "  ● " + " " * 2000,
     "FAIL " + "( " * 1000, "\x1b[" + "0;" * 1000, "Tests: " + "1 failed, " * 300],
)  # fmt: skip
def test_a_hostile_line_takes_no_longer_than_others(line: str) -> None:
    for _ in range(200):
        telling(plain(line))
