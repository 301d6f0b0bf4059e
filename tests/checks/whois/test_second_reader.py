from datetime import UTC, date, datetime

import pytest

from pom_cli.checks.whois import second_reader
from pom_cli.checks.whois.dates import Order
from pom_cli.checks.whois.second_reader import second_opinion
from pom_cli.net.deadline import Deadline

SAYS = """print('["2027-03-01"]')"""


def test_python_whois_reads_an_answer_in_its_child() -> None:
    text = "Domain Name: shop.com\nRegistry Expiry Date: 2027-03-01T10:00:00Z\n"
    assert second_reader._ask(text, "shop.com", Deadline.after(20)) == {date(2027, 3, 1)}


def test_a_date_that_both_readers_see_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_reader, "_CHILD", SAYS)
    text = "Domain: a.zz\nEnd of term: 2027-03-01\n"
    assert second_opinion(text, "a.zz", Order.OPEN, Deadline.after(10)) == datetime(2027, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Domain: a.zz\nEnd of term: 01/03/2027\n",  # which could be January
        "Domain: a.zz\nEnd of term: 2027-03-02\n",
        "Domain: a.zz\nCreated: 2027-03-01\n",
        "Domain: a.zz\nDate out of quarantine: 2027-03-01\n",
        "Domain: a.zz\nfree-date: 2027-03-01\n",
        "Domain: a.zz\nLast renewed: 2027-03-01\n",
        "% Term: 2027-03-01",
        "2027-03-01",
    ],
)
def test_a_date_that_python_whois_alone_takes_for_the_expiry_is_not(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(second_reader, "_CHILD", SAYS)
    assert second_opinion(text, "a.zz", Order.OPEN, Deadline.after(10)) is None


def test_the_end_of_a_quarantine_is_no_expiry() -> None:
    text = (
        "Domain name: shop.nl\nStatus: in quarantine\nRegistrar:\n   X\nDate out of quarantine: 2027-03-01T11:56:03\n"
    )
    assert second_opinion(text, "shop.nl", Order.OPEN, Deadline.after(20)) is None


@pytest.mark.parametrize(
    "child",
    [
        "raise SystemExit(1)",
        "print('no json')",
        "print('[1]')",
        "import time; time.sleep(60)",
        "while True: pass",
        'print(\'["2027-03-01", "2028-03-01"]\')',
        "print('[]')",
    ],
)
def test_a_child_that_fails_hangs_or_burns_has_no_opinion(monkeypatch: pytest.MonkeyPatch, child: str) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\n"
    monkeypatch.setattr(second_reader, "_CHILD", limit + child)
    monkeypatch.setattr(second_reader, "_PATIENCE", 2.0)
    text = "Domain: a.zz\nEnd of term: 2027-03-01\nOther: 2028-03-01\n"
    assert second_opinion(text, "a.zz", Order.OPEN, Deadline.after(10)) is None


def test_a_very_long_answer_is_not_worth_a_child() -> None:
    assert second_opinion("x" * 100_000, "a.zz", Order.OPEN, Deadline.after(10)) is None


def test_the_child_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POM_API_TOKEN", "a-secret")
    says = """import os; print('["2027-03-0%d"]' % (1 + ("POM_API_TOKEN" in os.environ)))"""
    monkeypatch.setattr(second_reader, "_CHILD", says)
    assert second_reader._ask("", "a.zz", Deadline.after(20)) == {date(2027, 3, 1)}
