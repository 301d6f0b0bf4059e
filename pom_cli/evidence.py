"""Is it the targets, or is it us? The witnesses are asked when nothing at all answers any more."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

WITNESS_TIMEOUT = 3.0  # seconds for all of them, asked at once


@dataclass(frozen=True)
class Network:
    """What is known of this monitor's own network. `works` is None where it was not in doubt, or nobody can tell."""

    offline: bool = False
    proof: str = ""  # who answered, or who did not


def doubtful(answered: Iterable[bool | None]) -> bool:
    """Does nothing at all answer: every target's newest health came to nothing (None: never looked at)."""
    newest = list(answered)
    return bool(newest) and all(one is False for one in newest)


def ask(witnesses: Sequence[tuple[str, int]], targets: int, timeout: float = WITNESS_TIMEOUT) -> Network:
    """Whether our network is down, `targets` configured ones being silent. Any witness that connects says it works."""
    if not witnesses:
        # Several sites that fall silent in one moment are almost certainly us; of one alone nobody can tell.
        return Network(targets > 1, "no witness is configured" if targets > 1 else "")
    with ThreadPoolExecutor(len(witnesses)) as pool:
        reached = list(pool.map(lambda witness: connects(witness[0], witness[1], timeout), witnesses))
    names = [f"{host}:{port}" for host, port in witnesses]
    for name, answers in zip(names, reached, strict=True):
        if answers:
            return Network(False, f"{name} answers: this monitor's own network works")
    return Network(True, f"no witness answers either ({', '.join(names)})")


def connects(host: str, port: int, timeout: float) -> bool:
    """Does a TCP connection come about within `timeout` seconds."""
    from pom_cli.net import Deadline, NoAnswer, connect

    try:
        connect(host, port, Deadline.after(timeout)).sock.close()
    except NoAnswer:
        return False
    return True
