"""The entry point: turns every way of ending into an exit code, a crash into 3."""

import os
import sys


def main() -> None:
    """Run the command line. Exits with 0 all well, 1 something is not operational, 2 wrong use, 3 PoM failed."""
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        from pom_cli import cli

        return cli.run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has gone (`pom status | head`); Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    # Python itself would exit with 1 here, which means that all went well and a target did not.
    except Exception:  # noqa: BLE001
        import traceback

        traceback.print_exc()
        print("pom: it crashed; that is a fault of PoM, not of a target", file=sys.stderr)  # noqa: T201
        return 3


if __name__ == "__main__":
    main()
