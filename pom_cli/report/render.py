"""Facts → lines for people: plain ones where the output is piped, colour where it is a terminal. No rich in here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from pom_cli.model import SEVERITY, Notice, Status
from pom_cli.report import silences
from pom_cli.report.delivery import Known, Told
from pom_cli.text import clean, listed
from pom_cli.times import brief, lasted, local, short

if TYPE_CHECKING:
    from pom_cli.pipeline import Result
    from pom_cli.store.outbox import Row

COLOURS = {"operational": "green", "degraded": "yellow", "error": "red", "unreachable": "red", "unknown": "magenta"}

PEER_COLOURS = {"alive": "green", "late": "yellow", "missing": "red"}
_DAYS_LEFT = ("days_left", "chain_days_left")  # an intermediate that ends before the leaf ends it for every client


def coloured(status: Status | str) -> str:
    """A status in its colour; click drops the colour where the output is no terminal."""
    return click.style(str(status), fg=COLOURS[str(status)])


def result_line(result: "Result") -> str:
    """`makenotwork health: operational, 200 OK, 43 ms`."""
    key, finding = result.key, result.finding
    name = " ".join(part for part in (key.target, key.kind, key.subject) if part)
    latency = f", {finding.latency_ms} ms" if finding.latency_ms is not None else ""
    return f"{clean(name)}: {coloured(finding.status)}, {clean(finding.summary)}{latency}"


def notice_line(notice: Notice) -> str:
    """`notice: makenotwork health: operational → unreachable (new)`."""
    name = " ".join(part for part in (notice.target, notice.alert) if part)
    return f"notice: {clean(name)}: {notice.before} → {notice.now} ({notice.reason})"


def status_lines(found: Mapping[str, Any], known: Known, late: Sequence[str]) -> list[str]:
    """`pom status` as one plain line each: the point first, then crashes, targets worst first, alerts, the rest."""
    lines = [first_line(found, known, late), *found["crashed"]]
    now = datetime.fromisoformat(found["generated_at"])
    quiet = found["silences"]
    lines += [target_line(target, found["instance"], now, quiet) for target in ranked(found["targets"])]
    lines += alert_lines(found["alerts"], known, now, found["instance"])
    lines += [f"peer {peer_line(peer)}" for peer in found["peers"]]
    return lines + stuck_lines(found, late)


def ranked(targets: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The worst first."""
    return sorted(targets, key=lambda target: (-SEVERITY[Status(target["status"])], target["name"]))


def stuck_lines(found: Mapping[str, Any], late: Sequence[str]) -> list[str]:
    """Mail that does not get out, and the kinds of check whose runs are overdue."""
    lines = [f"undelivered: {found['undelivered']}; see pom alerts"] if found["undelivered"] else []
    return lines + ([f"overdue: {', '.join(late)}; are the timers running? See pom doctor"] if late else [])


def first_line(found: Mapping[str, Any], known: Known, late: Sequence[str]) -> str:
    """Is anything wrong, since when, does anyone know. Where runs are overdue, all that is as it was then."""
    targets, alerts = ranked(found["targets"]), found["alerts"]
    bad = [target for target in targets if target["status"] != "operational"]
    if found["offline"]:
        told = "this monitor is offline"
    elif not targets:
        told = "no targets to watch"
    elif not bad:
        told = f"all {len(targets)} operational" if len(targets) != 1 else f"{targets[0]['name']} operational"
    else:
        now = datetime.fromisoformat(found["generated_at"])
        names = listed(_bad(target, now) for target in bad)
        told = f"{len(bad)} of {len(targets)} not operational: {names} ({local(now)[20:]})"
    if any(alert["alert"] == "store-failed" for alert in alerts):
        told = f"its database cannot be written: this is what a spare one keeps; {told}"
    overdue = [f"overdue: {', '.join(late)}"] if late else []
    overdue += ["a run never ended"] if found["crashed"] else []
    named = [target["name"] for target in bad]
    quiet = silences.headline(found["silences"])
    return "; ".join([f"{found['instance']}: {told}", *overdue, *_known(alerts, known, named), *quiet])


