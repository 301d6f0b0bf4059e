"""What the config tells about a notice's target, for the runbook's commands. Pure."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pom_cli import checks
from pom_cli.config import Config, Target
from pom_cli.model import Notice


def of(config: Config, notice: Notice) -> Mapping[str, Any]:
    """The facts that the runbook's steps for this notice are filled in with. What is not configured is absent."""
    return about(config, notice.target)


def about(config: Config, name: str) -> dict[str, Any]:
    """The facts of a target, of a peer, or of this instance (any other name)."""
    facts: dict[str, Any] = {"instance": config.instance.name}
    if name in config.targets:
        facts |= _target(config.targets[name])
    if name in config.peers:
        peer = config.peers[name]
        facts |= {"peer_ssh": peer.ssh, "peer_host": urlsplit(peer.url).hostname, "peer_url": peer.url}
    else:
        # What is about a peer is done over there, with the config of its own.
        facts |= {"config": str(config.path.absolute())}
    if not name:
        # Something that concerns this monitor itself: any of its targets that has a name will do to try one with.
        facts |= {"host": next((target.site.host for target in config.targets.values() if _named(target)), "")}
    return {key: value for key, value in facts.items() if value}


def _named(target: Target) -> bool:
    """Is it reached by a name, not by an IP address."""
    try:
        ip_address(target.site.host)
    except ValueError:
        return True
    return False


def _target(target: Target) -> dict[str, Any]:
    site, ops = target.site, target.ops
    facts: dict[str, Any] = {
        "url": site.url,
        "host": site.host,
        "port": site.port,
        "ssh": ops.ssh,
        "unit": ops.unit,
        "database": ops.database,
    }
    facts["runbook"] = target.runbook
    facts["subjects"] = {}
    for kind, check in target.checks.items():
        module = checks.load(kind)
        facts |= module.facts(check.settings)
        facts["subjects"][kind] = module.subjects(check.settings)
    return facts
