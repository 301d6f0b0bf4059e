"""What the config says about a notice's target, for messages and the runbook's commands. Pure."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pom_cli import checks
from pom_cli.config import Config, Target
from pom_cli.model import Notice


def of(config: Config, notice: Notice) -> Mapping[str, Any]:
    """The facts that the runbook's steps for this notice are filled in with. What is not configured is absent."""
    found = about(config, notice.target)
    if not notice.facts.get("doubt"):
        found.pop("doubt", None)  # this peer was silent, and nothing of what it said was refused
    return found


def about(config: Config, name: str) -> dict[str, Any]:
    """The facts of a target, of a peer, or of this instance (any other name)."""
    from pom_cli.messages import runbook, tools  # only where there is something to say

    own = config.instance
    here = {"config": str(config.path.absolute()), "env": str(config.path.absolute().with_name("env"))}
    facts: dict[str, Any] = {
        "instance": own.name,
        "instances": " or ".join(sorted({own.name, *config.peers})),
        "pom_here": runbook.pom(here["config"]),
        **tools.facts(config.runbook),
    }
    if name in config.targets:
        facts |= _target(config.targets[name], {peer.ssh: peer.name for peer in config.peers.values()})
    if name in config.peers:
        peer = config.peers[name]
        facts |= {"peer_ssh": peer.ssh, "peer_host": urlsplit(peer.url).hostname, "peer_url": peer.url}
        facts |= {"env_here": here["env"], "peer": name, "doubt": "yes"}  # as if it answered, and were refused
    else:
        # Steps about a peer are taken over there, with its config and its files.
        facts |= here | {"data_dir": str(own.data_dir)}
    if not name:
        # About this monitor itself: any target that has a name will do to try one with.
        tried = next((target for target in config.targets.values() if _named(target)), None)
        facts |= {"host": tried.site.host, "url": tried.site.url} if tried else {}
    return {key: config.secrets.masked(value) for key, value in facts.items() if value}


def _named(target: Target) -> bool:
    """Is it reached by a name, not by an IP address."""
    try:
        ip_address(target.site.host)
    except ValueError:
        return True
    return False


def _target(target: Target, hosts: Mapping[str, str]) -> dict[str, Any]:
    """`hosts` are the peers' names by where ssh finds them."""
    site, ops = target.site, target.ops
    facts: dict[str, Any] = {
        "label": target.label,
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
    if where := facts.get("test_ssh"):
        facts["test_host"] = hosts.get(where, "")
    return facts
