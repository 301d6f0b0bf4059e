"""What the runbook's steps know of the tools in `[runbook]`: how each is spelt, its files, units and commands. Pure."""

from typing import NamedTuple

from pom_cli.config.runbook import Tools


class _WebServer(NamedTuple):
    name: str
    config: str
    acme: bool = False  # renews its certificates itself


class _Vpn(NamedTuple):
    name: str
    status: str  # the command that shows it
    ping: str  # the command that tries one host over it
    unit: str = ""


# By the name of the systemd unit, which `web_server` gives. An unknown server is called what the config calls it.
_WEB_SERVERS = {
    "caddy": _WebServer("Caddy", "/etc/caddy/Caddyfile", acme=True),
    "traefik": _WebServer("Traefik", "/etc/traefik/traefik.yml", acme=True),
    "nginx": _WebServer("nginx", "/etc/nginx/nginx.conf"),
    "apache2": _WebServer("Apache", "/etc/apache2/apache2.conf"),
    "httpd": _WebServer("Apache", "/etc/httpd/conf/httpd.conf"),
    "haproxy": _WebServer("HAProxy", "/etc/haproxy/haproxy.cfg"),
}
_VPNS = {
    "tailscale": _Vpn("Tailscale", "tailscale status", "tailscale ping", "tailscaled"),
    "wireguard": _Vpn("WireGuard", "wg show", "ping -c 3"),
}


def facts(tools: Tools) -> dict[str, str]:
    """The facts about the tools; those of a tool that is "" are absent."""
    server = _WEB_SERVERS.get(tools.web_server, _WebServer(tools.web_server, ""))
    vpn = _VPNS.get(tools.vpn, _Vpn(tools.vpn, "", "ping -c 3" if tools.vpn else ""))
    found = {
        "web_server": server.name,
        "web_unit": tools.web_server,
        "web_config": server.config,
        "acme": "yes" if server.acme else "",
        "vpn": vpn.name,
        "vpn_status": vpn.status,
        "vpn_ping": vpn.ping,
        "vpn_unit": vpn.unit,
        "dns_provider": tools.dns,
        "origin_ca": "yes" if tools.dns == "Cloudflare" else "",
        "registrar": tools.registrar,
    }
    return {key: text for key, text in found.items() if text}
