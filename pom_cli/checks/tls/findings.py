"""Pure: what one host's addresses showed → one Finding. What a single handshake is worth is judged elsewhere."""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pom_cli.checks.tls.certificates import Certificate, called
from pom_cli.checks.tls.expiry import days, earliest, expiry
from pom_cli.checks.tls.failures import failure
from pom_cli.checks.tls.sights import Handshake, Sight
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, ERROR, OPERATIONAL, SEVERITY, UNKNOWN, UNREACHABLE, Finding, Past, Verdict, worst
from pom_cli.net.faults import Fault
from pom_cli.text import clean, listed
from pom_cli.times import utc

_NAMES = 20  # of a certificate, in a detail
_MODERN = re.compile("GCM|CHACHA20|CCM")  # authenticated encryption: what RFC 9325, section 4.2, recommends
_WELL = "the handshake succeeds"


@dataclass(frozen=True)
class Ruling:
    """What one handshake says of either alert. `reason` is in a few words: `valid`, `expired`, `wrong host`."""

    seen: Handshake
    failed: Verdict
    expiry: Verdict
    reason: str


def finding(subject: str, sight: Sight, warn: timedelta, before: Past, now: datetime) -> Finding:
    """The finding for one host; `before` is what was known of it."""
    if sight.fault:
        return _nothing(subject, sight.fault, before)
    looked_at = [rule(seen, warn, now) for seen in sight.handshakes]
    rulings = counting(subject, looked_at)
    failed = together([_softened(one, rulings) for one in rulings])
    ending = together([(one.seen.address, one.expiry) for one in rulings])
    lead = min(rulings, key=_rank)
    history = _history(rulings, before)
    return Finding(
        subject=subject,
        status=worst((failed.status, ending.status)),
        summary="; ".join([_summary(failed, ending, lead), *_notes(rulings, history)]),
        verdicts={"tls-failed": failed, "tls-expiry": ending},
        latency_ms=None if lead.seen.took_ms is None else round(lead.seen.took_ms),
        detail={**_detail(lead, rulings, now), **history, **_addresses(looked_at, sight.more)},
        answered=any(one.seen.chain or one.failed.status is ERROR for one in rulings),
    )


def _nothing(subject: str, fault: Fault, before: Past) -> Finding:
    told = f"{fault.reason} ({fault.phase})" if "within" in fault.reason else fault.reason
    return Finding(
        subject=subject,
        status=fault.status,
        summary=told,
        verdicts={"tls-failed": Verdict(fault.status, told), "tls-expiry": Verdict(UNKNOWN, told)},
        detail={"source": "tls", "phase": fault.phase, "reason": fault.reason, **_kept(before)},
        answered=False,
    )


def rule(seen: Handshake, warn: timedelta, now: datetime) -> Ruling:
    """Both verdicts on one handshake."""
    wrong, ending = failure(seen, now), expiry(seen, warn, now)
    failed = Verdict(wrong.status, wrong.text or _WELL)
    by_dates = {ERROR: "expired", DEGRADED: "expiring"}.get(ending.status, "valid")
    return Ruling(seen, failed, ending, wrong.reason or by_dates)


def counting(subject: str, rulings: Sequence[Ruling]) -> list[Ruling]:
    """Those that say something of the host. Where one address was reached, some others that were not do not count."""
    reached = {_family(one.seen) for one in rulings if one.seen.connected}
    local = subject.rpartition(":")[0].split(".")[-1] == "localhost"
    return [one for one in rulings if one.seen.connected or not reached or not _ours(one.seen, reached, local)]


def _ours(one: Handshake, reached: set[str], local: bool) -> bool:
    """Is the reason on our side: our own fault; a whole family (IPv6) that this host does not reach; or `localhost`,
    which is both 127.0.0.1 and ::1 on every machine, whichever of them a server listens on."""
    own = one.fault is not None and one.fault.blame == "ours"
    return own or (_family(one) not in reached and (one.no_way or local))


def _family(one: Handshake) -> str:
    return "IPv6" if ":" in one.address else "IPv4"


def _softened(one: Ruling, rulings: Sequence[Ruling]) -> tuple[str, Verdict]:
    """A silent address of several: clients go on to the next one, so the host works and needs attention."""
    verdict = one.failed
    if verdict.status is UNREACHABLE and any(each.failed.status not in (UNREACHABLE, UNKNOWN) for each in rulings):
        verdict = replace(verdict, status=DEGRADED)
    return one.seen.address, verdict


