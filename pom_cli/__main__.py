"""The entry point: turns every way of ending into an exit code, a crash into 3."""

import errno
import gc
import os
import sys
from contextlib import suppress
from io import TextIOWrapper

INTERRUPTED, NOBODY_READS = 130, 141  # as a shell says it of SIGINT and of SIGPIPE
_UNTAKEN = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)


def main() -> None:
    """Run the command line. Exits with 0 all well, 1 something is not operational, 2 wrong use, 3 PoM failed."""
    # Most of a run is start-up, and nothing of what that allocates becomes garbage.
    gc.set_threshold(50_000)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an output that has no arrow gets a question mark
    try:
        code = run(sys.argv[1:])
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # None: the process was started with it closed
                stream.flush()
    except BrokenPipeError:
        code = NOBODY_READS  # `pom status | head`
    except OSError as error:
        code = 3
        _say(f"its output cannot be written: {error.strerror}")
    except ValueError:  # it was closed meanwhile
        code = 3
    # Not sys.exit: that waits for threads which hang in a look that was given up long ago.
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code, whatever happens. Raises OSError where its output is not taken."""
    try:
        from pom_cli import cli

        return cli.run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        # Files name themselves, and the database tells its own faults: this is what is printed, into a full disk.
        if error.errno in _UNTAKEN and error.filename is None:
            raise
        return _crashed()
    # Python itself would exit with 1 here, which means that all went well and a target did not.
    except Exception:  # noqa: BLE001
        return _crashed()


def _crashed() -> int:
    import traceback

    traceback.print_exc()
    _say("it crashed; that is a fault of PoM, not of a target")
    return 3


def _say(line: str) -> None:
    """To standard error, if that takes it: there is nowhere else to complain."""
    with suppress(OSError, ValueError):
        print(f"pom: {line}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
