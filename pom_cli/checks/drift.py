"""Latency drift: is a target that answers well slower than it used to be? Pure."""

from datetime import timedelta

from pom_cli.frozen import dataclass
from pom_cli.model import Past
from pom_cli.quantiles import median
from pom_cli.toml.table import Table

RECENT = 6  # good results, the present one included


@dataclass(frozen=True)
class Rule:
    """Drift begins above `factor` times the baseline and at least `floor_ms` over it."""

    factor: float = 2.0
    floor_ms: float = 50.0
    samples: int = 100  # fewer good results than this in the baseline: no judgement

    @property
    def end(self) -> float:
        """Once begun it ends below this many times the baseline: 1.5 for the usual factor of 2."""
        return max(1.0, 0.75 * self.factor)


def parse(table: Table) -> Rule | None:
    """The Rule of a `health` table; None where it is `drift = false`."""
    if isinstance(table.data.get("drift", True), bool):
        return Rule() if table.boolean("drift", True) else None
    own = table.table("drift")
    rule = Rule(
        factor=own.number("factor", 2.0, 1.1, 100.0),
        floor_ms=own.duration("floor", timedelta(milliseconds=50), "50ms", high="1h") / timedelta(milliseconds=1),
        samples=own.integer("samples", 100, 1, 100_000),
    )
    own.finish()
    return rule


@dataclass(frozen=True)
class Drift:
    """`drifting` is None while it is unknown; the previous state is then kept."""

    drifting: bool | None
    median_ms: float | None = None
    baseline_ms: float | None = None


def assess(latency_ms: int, past: Past, rule: Rule) -> Drift:
    """The drift after one more good answer of `latency_ms`.

    A baseline of too few samples ends a drift as well: drifting results stay out of it, so one that lasts for a week
    has become the usual, and the baseline begins anew with it.
    """
    recent = (*past.recent_ms, latency_ms)[-RECENT:]
    median_ms = median(recent) if len(recent) == RECENT else None
    if median_ms is None:
        return Drift(None)
    if not past.drifting and _plainly_fine(median_ms, past.usual_ms, rule):
        return Drift(False, median_ms)
    baseline = past.baseline()
    if baseline.median_ms is None or baseline.samples < rule.samples:
        return Drift(False, median_ms)
    usual = baseline.median_ms
    begun = median_ms > rule.factor * usual and median_ms - usual >= rule.floor_ms
    lasts = past.drifting and median_ms >= rule.end * usual
    return Drift(begun or lasts, median_ms, usual)


def _plainly_fine(median_ms: float, usual_ms: float | None, rule: Rule) -> bool:
    """No drift can begin here, so skip the exact baseline, which is expensive."""
    if median_ms < rule.floor_ms:
        return True
    # The cached baseline is up to an hour old; within an hour it does not fall by the third that is left as a margin.
    return usual_ms is not None and median_ms <= 0.7 * rule.factor * usual_ms


def describe(drift: Drift) -> str:
    """`now 412 ms, normally 150 ms (2.7× the 7-day median)`."""
    if drift.median_ms is None or drift.baseline_ms is None:
        return "slower than usual"
    times = drift.median_ms / max(drift.baseline_ms, 1.0)
    return f"now {drift.median_ms:.0f} ms, normally {drift.baseline_ms:.0f} ms ({times:.1f}× the 7-day median)"
