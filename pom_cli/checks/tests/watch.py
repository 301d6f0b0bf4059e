"""What an operator sees of a run while it goes on: its output, or one line that tells how it goes."""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import click

from pom_cli.checks.tests.process import Listener
from pom_cli.times import short

_EVERY_S = 0.5
_CLEAR = "\r\x1b[K"


@contextmanager
def output(err: bool) -> Iterator[Listener]:
    """Each line as it comes; on standard error where standard output is for something else."""

    def listen(lines: Sequence[str]) -> None:
        if lines:
            click.echo("\n".join(lines), err=err)

    yield listen


@contextmanager
def progress(name: str) -> Iterator[Listener]:
    """One line on a terminal, written anew again and again and wiped away at the end; nothing where there is none."""
    terminal, begun = sys.stderr.isatty(), time.monotonic()
    count, newest, written = 0, "", 0.0

    def listen(lines: Sequence[str]) -> None:
        nonlocal count, newest, written
        count += len(lines)
        newest = next((line.strip() for line in reversed(lines) if line.strip()), newest)
        now = time.monotonic()
        if terminal and now - written >= _EVERY_S:
            written = now
            told = told_of(name, timedelta(seconds=now - begun), count, newest)
            _write(_CLEAR + told[: shutil.get_terminal_size().columns - 1])

    try:
        yield listen
    finally:
        if terminal:
            _write(_CLEAR)


def told_of(name: str, since: timedelta, count: int, newest: str) -> str:
    """`shop: running for 5 s, 12 lines; test_b PASSED`."""
    lines = f"{count or 'no'} line{'' if count == 1 else 's'}"
    return f"{name}: running for {short(since)}, {lines}{f'; {newest}' if newest else ''}"


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
