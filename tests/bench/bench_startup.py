"""How long a command takes to answer, against the bare interpreter: `python tests/bench/bench_startup.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pairs import POM, PYTHON, config, cost, paired, server


def main() -> None:
    bare = [PYTHON, "-c", "pass"]
    paired("pom --help", lambda: cost([*POM, "--help"]), lambda: cost(bare), "wall", 5.5, runs=21)
    with tempfile.TemporaryDirectory() as name, server() as port:
        path = config(Path(name), [f"http://127.0.0.1:{port}/{number}" for number in range(100)])
        cost([*POM, "--config", str(path), "check"])
        status = [*POM, "--config", str(path), "status"]
        paired("pom status of 100 targets, piped", lambda: cost(status), lambda: cost(bare), "wall", 6.5, runs=21)


if __name__ == "__main__":
    main()
