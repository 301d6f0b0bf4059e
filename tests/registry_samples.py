"""WHOIS answers written for the tests in the forms that registries have, with what is to be read in each.

They stand in `registry_samples.txt`, each under a line `=== domain | day, or what to make of it`. Names and dates are
made up; only labels, order and spelling follow the registries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One answer. `expires` is the day to be read; without one `outcome` is what to make of it."""

    domain: str
    text: str
    outcome: str
    expires: str = ""


def _sample(head: str, text: str) -> Sample:
    domain, _, told = head.partition(" | ")
    return Sample(domain, text, "dated", told) if told[0].isdigit() else Sample(domain, text, told)


def _samples() -> list[Sample]:
    pieces = re.split(r"^=== (.+)\n", Path(__file__).with_suffix(".txt").read_text("utf-8"), flags=re.MULTILINE)
    return [_sample(head, text) for head, text in zip(pieces[1::2], pieces[2::2], strict=True)]


SAMPLES = _samples()
DATED = [sample for sample in SAMPLES if sample.expires]
