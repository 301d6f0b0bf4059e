"""Pure: the output of a test command → how many passed and failed, and which. By line, so that no output is too long.

What several runners, or several runs of one, report is added up. What a single runner says is read in `runners`.
"""

import re
from collections.abc import Iterable, Sequence

from pom_cli.checks.tests import runners
from pom_cli.checks.tests.runners import Event
from pom_cli.frozen import dataclass

# ECMA-48: CSI sequences such as colours, OSC strings such as titles and links, and the two-character ones.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-Z\\^-~])|\x9b[0-?]*[ -/]*[@-~]"
)


@dataclass(frozen=True)
class Summary:
    """What the runners reported. None: none of them gave a number."""

    passed: int | None = None
    failed: int | None = None
    failing: tuple[str, ...] = ()


def plain(line: str) -> str:
    """A line without colours and whatever else a terminal obeys."""
    return _ESCAPES.sub("", line) if "\x1b" in line or "\x9b" in line else line


def telling(line: str) -> bool:
    """May this line of output, without its escapes, mean something to `parse`?"""
    return any(pattern.fullmatch(line) for pattern in runners.TELLING)


def parse(lines: Iterable[str]) -> Summary:
    """What the telling lines add up to. A failure stands unless the same test passed in a later session."""
    kept = [line for raw in lines if telling(line := plain(raw).rstrip())]
    tallies = [tally for runner in runners.RUNNERS if (tally := runner(kept))]
    if not tallies:
        return Summary()
    failed, names = 0, dict[str, None]()
    for tally in tallies:
        standing = _standing(tally.events)
        for session, count in enumerate(tally.failed):
            named = {event for event in tally.events if event.mark and event.session == session}
            # More names than failures: some lines only look like names, and none of them may take a failure back.
            failed += count - (len(named - standing) if len(named) <= count else 0)
        names |= dict.fromkeys(event.name for event in tally.events if event in standing)
    return Summary(sum(tally.passed for tally in tallies), failed, tuple(names) if failed else ())


def _standing(events: Sequence[Event]) -> set[Event]:
    """The failures that no later session took back."""
    passed = {(event.place, event.name): event.session for event in events if not event.mark}
    return {event for event in events if event.mark and event.session >= passed.get((event.place, event.name), -1)}
