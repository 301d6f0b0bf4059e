"""This installation, as the table `[instance]` has it."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pom_cli.frozen import dataclass
from pom_cli.text import one_line
from pom_cli.toml import paths
from pom_cli.toml.address import host_port
from pom_cli.toml.table import Table

NAME = r"(?![.-])[A-Za-z0-9_.-]{1,64}"
NAME_RULE = "letters, digits, '-', '_' and '.', beginning with none of '-' and '.', at most 64 of them"


@dataclass(frozen=True)
class Instance:
    """This installation. `resolvers`: none for the system's."""

    name: str
    data_dir: Path
    retention: timedelta
    resolvers: tuple[str, ...]


def read(table: Table, path: Path, environ: Mapping[str, str]) -> Instance:
    """The table, with what `path` and the environment give where it is silent."""
    usual_name, usual_dir = paths.default_instance(path, environ)
    instance = Instance(
        name=table.matching("name", usual_name, NAME, f"a name ({NAME_RULE})"),
        data_dir=Path(table.read("data_dir", str(usual_dir), _folder, "a folder's absolute path")),
        retention=table.duration("retention", timedelta(days=30), "30d", low="1d"),
        resolvers=table.items("resolvers", (), _resolver, 'a list of IP addresses like "1.1.1.1", "127.0.0.1:5353"'),
    )
    table.finish()
    return instance


def _folder(value: Any) -> str:
    path = os.path.expanduser(one_line(value))  # noqa: PTH111 - an unknown ~user must not raise
    if not os.path.isabs(path):  # noqa: PTH117 - the same text goes on
        raise ValueError
    return path


def _resolver(value: Any) -> str:
    host, _ = host_port(value, 53)
    if not (":" in host or host.replace(".", "").isdigit()):
        raise ValueError
    return str(value)