def together(each: Sequence[tuple[str, Verdict]]) -> Verdict:
    """The verdict on a host from those on its addresses: the worst that is known, with the addresses that are bad."""
    if len(each) == 1:
        return each[0][1]
    known = [(address, one) for address, one in each if one.status is not UNKNOWN] or list(each)
    status = worst(one.status for _, one in known)
    chosen = [one for _, one in known if one.status is status]
    first = min(chosen, key=lambda one: (one.days_left is None, one.days_left))
    bad = [f"{address}: {one.summary}" for address, one in known if one.status is not OPERATIONAL]
    if status in (OPERATIONAL, UNKNOWN) or len({one.summary for _, one in each}) == 1:
        return first
    return replace(first, summary=f"{len(bad)} of {len(each)} addresses: " + listed(bad))


def _rank(one: Ruling) -> tuple[int, bool, int, str]:
    """The worst first, then the one that ends first."""
    left = one.expiry.days_left
    severity = max(SEVERITY[one.failed.status], SEVERITY[one.expiry.status])
    return -severity, left is None, left or 0, one.seen.address


def _summary(failed: Verdict, ending: Verdict, lead: Ruling) -> str:
    bad = [one.summary for one in (failed, ending) if one.status not in (OPERATIONAL, UNKNOWN)]
    if bad:
        return "; ".join(bad)
    if failed.status is UNKNOWN:
        return failed.summary
    return f"{'valid' if lead.seen.verified else 'not verified'}, {ending.summary}"


def _notes(rulings: Sequence[Ruling], history: Mapping[str, Any]) -> list[str]:
    """What is worth a word and no alert."""
    shown = _fingerprints(rulings)
    notes = [f"{len(shown)} different certificates on {len(rulings)} addresses"] if len(shown) > 1 else []
    old = sorted({one.seen.cipher for one in rulings if one.seen.cipher and not _MODERN.search(one.seen.cipher)})
    notes += [f"outdated cipher {cipher}" for cipher in old]
    return notes + (["renewed"] if "renewed_from" in history else [])


def _fingerprints(rulings: Iterable[Ruling]) -> set[str]:
    return {one.seen.leaf.fingerprint for one in rulings if one.seen.leaf}


def _history(rulings: Sequence[Ruling], before: Past) -> dict[str, Any]:
    """What was there before, where none or none but new certificates are shown now."""
    kept, shown = _kept(before), _fingerprints(rulings)
    if not shown or not kept:
        return kept
    known = {*kept.values(), *(each.get("fingerprint") for each in before.detail.get("addresses") or ())}
    return {} if known & shown else {"renewed_from": kept["last_fingerprint"]}


def _kept(before: Past) -> dict[str, Any]:
    """The certificate that was seen last, so that a renewal during an outage is noted too."""
    known = before.detail.get("fingerprint") or before.detail.get("last_fingerprint")
    return {"last_fingerprint": known} if known else {}


def _detail(lead: Ruling, rulings: Iterable[Ruling], now: datetime) -> dict[str, Any]:
    """What the worst address says; where it showed no certificate, then that of the next one that did."""
    shown = min((one for one in rulings if one.seen.chain), key=_rank, default=lead).seen
    seen = lead.seen
    detail: dict[str, Any] = {
        "source": "tls",
        "reason": lead.reason,
        "address": seen.address,
        "phase": seen.fault.phase if seen.fault else None,
        "verified": shown.verified,
        "protocol": shown.protocol or None,
        "certificate": lead.reason if seen.fault and seen.fault.blame == "certificate" else None,
        "cipher": shown.cipher or None,
    }
    if shown.leaf:
        ends, first = shown.leaf.not_after, earliest(shown.chain)
        detail |= {**_certificate(shown.chain), "days_left": days(ends, now) if ends else None}
        if first and shown.verified and first != ends:
            detail["chain_days_left"] = days(first, now)
    return {key: value for key, value in detail.items() if value is not None}


@functools.lru_cache(maxsize=1024)
def _certificate(chain: tuple[Certificate, ...]) -> dict[str, Any]:
    """What does not change from day to day; worked out once for the several times that a run judges."""
    leaf, ends = chain[0], earliest(chain)
    return {
        "expires_at": utc(leaf.not_after) if leaf.not_after else None,
        "chain_expires_at": utc(ends) if ends else None,
        "not_before": utc(leaf.not_before) if leaf.not_before else None,
        "issuer": called(leaf.issuer),
        "names": [clean(name, 100) for name in leaf.names[:_NAMES]],
        "fingerprint": leaf.fingerprint,
        "serial": clean(leaf.serial, 64),
    }


def _addresses(looked_at: Iterable[Ruling], more: int) -> dict[str, Any]:
    """Every address that was looked at, those too that do not count, and how many more there are."""
    found = []
    for one in looked_at:
        each: dict[str, Any] = {"address": one.seen.address, "reason": one.reason}
        if one.seen.chain:
            facts = _certificate(one.seen.chain)
            each |= {key: facts[key] for key in ("fingerprint", "expires_at")}
        found.append(each)
    return {"addresses": found, **({"more_addresses": more} if more else {})}
