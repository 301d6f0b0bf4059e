"""port: a TCP connection to each address, and the first line that it says where one is expected."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pom_cli.checks import Site
from pom_cli.checks.steps import Section, Step
from pom_cli.frozen import dataclass
from pom_cli.idn import to_ascii
from pom_cli.model import ERROR, OPERATIONAL, UNREACHABLE, Finding, Past, State, Status, Verdict
from pom_cli.text import clean
from pom_cli.toml.table import Table, host_port

if TYPE_CHECKING:
    from pom_cli.net.deadline import Deadline
    from pom_cli.net.faults import Fault

HELP = "a TCP connection to each address, and what it says first"
COVERED: Mapping[str, Callable[[State], bool]] = {}  # a site that is down explains no other service
INTERVAL: timedelta | None = timedelta(hours=1)
NETWORK = True
HINTS = (("ports", '["192.0.2.10:22", { at = "mail.example.com:25", banner = "220" }]', "a TCP connection to each"),)


def _address_facts(subject: str, known: Mapping[str, str]) -> Mapping[str, str]:
    """`"192.0.2.10:22"` or `"[2001:db8::1]:22"` for nc and ss."""
    host, _, number = subject.rpartition(":")
    return {"address": host.strip("[]"), "port": number}


RUNBOOK = {
    "port": Section(
        "Port Failure",
        "A TCP connection fails, or the service says something else first than it should.",
        (
            Step("Verify:", ("nc -vz -w 10 {address} {port}",)),
            Step("Check if something listens on port {port}:", ("ssh {ssh} ss -tlnp | grep {port}",)),
            Step("If connection refused: start the service that should listen there", when=(UNREACHABLE,)),
            Step("If it times out: check the firewall and the network in between", when=(UNREACHABLE,)),
            Step("If it says something else: check that the right service has this port", when=(ERROR,)),
            Step("If intentional change: update PoM config to match"),
            Step("Confirm: re-run port check", ("{pom:whole} check port {target}",)),
        ),
        plural="ports",
        facts=_address_facts,
    ),
}

_ATTEMPTS = 2  # a port that fails is tried again before it counts
_LONGEST_LINE = 512  # bytes that are read of what a service says (RFC 5321, 4.5.3.1.5: a reply line has no more)
_AT = 'an address like "192.0.2.10:22"'


@dataclass(frozen=True)
class Port:
    """One address; `banner` is how its first line must begin, "" if it need not send one."""

    host: str
    number: int
    banner: str = ""

    @property
    def subject(self) -> str:
        return f"[{self.host}]:{self.number}" if ":" in self.host else f"{self.host}:{self.number}"


@dataclass(frozen=True)
class Settings:
    """What to connect to. Times are in seconds; `timeout_s` is for one attempt at one address."""

    ports: tuple[Port, ...]
    timeout_s: float = 10.0
    pause_s: float = 2.0  # before the second attempt

    @property
    def budget(self) -> float:
        return _ATTEMPTS * self.timeout_s + self.pause_s + 1


@dataclass(frozen=True)
class Observation:
    """What connecting to one address showed: how long it took and what was said, or the fault."""

    fault: "Fault | None" = None
    address: str = ""
    connect_ms: float = 0.0
    said: str | None = None  # the first line; None: nothing was said, or nobody waited for it


def adhoc(site: Site) -> bool:
    return False


def parse(table: Table, site: Site) -> Settings:
    """The Settings from a target's `port` table."""
    if "ports" not in table.data:
        table.missing("ports", 'a list like ["192.0.2.10:22"]')
    ports = [_port(each) for each in table.tables("ports")]
    if table.data.get("ports") == []:
        table.problem("ports", 'a list with at least one address, like ["192.0.2.10:22"]')
    return Settings(
        ports=tuple({port.subject: port for port in ports if port}.values()),
        timeout_s=table.duration("timeout", timedelta(seconds=10), "10s", low="100ms", high="5m").total_seconds(),
        pause_s=table.duration("pause", timedelta(seconds=2), "2s", low="0s", high="1m").total_seconds(),
    )


