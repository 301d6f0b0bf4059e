"""What this installation talks to: its API, mail providers, peers and witnesses; and whether its clock is right."""

from typing import TYPE_CHECKING, Any

from pom_cli import channels
from pom_cli.config import Config
from pom_cli.doctor import Patient, Point, fault, ok, skipped, warning
from pom_cli.net.deadline import Deadline

if TYPE_CHECKING:
    from pom_cli.store.peers import Pins

TIMEOUT_S = 8.0
_NO_CONFIG = "needs a config"
_SAME_TOKEN = "POM_API_TOKEN must be the same on both hosts, or one of the two during a rotation"  # noqa: S105
_FIXES = {
    "token": _SAME_TOKEN,
    "forged": _SAME_TOKEN,
    "instance": "if it was reinstalled: pom mesh --accept {}; if not, find out who answers there",
    "release": "deploy this release there: ./deploy.sh HOST",
}
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the config's word for every address


def api(patient: Patient) -> list[Point]:
    """Does `pom serve` answer, and does it say that all is well."""
    from pom_cli.net.faults import NoAnswer
    from pom_cli.net.http import fetch

    if patient.config is None:
        return [skipped(_NO_CONFIG)]
    serve = patient.config.serve
    host = _EVERYWHERE.get(serve.host, serve.host)
    url = f"http://[{host}]:{serve.port}/api/health" if ":" in host else f"http://{host}:{serve.port}/api/health"
    tokens = patient.config.secrets.api_tokens()
    found = [ok("API token is set")] if tokens else [_no_token(patient)]
    try:
        answer = fetch(url, {}, Deadline.after(TIMEOUT_S), max_body=1 << 16)
    except NoAnswer as error:
        if not patient.installed:
            return [*found, skipped(f"{url}: {error}; no pom serve runs here")]
        return [*found, fault(f"{url}: {error}", "systemctl status pom")]
    if answer.status == 200:
        return [*found, ok(f"{url}: 200")]
    return [
        *found,
        fault(f"{url}: HTTP {answer.status}: checks are overdue, or it cannot read the database", "pom status"),
    ]


def _no_token(patient: Patient) -> Point:
    unread = patient.config.secrets.unreadable if patient.config else ""
    if unread:
        return skipped(f"{unread}: this user cannot read the token; run as root")
    if not patient.installed:
        return skipped("POM_API_TOKEN is not set: the API serves only /api/health")
    return fault("POM_API_TOKEN is not set: peers and operators are refused", "set it in /etc/pom/env on every host")


def credentials(patient: Patient) -> list[Point]:
    """Do the credentials of each channel work; no message is sent."""
    loaded = patient.config
    if loaded is None:
        return [skipped(_NO_CONFIG)]
    if not loaded.alerts.channels:
        return [fault("alerts.channels is empty: no alerts are sent", "add a channel in [alerts]")]
    return [_credential(loaded, name) for name in loaded.alerts.channels]


def _credential(loaded: Config, name: str) -> Point:
    channel = channels.load(name)
    secret = loaded.secrets.get(channel.SECRET)
    if channel.SECRET and not secret and loaded.secrets.unreadable:
        return skipped(f"{name}: {loaded.secrets.unreadable}; run as root to test it")
    wrong = channel.probe(loaded.alerts.settings[name], secret, TIMEOUT_S)
    if wrong is None:
        return skipped(f"{name}: only a test message can tell: pom alerts test")
    if wrong:
        return fault(
            f"{name}: {wrong}", f"see {channel.SECRET} in the env file and alerts.{name}, then: pom alerts test"
        )
    anonymous = name == "smtp" and not loaded.alerts.settings[name].username
    return ok(f"{name}: reachable (no login configured)" if anonymous else f"{name}: login works")


def peers(patient: Patient) -> list[Point]:
    """Does every peer answer, take our token, and agree on the time."""
    loaded = patient.config
    if loaded is None:
        return [skipped(_NO_CONFIG)]
    if not loaded.peers:
        return [skipped("none configured: nobody notices if this host dies")]
    if loaded.secrets.unreadable and not loaded.secrets.api_tokens():
        return [skipped(f"{loaded.secrets.unreadable}: run as root to ask them")]
    from pom_cli.mesh import peering
    from pom_cli.times import ticking

    asked = peering.ask(loaded.peers.values(), loaded.secrets, _pins(loaded), ticking(patient.now), TIMEOUT_S)
    return [_peer(name, loaded.peers[name].url, beat) for name, beat in asked.beats.items()]


def witnesses(patient: Patient) -> list[Point]:
    """Does anybody answer who proves that our own network works, when all targets are silent."""
    loaded = patient.config
    if loaded is None:
        return [skipped(_NO_CONFIG)]
    from pom_cli.alerting import offline

    places = offline.about_targets(loaded)
    if not places:
        return [skipped("none configured, and no peers: a total outage would look like our own network failing")]
    if found := offline.answering(places):
        return [ok(f"{found} answers")]
    names = ", ".join(f"{name}:{port}" for name, port in places)
    return [
        warning(
            f"none of {names} answers: a total outage would look like our own network failing",
            "set witnesses that answer from here, in [offline]",
        )
    ]


def _pins(loaded: Config) -> "Pins":
    """The instance id of each peer; none if the database cannot be read (another check reports that)."""
    from pom_cli import store
    from pom_cli.errors import StoreError
    from pom_cli.store import peers as rows

    try:
        with store.reader(loaded.instance.data_dir / "pom.db") as db:
            return rows.pins(db) if db is not None else {}
    except StoreError:
        return {}


def _peer(name: str, url: str, beat: Any) -> Point:
    from pom_cli.mesh.beats import SKEW_S

    if beat.answer is None:
        return fault(
            f"{name} ({url}): {beat.fault}", _FIXES.get(beat.doubt, "pom runbook peer-missing {}").format(name)
        )
    skew = beat.skew_s
    if skew is not None and abs(skew) > SKEW_S:
        return fault(f"{name}: its clock differs from ours by {skew:+.0f} s", "timedatectl, on both hosts")
    clocks = "" if skew is None else f", its clock within {abs(skew):.1f} s of ours"
    return ok(f"{name} ({url}): alive, PoM {beat.answer.version}{clocks}")


def roots(patient: Patient) -> list[Point]:
    """Does this host have trusted root certificates: without them every https site would look broken."""
    from pom_cli.alerting import own_fault

    if own_fault.roots():
        return [ok("this host has trusted root certificates")]
    return [fault("this host has no trusted root certificates", "apt install ca-certificates")]


def clock(patient: Patient) -> list[Point]:
    """Is the clock synchronised."""
    import subprocess

    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],  # noqa: S607 - the system's own, by PATH
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return [skipped("timedatectl is not available here")]
    said = done.stdout.strip()
    if said == "yes":
        return [ok("synchronised (NTP)")]
    if said == "no":
        return [warning("clock is not synchronised (NTP)", "timedatectl set-ntp true")]
    return [skipped("timedatectl does not report whether it is synchronised")]
