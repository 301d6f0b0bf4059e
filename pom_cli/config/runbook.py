"""The `[runbook]` table: the tools that the runbook's steps name. "" leaves out the steps about that tool."""

from typing import NamedTuple

from pom_cli.text import one_line
from pom_cli.toml.table import Table


class Tools(NamedTuple):
    """What runs beside the targets, as the operators call it."""

    web_server: str = "caddy"
    vpn: str = "tailscale"
    dns: str = "Cloudflare"
    registrar: str = "Cloudflare Registrar"


def read(table: Table) -> Tools:
    tools = Tools(**{tool: table.read(tool, usual, _name, f'a name like "{usual}", or ""')
                     for tool, usual in Tools()._asdict().items()})  # fmt: skip
    table.finish()
    return tools


def _name(value: object) -> str:
    return "" if value == "" else one_line(value).strip()