def _port(table: Table) -> Port | None:
    if "" in table.data:  # the address alone
        try:
            return Port(*_address(table.data[""]))
        except ValueError:
            table.problems.append(f"{table.path}: {clean(repr(table.data['']), 80)} is not {_AT}")
            return None
    if "at" not in table.data:
        table.missing("at", _AT)
    host, number = table.read("at", ("", 0), _address, _AT)
    banner = table.line("banner", "", "how the first line begins")
    table.finish()
    return Port(host, number, banner) if host else None


def _address(value: Any) -> tuple[str, int]:
    host, number = host_port(value, 0)
    if not number:
        raise ValueError(value)
    return to_ascii(host).lower(), number


def facts(settings: Settings) -> Mapping[str, Any]:
    return {}


def subjects(settings: Settings) -> tuple[str, ...]:
    return tuple(port.subject for port in settings.ports)


def look(settings: Settings) -> dict[str, Observation]:
    """Every address at once, each by its own deadline; those that fail again after a pause."""
    import time

    seen = _tried(settings, settings.ports)
    failing = [port for port in settings.ports if _judged(port, seen[port.subject])[0] is not OPERATIONAL]
    if failing:
        time.sleep(settings.pause_s)
        seen |= _tried(settings, failing)
    return seen


def _tried(settings: Settings, ports: "list[Port] | tuple[Port, ...]") -> dict[str, Observation]:
    from pom_cli.net import pool
    from pom_cli.net.deadline import Deadline

    def connect(port: Port) -> Observation:
        return _observe(port, Deadline.after(settings.timeout_s))

    seen = {}
    for port, result in pool.each(ports, connect, lambda _: settings.timeout_s):
        if isinstance(result, Exception):
            raise result
        seen[port.subject] = result if isinstance(result, Observation) else _late(result.seconds)
    return seen


def _observe(port: Port, deadline: "Deadline") -> Observation:
    from pom_cli.net.faults import NoAnswer
    from pom_cli.net.net import connect

    try:
        link = connect(port.host, port.number, deadline)
    except NoAnswer as error:
        return Observation(error.fault)
    with link.sock as sock:
        said = _first_line(sock, deadline) if port.banner else None
    return Observation(None, link.address, link.connect_ms, said)


def _first_line(sock: Any, deadline: "Deadline") -> str | None:
    """The first line within the deadline, without its end; None if nothing came."""
    said = b""
    try:
        while b"\n" not in said and len(said) < _LONGEST_LINE:
            sock.settimeout(deadline.remaining())
            piece = sock.recv(_LONGEST_LINE - len(said))
            if not piece:
                break
            said += piece
    except OSError:  # reset, or late: what came until then is what it said
        pass
    return said.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r") if said else None


def _late(seconds: float) -> Observation:
    from pom_cli.net.faults import Fault

    return Observation(Fault("connect", f"the attempt did not end within {seconds:g} s", "ours"))


def judge(
    seen: Mapping[str, Observation], settings: Settings, past: Mapping[str, Past], now: datetime
) -> list[Finding]:
    """A Finding for each address. What is known from before changes nothing."""
    return [_finding(port, seen[port.subject]) for port in settings.ports]


def _finding(port: Port, seen: Observation) -> Finding:
    status, summary = _judged(port, seen)
    detail = {"address": seen.address, "connect_ms": round(seen.connect_ms), "said": seen.said and clean(seen.said)}
    if seen.fault:
        detail = {"phase": seen.fault.phase, "address": seen.fault.address}
    return Finding(
        subject=port.subject,
        status=status,
        summary=summary,
        verdicts={"port": Verdict(status, summary)},
        latency_ms=None if seen.fault else round(seen.connect_ms),
        detail={key: value for key, value in detail.items() if value not in (None, "")},
        answered=seen.fault is None,
    )


def _judged(port: Port, seen: Observation) -> tuple[Status, str]:
    """The status of one address and what to say of it."""
    if seen.fault:
        return seen.fault.status, seen.fault.reason
    if not port.banner:
        return OPERATIONAL, "connected"
    if seen.said is None:
        return ERROR, f"connected, but it says nothing; expected {clean(port.banner, 80)!r}"
    said = clean(seen.said, 120)
    if seen.said.startswith(port.banner):
        return OPERATIONAL, said
    return ERROR, f"it says {said!r}, not {clean(port.banner, 80)!r}"