def _bad(target: Mapping[str, Any], now: datetime) -> str:
    """`storefront unreachable since 12:34`: each has its own time."""
    since = f" since {brief(datetime.fromisoformat(target['since']), now, offset=False)}" if target["since"] else ""
    return f"{target['name']} {target['status']}{since}"


def _known(alerts: Sequence[Mapping[str, Any]], known: Known, named: Sequence[str]) -> list[str]:
    """How many alerts are open (those about no target in `named` are listed), and who was notified."""
    if not alerts:
        return []
    told = sum(1 for alert in alerts if _told(alert, known).at)
    others = [f"{_name(alert)}{_since(alert['since'])}" for alert in alerts if alert["target"] not in named]
    count = f"{len(alerts)} open alert{'s' if len(alerts) > 1 else ''}{f' ({listed(others)})' if others else ''}"
    return [f"{count}, {'notified' if told == len(alerts) else f'{told} notified' if told else 'nobody notified yet'}"]


def _name(alert: Mapping[str, Any]) -> str:
    return " ".join(part for part in (alert["target"], alert["alert"]) if part)


def _told(alert: Mapping[str, Any], known: Known) -> Told:
    return known.get((alert["target"], alert["alert"]), Told())


def target_line(target: Mapping[str, Any], instance: str, now: datetime, quiet: Sequence[silences.Shown] = ()) -> str:
    """`makenotwork: operational since …, 43 ms, up 100 % (24h) …`, and what is wrong behind it."""
    parts = [f"{target['name']}: {coloured(target['status'])}{_since(target['since'])}"]
    parts += silences.of_target(quiet, target["name"])
    health = next((check for check in target["checks"] if check["kind"] == "health"), None)
    if health and health["latency_ms"] is not None:
        parts.append(f"{health['latency_ms']} ms")
    up = [f"{window} {percent(uptime)}" for window, uptime in target["uptime"].items() if uptime["percent"] is not None]
    parts += [f"up {', '.join(up)}"] if up else []
    parts += [f"{name} {days} d" for name, days in days_left(target)]
    parts += [f"tests {told}"] if (told := newest_run(target)) else []
    parts += [deployed(target["deployed"], now, instance)] if target["deployed"] else []
    bad = [check for check in target["checks"] if check["status"] != "operational"]
    parts += [clean(f"{check['kind']} {check['subject']}".strip() + f": {check['summary']}") for check in bad[:3]]
    return ", ".join(parts)


def deployed(one: Mapping[str, Any], until: datetime, instance: str, word: str = "ago") -> str:
    """`deployed 1.8.2 12 min ago by ada: hotfix`; `until` is now, or an outage that it came `word` (before)."""
    age = short(lasted(datetime.fromisoformat(one["at"]), until))
    return f"deployed{_then(one['rev'])} {age} {word}{_by(one, instance)}"


def acked(one: Mapping[str, Any], instance: str) -> str:
    """`acknowledged by ada at …: restarting it`."""
    return f"acknowledged at {_local(one['at'])}{_by(one, instance)}"


def _by(one: Mapping[str, Any], instance: str) -> str:
    """Who recorded it, on which peer where it was one, and the note."""
    where = f" on {clean(one['origin'])}" if one["origin"] != instance else ""
    note = f": {clean(one['note'])}" if one["note"] else ""
    return f"{_then(one['by'] and 'by ' + one['by'])}{where}{note}"


def _then(text: str) -> str:
    return f" {clean(text)}" if text else ""


