"""Is this host's clock right: what the `Date` of answers and the peers say. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pom_cli.alerting.overdue import limit
from pom_cli.config import Config
from pom_cli.frozen import dataclass
from pom_cli.model import DEGRADED, OPERATIONAL, Condition, State
from pom_cli.quantiles import median
from pom_cli.store.peers import PeerRow
from pom_cli.text import listed
from pom_cli.times import holds, short
from pom_cli.toml.address import is_loopback, split_url

ALERT = "clock-wrong"
LIMIT_S = 120  # seconds that clocks may differ by
SKEW = "clock_skew_s"  # in a finding's detail: the server's clock less ours
_BEAT = timedelta(minutes=2.5)


@dataclass(frozen=True)
class Clock:
    """Another clock. `here`: it is this machine's own, so that its agreement proves nothing."""

    name: str
    skew_s: float  # it less ours
    here: bool = False


def others(config: Config, health: Mapping[str, State], peers: Mapping[str, PeerRow], now: datetime) -> list[Clock]:
    """Every clock that has been read lately, each server once however many targets it has."""
    found: dict[str, Clock] = {}
    for name, state in health.items():
        target, skew, address = config.targets.get(name), state.detail.get(SKEW), str(state.detail.get("address"))
        check = target.checks.get("health") if target else None
        if check and isinstance(skew, int | float) and _fresh(state.checked_at, limit(check.interval), now):
            here = is_loopback(address)
            place = split_url(str(state.detail.get("url"))).netloc if here else address
            found.setdefault(place, Clock(name, skew, here))
    for name, row in peers.items():
        if name in config.peers and row.skew_s is not None and _fresh(row.asked_at, _BEAT, now) and not row.fault:
            found[f"peer {name}"] = Clock(f"peer {name}", row.skew_s)
    return list(found.values())


def _fresh(at: datetime, most: timedelta, now: datetime) -> bool:
    return holds(at, now) and now - at <= most


def condition(clocks: Sequence[Clock]) -> Condition | None:
    """Wrong if a majority of at least two others agree on another time; None if undecidable.

    One server alone may have a broken clock itself.
    """
    off = [one for one in clocks if abs(one.skew_s) > LIMIT_S]
    agreed = [one for one in clocks if abs(one.skew_s) <= LIMIT_S]
    middle = median(sorted(one.skew_s for one in off)) or 0.0
    alike = [one for one in off if abs(one.skew_s - middle) <= LIMIT_S]
    against = len(off) - len(alike) + sum(not one.here for one in agreed)
    if len(alike) > max(1, against):
        return Condition("", ALERT, DEGRADED, _told(middle, alike))
    if len(agreed) > len(off):
        return Condition("", ALERT, OPERATIONAL, f"this host's clock agrees with {_names(agreed)}")
    return None


def _told(skew_s: float, clocks: Sequence[Clock]) -> str:
    """`this host's clock is 2 h ahead of shop, peer astra`."""
    where = "ahead of" if skew_s < 0 else "behind"
    return f"this host's clock is {short(timedelta(seconds=abs(skew_s)))} {where} {_names(clocks)}"


def _names(clocks: Iterable[Clock]) -> str:
    return listed(sorted(one.name for one in clocks))
