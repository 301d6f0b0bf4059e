"""What this installation talks to: its own API, its channels' providers, its peers; and whether the clock is right."""

from typing import TYPE_CHECKING, Any

from pom_cli import channels
from pom_cli.config import Config
from pom_cli.doctor import Patient, Point, fault, ok, skipped, warning
from pom_cli.net.deadline import Deadline

if TYPE_CHECKING:
    from pom_cli.store.peers import Pins

TIMEOUT_S = 8.0
_NO_CONFIG = "without a config nothing is known of it"
_SAME_TOKEN = "POM_API_TOKEN must be the same on both hosts, or one of the two during a rotation"  # noqa: S105
_CURES = {
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
    found = [ok("a token guards it")] if tokens else [_no_token(patient)]
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
        return skipped(f"{unread}: the token is not known to this user; as root it is")
    if not patient.installed:
        return skipped("POM_API_TOKEN is not set: the API shows /api/health alone")
    return fault("POM_API_TOKEN is not set: peers and operators are refused", "set it in /etc/pom/env on every host")


def credentials(patient: Patient) -> list[Point]:
    """Does each channel's provider take us, without a message being sent."""
    loaded = patient.config
    if loaded is None:
        return [skipped(_NO_CONFIG)]
    if not loaded.alerts.channels:
        return [fault("alerts.channels is empty: nobody is told of anything", "name a channel in [alerts]")]
    return [_credential(loaded, name) for name in loaded.alerts.channels]


def _credential(loaded: Config, name: str) -> Point:
    channel = channels.load(name)
    secret = loaded.secrets.get(channel.SECRET)
    if channel.SECRET and not secret and loaded.secrets.unreadable:
        return skipped(f"{name}: {loaded.secrets.unreadable}; as root it can be tried")
    wrong = channel.probe(loaded.alerts.settings[name], secret, TIMEOUT_S)
    if wrong is None:
        return skipped(f"{name}: only a message tells: pom alerts test")
    if wrong:
        return fault(
            f"{name}: {wrong}", f"see {channel.SECRET} in the env file and alerts.{name}, then: pom alerts test"
        )
    anonymous = name == "smtp" and not loaded.alerts.settings[name].username
    return ok(f"{name}: it answers; no login is configured" if anonymous else f"{name}: it takes our credentials")


def peers(patient: Patient) -> list[Point]:
    """Does every peer answer, take our token, and agree on the time."""
    loaded = patient.config
    if loaded is None:
        return [skipped(_NO_CONFIG)]
    if not loaded.peers:
        return [skipped("none is configured: nobody notices when this host dies")]
    if loaded.secrets.unreadable and not loaded.secrets.api_tokens():
        return [skipped(f"{loaded.secrets.unreadable}: as root they can be asked")]
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
        return [skipped("none is configured, and no peer: nobody tells an outage of all targets from our own")]
    if found := offline.answering(places):
        return [ok(f"{found} answers")]
    names = ", ".join(f"{name}:{port}" for name, port in places)
    return [
        warning(
            f"none of {names} answers: an outage of all targets would be taken for this monitor's own",
            "in [offline] of the config, name witnesses that answer from here",
        )
    ]


def _pins(loaded: Config) -> "Pins":
    """Which instance each peer is, as far as the database can be read: it has an examination of its own."""
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
            f"{name} ({url}): {beat.fault}", _CURES.get(beat.doubt, "pom runbook peer-missing {}").format(name)
        )
    skew = beat.skew_s
    if skew is not None and abs(skew) > SKEW_S:
        return fault(f"{name}: its clock differs from ours by {skew:+.0f} s", "timedatectl, on both hosts")
    clocks = "" if skew is None else f", its clock within {abs(skew):.1f} s of ours"
    return ok(f"{name} ({url}): alive, PoM {beat.answer.version}{clocks}")


def roots(patient: Patient) -> list[Point]:
    """Has this host certificates to trust: without them every https site would look broken."""
    from pom_cli.alerting import own_fault

    if own_fault.roots():
        return [ok("this host has trusted root certificates")]
    return [fault("this host has no trusted root certificates", "apt install ca-certificates")]


def clock(patient: Patient) -> list[Point]:
    """Is the clock kept right by a time server."""
    import subprocess

    try:
        done = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],  # noqa: S607 - the system's own, by PATH
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return [skipped("no timedatectl here to ask")]
    said = done.stdout.strip()
    if said == "yes":
        return [ok("a time server keeps it right")]
    if said == "no":
        return [warning("no time server keeps it right", "timedatectl set-ntp true")]
    return [skipped("timedatectl does not say whether a time server keeps it right")]
