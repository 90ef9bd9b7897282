"""What a pool tells of itself: numbers for dashboards, a story for people."""

from __future__ import annotations

import attrs

from sy_commons import format_duration, format_size
from sy_pool._lifecycle import State, Transition
from sy_pool._scheduler import Scheduler, Slot


@attrs.frozen
class ModelStats:
    """One model's numbers. A hit found it loaded; all other uses waited."""

    name: str
    state: State
    size_bytes: int
    holders: int
    waiting: int
    uses: int
    hits: int
    loads: int
    failed_loads: int


@attrs.frozen
class PoolStats:
    """A pool's numbers: what its models take now, and what they did since it was made.

    >>> from sy_pool import Budget, Model, ModelPool
    >>> pool = ModelPool(Budget(memory="1 GiB"))
    >>> pool.register(Model("upper", load=lambda: str.upper, memory="400 MiB"))
    >>> stats = pool.stats()
    >>> stats.resident_bytes, [model.name for model in stats.models]
    (0, ['upper'])
    """

    budget_bytes: int
    resident_bytes: int
    reserved_bytes: int
    evictions: int
    models: tuple[ModelStats, ...]

    @property
    def hit_rate(self) -> float:
        """The share of uses that found the model loaded; 0.0 before the first."""
        uses = sum(model.uses for model in self.models)
        return sum(model.hits for model in self.models) / uses if uses else 0.0


@attrs.frozen
class Stake:
    """One who holds a model or waits for it, and for how long already.

    >>> print(Stake("ann", for_s=90.0))
    ann for 1m 30s
    """

    client: str
    for_s: float

    def __str__(self) -> str:
        return f"{self.client} for {format_duration(self.for_s)}"


@attrs.frozen
class Explanation:
    """Why a model is where it is: who holds it, who waits for what, and its last steps.

    ``str()`` of it is for people.

    >>> from sy_pool import Budget, Model, ModelPool
    >>> pool = ModelPool(Budget(memory="1 GiB"))
    >>> pool.register(Model("upper", load=lambda: str.upper, memory="400 MiB"))
    >>> print(pool.explain("upper"))
    upper (400 MiB) is cold
    """

    name: str
    state: State
    size_bytes: int
    holders: tuple[Stake, ...]
    waiting: tuple[Stake, ...]
    obstacle: str
    history: tuple[Transition, ...]
    now_s: float

    def __str__(self) -> str:
        lines = [f"{self.name} ({format_size(self.size_bytes)}) is {self.state}"]
        lines += [f"  held by {stake}" for stake in self.holders]
        lines += [f"  wanted by {stake}" for stake in self.waiting]
        lines += [f"  waiting because {self.obstacle}"] if self.obstacle else []
        lines += [
            f"  {format_duration(max(self.now_s - step.at_s, 0.0))} ago {step}"
            for step in reversed(self.history)
        ]
        return "\n".join(lines)


def pool_stats(core: Scheduler, budget_bytes: int) -> PoolStats:
    """Return the numbers of a scheduler as they are."""
    return PoolStats(
        budget_bytes=budget_bytes,
        resident_bytes=core.ledger.resident_bytes,
        reserved_bytes=core.ledger.reserved_bytes,
        evictions=core.evictions,
        models=tuple(_model_stats(slot) for slot in core.slots.values()),
    )


def explanation(
    core: Scheduler,
    slot: Slot,
    *,
    holders: list[Stake],
    waiting: list[Stake],
    now_s: float,
) -> Explanation:
    """Return the story of one model as it is."""
    return Explanation(
        name=slot.name,
        state=slot.life.state,
        size_bytes=slot.size_bytes,
        holders=tuple(sorted(holders, key=lambda stake: (-stake.for_s, stake.client))),
        waiting=tuple(waiting),
        obstacle=core.obstacle(slot) if waiting else "",
        history=tuple(slot.life.history),
        now_s=now_s,
    )


def _model_stats(slot: Slot) -> ModelStats:
    return ModelStats(
        name=slot.name,
        state=slot.life.state,
        size_bytes=slot.size_bytes,
        holders=len(slot.holders),
        waiting=len(slot.waiting),
        uses=slot.uses,
        hits=slot.uses - slot.granted,
        loads=slot.loads,
        failed_loads=slot.failures,
    )
