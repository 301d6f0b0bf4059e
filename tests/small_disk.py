"""A small file system of its own, to be filled up. Needs root; skips with the reason where it cannot be had."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pytest


@dataclass
class SmallDisk:
    """Use it as `with SmallDisk(folder, kib) as disk:`; `folder` is made."""

    folder: Path
    kib: int

    def __enter__(self) -> SmallDisk:
        self.folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.kib}k", "tmpfs", str(self.folder)]
        try:
            made = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("a file system of its own needs the mount command")
        if made.returncode:
            pytest.skip(f"a file system of its own cannot be mounted here: {made.stderr.strip()}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        subprocess.run(["umount", str(self.folder)], check=True)

    def fill(self) -> None:
        """Leave no room at all."""
        with (self.folder / "filler").open("wb", buffering=0) as file:
            for size in (4096, 512, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / "filler").unlink()
