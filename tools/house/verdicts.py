"""What numbers mean beside a budget: medians, ratios, spreads and verdicts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

NOISY_SPREAD = 0.30
PLAIN: dict[str, Callable[[Sequence[float]], float]] = {
    "max": max,
    "mean": fmean,
    "min": min,
    "p50": median,
    "sum": sum,
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A limit on one statistic of ours: as a ratio to *peer*'s, or absolute where peer is None."""

    limit: float
    direction: str = "<="
    peer: str | None = None
    statistic: str = "p50"

    def __post_init__(self) -> None:
        """Refuse a direction or a statistic that nothing here understands."""
        if self.direction not in ("<=", ">="):
            raise ValueError(f'a budget is "<=" or ">=", not {self.direction!r}')
        statistic_of([0.0], self.statistic)

    def holds(self, value: float) -> bool:
        """Tell whether *value* is within the limit."""
        return value <= self.limit if self.direction == "<=" else value >= self.limit

    def __str__(self) -> str:
        """Return ``<= 0.8x`` for a ratio, ``<= 0.005`` for an absolute."""
        return f"{self.direction} {self.limit:g}" + ("x" if self.peer is not None else "")


def at_most(limit: float, *, peer: str | None = None, statistic: str = "p50") -> Budget:
    """Return the budget "at most *limit*", times *peer*'s where one is named.

    >>> str(at_most(0.8, peer="plain file"))
    '<= 0.8x'
    """
    return Budget(limit=limit, peer=peer, statistic=statistic)


def at_least(limit: float, *, peer: str | None = None, statistic: str = "p50") -> Budget:
    """Return the budget "at least *limit*", times *peer*'s where one is named; for rates.

    >>> at_least(50_000).holds(60_000)
    True
    """
    return Budget(limit=limit, direction=">=", peer=peer, statistic=statistic)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How one budget was met: every number in the case's unit."""

    name: str
    word: str
    budget: Budget
    ours: float
    peer: float | None
    value: float
    spread: float
    rounds: int
    unanimous: bool


def judge(
    name: str,
    budget: Budget,
    ours: Sequence[Sequence[float]],
    peer: Sequence[Sequence[float]] | None = None,
) -> Verdict:
    """Judge *budget* by the rounds of both sides, each round a list of samples.

    A ratio is taken within each round, where both sides saw the same weather; the median of the
    rounds decides, and a wide spread between them says NOISY in its place.

    >>> judge("put", at_most(0.8, peer="file"), [[1.0], [1.1]], [[2.0], [2.0]]).word
    'PASS'
    """
    mine = [statistic_of(samples, budget.statistic) for samples in ours]
    theirs = None if peer is None else [statistic_of(samples, budget.statistic) for samples in peer]
    values = mine if theirs is None else [_ratio(m, t) for m, t in zip(mine, theirs, strict=True)]
    value, spread = median(values), spread_of(values)
    held = [budget.holds(each) for each in values]
    word = "PASS" if budget.holds(value) else "FAIL"
    return Verdict(
        name=name,
        word="NOISY" if spread > NOISY_SPREAD else word,
        budget=budget,
        ours=median(mine),
        peer=None if theirs is None else median(theirs),
        value=value,
        spread=spread,
        rounds=len(values),
        unanimous=all(held) or not any(held),
    )


def statistic_of(samples: Sequence[float], statistic: str) -> float:
    """Return ``min``, ``mean``, ``max``, ``sum`` or a percentile (``p50``, ``p99.9``) of samples.

    >>> statistic_of([3.0, 1.0, 2.0], "p50"), statistic_of(range(1, 101), "p95")
    (2.0, 95)
    """
    if statistic in PLAIN:
        return PLAIN[statistic](samples)
    if not statistic.startswith("p"):
        raise ValueError(f"no statistic {statistic!r}: min, mean, max, sum or pNN")
    ordered = sorted(samples)
    rank = -(-len(ordered) * float(statistic[1:]) // 100)  # nearest rank: the smallest that covers
    return ordered[max(0, int(rank) - 1)]


def spread_of(values: Sequence[float]) -> float:
    """Return the distance of the quartiles over the median: what half of the rounds stray by.

    >>> spread_of([1.0, 1.0, 1.0, 1.0, 9.0]), spread_of([1.0, 2.0, 3.0])
    (0.0, 0.5)
    """
    if len(values) < 2:
        return 0.0
    lower, middle, upper = quantiles(values, n=4, method="inclusive")
    return (upper - lower) / middle if middle else 0.0


def _ratio(ours: float, peer: float) -> float:
    return ours / peer if peer else float("inf")


def render(verdict: Verdict, *, width: int, unit: str = "s") -> str:
    """Return the closing line: word, name, ours, peer, ratio, budget, and the rounds' spread."""
    budget = verdict.budget
    parts = [f"{verdict.word:<5} {verdict.name:<{width}}  ours {quantity(verdict.ours, unit)}"]
    if verdict.peer is not None:
        parts.append(f"{budget.peer} {quantity(verdict.peer, unit)}")
        parts.append(f"ratio {verdict.value:.3g}")
        parts.append(f"budget {budget}")
    else:
        parts.append(f"budget {budget.direction} {quantity(budget.limit, unit)}")
    parts.append(f"{budget.statistic} of {verdict.rounds} rounds, spread {verdict.spread:.0%}")
    if verdict.word == "NOISY" and verdict.unanimous:
        side = "within" if budget.holds(verdict.value) else "beyond"
        parts.append(f"every round {side}")
    return "  ".join(parts)


def quantity(value: float, unit: str) -> str:
    """Return *value* as a reader says it.

    >>> quantity(0.00123, "s"), quantity(41, "modules"), quantity(61_234.5, "/s")
    ('1.23 ms', '41 modules', '61.2k/s')
    """
    if unit == "s":
        for scale, name in ((1, "s"), (1e3, "ms"), (1e6, "us")):
            if abs(value) * scale >= 1:
                return f"{value * scale:.3g} {name}"
        return f"{value * 1e9:.3g} ns"
    if unit == "/s":
        return f"{value / 1e3:.3g}k/s" if value >= 1000 else f"{value:.3g}/s"
    shown = f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"
    return f"{shown} {unit}".rstrip()
