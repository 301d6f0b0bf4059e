"""Where a top-level domain's RDAP server is: IANA's bootstrap registry (RFC 9224), bundled, and fetched weekly."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pom_cli.checks.whois import cache, web
from pom_cli.checks.whois.cache import Memory
from pom_cli.net.deadline import Deadline
from pom_cli.net.faults import NoAnswer
from pom_cli.outside import from_json
from pom_cli.times import holds, moment, utc
from pom_cli.toml.table import split_url

SOURCE = "https://data.iana.org/rdap/dns.json"
_BUNDLED = Path(__file__).with_name("rdap.txt")
_FRESH, _RETRY = timedelta(days=7), timedelta(hours=12)
_PATIENCE, _SIZE = 5.0, 1024 * 1024  # seconds and bytes

# They run a server and are not in IANA's registry (their own pages name it). What these do not know is asked of
# WHOIS as well, before a domain is said not to be registered.
UNLISTED = {
    "ac": "https://rdap.identitydigital.services/rdap/",
    "ag": "https://rdap.identitydigital.services/rdap/",
    "bz": "https://rdap.identitydigital.services/rdap/",
    "ch": "https://rdap.nic.ch/",
    "co": "https://rdap.registry.co/co/",
    "de": "https://rdap.denic.de/",
    "io": "https://rdap.identitydigital.services/rdap/",
    "lc": "https://rdap.identitydigital.services/rdap/",
    "li": "https://rdap.nic.li/",
    "me": "https://rdap.identitydigital.services/rdap/",
    "sh": "https://rdap.identitydigital.services/rdap/",
    "us": "https://rdap.nic.us/",
}


def base_url(tld: str, known: Memory) -> str | None:
    """The base URL for this top-level domain: from the fetched copy, else the bundled one, else UNLISTED."""
    fetched = cache.part(known, "rdap").get("servers")
    found = fetched.get(tld) if isinstance(fetched, dict) else None
    return found if _usable(found) else _bundled(tld) or UNLISTED.get(tld)


def due(known: Memory, now: datetime) -> bool:
    """Is it time to fetch the registry again: a week after the last success, half a day after the last try?"""
    kept = cache.part(known, "rdap")
    fetched, tried = moment(kept.get("fetched_at")), moment(kept.get("tried_at"))
    return not any(at and holds(at, now) and now - at < kept for at, kept in ((fetched, _FRESH), (tried, _RETRY)))


def refresh(data_dir: str, now: datetime, deadline: Deadline, source: str = SOURCE, trusted: bool = False) -> None:
    """Fetch the current registry into the memory. Whatever goes wrong is only noted: the older copy serves on."""
    servers: dict[str, str] = {}
    try:
        page = web.get(source, "application/json", _soon(deadline), _SIZE, trusted)
        servers = parse(page.body) if page.status == 200 else {}
    except (NoAnswer, TimeoutError):
        servers = {}

    def edit(known: Memory) -> None:
        kept = cache.part(known, "rdap")
        kept["tried_at"] = utc(now)
        if servers:
            kept.update(fetched_at=utc(now), servers=servers)

    cache.change(data_dir, edit)


def _soon(deadline: Deadline) -> Deadline:
    return min(deadline, Deadline.after(_PATIENCE), key=lambda one: one.ends)


def parse(body: bytes) -> dict[str, str]:
    """Top-level domain → base URL, https before http; nothing for what is not such a registry."""
    try:
        services = from_json(body)["services"]
        pairs = [(tld, list(urls)) for tlds, urls in services for tld in tlds]
    except (ValueError, KeyError, TypeError):
        return {}
    servers = {}
    for tld, urls in pairs:
        usable = sorted((url for url in urls if _usable(url)), key=lambda url: not url.startswith("https:"))
        if usable and isinstance(tld, str):
            servers[tld.lower()] = usable[0]
    return servers if len(servers) > 100 else {}


def _usable(url: Any) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = split_url(url)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.hostname)


def _bundled(tld: str) -> str | None:
    with _BUNDLED.open(encoding="ascii") as lines:
        for line in lines:
            url, *tlds = line.split()
            if tld in tlds and not line.startswith("#"):
                return url.replace("{tld}", tld)
    return None