def days_left(target: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Days left of the certificate and of the domain, the nearest one of each, where they are known."""
    found = []
    for kind, name in (("tls", "certificate"), ("whois", "domain")):
        details = [check["detail"] for check in target["checks"] if check["kind"] == kind]
        days = [one[key] for one in details for key in _DAYS_LEFT if isinstance(one.get(key), int)]
        found += [(name, min(days))] if days else []
    return found


def newest_run(target: Mapping[str, Any]) -> str:
    """`42 passed`, `3 of 43 failed`, `stale`; "" where no test run is known, or asked for."""
    run = next((check for check in target["checks"] if check["kind"] == "tests"), None)
    if run is None or run["status"] == "unknown":
        return ""
    passed, failed = run["detail"].get("passed"), run["detail"].get("failed")
    if run["status"] == "error":
        return f"{failed} of {(passed or 0) + failed} failed" if failed else "failed"
    return "stale" if run["status"] == "degraded" else "passed" if passed is None else f"{passed} passed"


def percent(uptime: Mapping[str, Any]) -> str:
    """`99.93 %`, with the known share where it is not the whole window. Cut, not rounded: 100 % is nothing less."""
    if uptime["percent"] is None:
        return "–"
    told = f"{int(uptime['percent'] * 100) / 100:.2f}".rstrip("0").rstrip(".")
    known = uptime["coverage"]
    share = "<1" if known < 0.01 else str(int(known * 100))
    shares = [f"{share} % known"] if known < 0.995 else []
    shares += [f"{round(quiet * 100)} % maintenance"] if (quiet := uptime["maintenance"]) >= 0.005 else []
    return f"{told} %" + (f" ({', '.join(shares)})" if shares else "")


def alert_lines(alerts: Sequence[Mapping[str, Any]], known: Known, now: datetime, instance: str) -> list[str]:
    """`alert: makenotwork health: unreachable since … (12 min), notified ops@example.com at …: connection refused`."""
    lines = []
    for alert in alerts:
        age = f" ({short(lasted(datetime.fromisoformat(alert['since']), now))})" if alert["since"] else ""
        head = f"alert: {_name(alert)}: {coloured(alert['status'])}{_since(alert['since'])}{age}"
        lines.append(f"{head}, {_who(_told(alert, known))}: {clean(alert['summary'])}")
        lines += [f"  {acked(alert['ack'], instance)}"] if alert["ack"] else []
    return lines


def _who(told: Told) -> str:
    """`notified ops@example.com at …`; as long as nobody has it, why."""
    if told.at is not None:
        return " ".join(
            ["notified", *([clean(listed(told.recipients))] if told.recipients else []), f"at {local(told.at)}"]
        )
    why = "its notice is not delivered" if told.waiting else f"held: {told.held}" if told.held else ""
    return f"nobody notified yet{f' ({why})' if why else ''}"


def _since(instant: str | None) -> str:
    return f" since {_local(instant)}" if instant else ""


def _local(instant: str) -> str:
    return local(datetime.fromisoformat(instant))


def mesh_lines(found: Mapping[str, Any]) -> list[str]:
    """`pom mesh` as one plain line each: this instance, then its peers."""
    own = found["self"]
    parts = [f"{own['name']}: this instance, PoM {own['version']}, id {own['id'] or 'not known'}"]
    parts += [f"overdue: {', '.join(own['overdue'])}"] if own["overdue"] else []
    parts += own["crashed"]
    parts += [f"undelivered: {own['undelivered']}"] if own["undelivered"] else []
    return [", ".join(parts), *map(peer_line, found["peers"])]


def peer_line(peer: Mapping[str, Any]) -> str:
    """`astra: alive since …, its clock is 45 s ahead of ours`; of one that does not answer also when it last did."""
    parts = [f"{peer['name']}: {click.style(peer['state'], fg=PEER_COLOURS[peer['state']])}{_since(peer['since'])}"]
    if peer["state"] != "alive":
        misses = f"{peer['misses']} miss{'' if peer['misses'] == 1 else 'es'}"
        seen = f"last seen {_local(peer['last_seen'])}" if peer["last_seen"] else "never seen"
        parts += [misses, seen]
    return ", ".join([*parts, *(clean(remark, 300) for remark in peer["remarks"])])


def outbox_line(row: "Row") -> str:
    """`queued: ops@example.com by postmark: [PoM hetzner] …, 3 tries, next …: HTTP 500`."""
    when = f" {local(row.delivered_at)}" if row.delivered_at else ""
    parts = [f"{row.state.replace('_', ' ')}{when}: {row.recipient} by {row.channel}: {clean(row.subject)}"]
    if row.state == "queued":
        parts.append(f"{row.attempts} tries, next {local(row.next_at)}")
    return ", ".join(parts) + (f": {clean(row.error)}" if row.error else "")
