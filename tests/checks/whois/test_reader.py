import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_samples import DATED, SAMPLES, Sample

from pom_cli.checks.whois.answer import Ending
from pom_cli.checks.whois.reader import read_whois


def _id(sample: Sample) -> str:
    return f"{sample.domain} {sample.expires or sample.outcome} {len(sample.text)}"


def test_the_samples_come_from_many_registries() -> None:
    assert len({sample.domain.rpartition(".")[2] for sample in DATED} - {"zz"}) >= 40
    assert {sample.outcome for sample in SAMPLES} == {outcome.value for outcome in Ending}


@pytest.mark.parametrize("sample", DATED, ids=_id)
def test_the_expiry_date_is_found_in_each_registry_s_form(sample: Sample) -> None:
    answer = read_whois(sample.text, sample.domain)
    assert (answer.ending, answer.reason) == (Ending.DATED, "")
    assert answer.expires and answer.expires.strftime("%Y-%m-%d") == sample.expires


@pytest.mark.parametrize("sample", [sample for sample in SAMPLES if not sample.expires], ids=_id)
def test_no_date_is_invented_and_a_missing_domain_a_limit_and_a_missing_date_are_told_apart(sample: Sample) -> None:
    answer = read_whois(sample.text, sample.domain)
    assert (answer.ending.value, answer.expires) == (sample.outcome, None)
    assert answer.reason


def test_the_rest_of_the_record_is_read_too() -> None:
    answer = read_whois(next(sample.text for sample in DATED if sample.domain == "shop.org"), "shop.org")
    assert answer.registrar == "Example Registrar, LLC"
    assert answer.statuses == ("clientTransferProhibited",)
    assert answer.dnssec is False
    assert answer.created and answer.created.year == 2011


def test_a_value_on_the_line_below_its_label_is_read() -> None:
    answer = read_whois(next(sample.text for sample in DATED if sample.domain == "shop.uk"), "shop.uk")
    assert answer.registrar == "Example Ltd t/a Ex [Tag = EX]"
    assert answer.statuses == ("Registered until expiry date.",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Domain: a.zz\nExpires: 03/04/2027\n", "its expiry date 3/4/2027 can be read in two ways"),
        ("Domain: a.zz\nExpires: soon, 2027\n", "its expiry date 'soon, 2027' cannot be read"),
        ("Domain: a.zz\nExpires: 2027-01-01\nExpires: 2028-01-01\n", "it gives more than one expiry date"),
        ("Domain: b.zz\nExpires: 2027-01-01\n", "its answer is about b.zz"),
        (
            "Domain: a.zz\nCreated: 2015-06-01\nExpires: 2010-01-01\n",
            "its expiry date 2010-01-01 lies before the registration of 2015-06-01",
        ),
        ("Domain: a.zz\nNserver: ns1.example.net\n", "it publishes no date"),
        ("<html><body>It works!</body></html>", "its answer cannot be read"),
    ],
)
def test_the_reason_says_what_is_wrong_with_the_date(text: str, reason: str) -> None:
    assert read_whois(text, "a.zz").reason == reason


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Still in grace period, wait 47 seconds", 47),
        ("Too many requests, try again in 10 minutes", 600),
        ("Query limitation is 500 per day", None),
        ("Lookup quota exceeded", None),
        ("The query quota has been exceeded\nand will be replenished in 50 seconds.", 50),
    ],
)
def test_a_rate_limit_tells_how_long_to_wait_where_it_says_so(text: str, seconds: int | None) -> None:
    assert read_whois(text, "a.zz").wait_s == seconds


def test_a_hostile_registrar_name_cannot_leave_its_line() -> None:
    text = "Domain: a.zz\nRegistrar: \x1b[31mBad\u202e\x07" + "x" * 400 + "\nExpires: 2027-01-01\n"
    name = read_whois(text, "a.zz").registrar or ""
    assert name.isprintable() and len(name) <= 100


@pytest.mark.slow
@given(st.text(max_size=600))
def test_no_answer_is_an_error(text: str) -> None:
    assert read_whois(text, "shop.zz").ending in Ending


@pytest.mark.parametrize(
    "line",
    [
        "a" + " " * 998 + "b",
        "a" + "." * 998,
        ":" * 999,
        "[" * 999,
        "no match domain " * 62,
        "expires on " * 90,
        "1-" * 499,
        "the this your " * 71,
        "domain name object " * 52,
        "limit rate quota exceed " * 41,
        "Expires: " + "(a" * 490,
        "Expires: 2027-01-01 " + "(a) " * 240,
        "Expires: 03/04/2027",
        "x." * 490,
    ],
)
def test_no_answer_takes_a_second_of_processor_time(line: str) -> None:
    text = f"{line}\n" * (256 * 1024 // (len(line) + 1))
    before = time.process_time()
    read_whois(text, "shop.zz")
    assert time.process_time() - before < 1
