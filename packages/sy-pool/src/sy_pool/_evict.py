"""Who has to go when memory is wanted: pure choices, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from sy_commons import format_duration


@attrs.frozen
class Resident:
    """A loaded model that nobody holds, as an eviction policy sees it. Times are monotonic."""

    name: str
    size_bytes: int
    loaded_at_s: float
    load_s: float
    last_used_s: float
    uses: int


@attrs.frozen
class Victim:
    """A model that may go, and why this one."""

    name: str
    reason: str


class EvictionPolicy(Protocol):
    """Orders what may be evicted; a pool takes from the front until there is room.

    It is called under the pool's lock: it has to be quick, and sees only values. What it leaves
    out stays.

    >>> class SmallestFirst:
    ...     def rank(self, residents, *, now_s):
    ...         by_size = sorted(residents, key=lambda resident: resident.size_bytes)
    ...         return [Victim(resident.name, "the smallest") for resident in by_size]
    >>> from sy_pool import Budget, ModelPool
    >>> pool = ModelPool(Budget(memory="1 GiB"), policy=SmallestFirst())
    """

    def rank(self, residents: Sequence[Resident], *, now_s: float) -> Sequence[Victim]:
        """Return the residents that may go, the first to go first."""
        ...


class LeastRecentlyUsed:
    """Evicts what was not used for the longest time.

    >>> old, new = (Resident(n, 1, 0, 0, t, 1) for n, t in (("old", 1.0), ("new", 9.0)))
    >>> [victim.name for victim in LeastRecentlyUsed().rank([new, old], now_s=10.0)]
    ['old', 'new']
    """

    __slots__ = ()

    def rank(self, residents: Sequence[Resident], *, now_s: float) -> Sequence[Victim]:
        """Return all of them, the longest unused first; equal ones by name."""
        ordered = sorted(residents, key=lambda resident: (resident.last_used_s, resident.name))
        return [
            Victim(one.name, f"unused for {format_duration(max(now_s - one.last_used_s, 0.0))}")
            for one in ordered
        ]

    def __repr__(self) -> str:
        return "LeastRecentlyUsed()"


def choose_victims(
    policy: EvictionPolicy, residents: Sequence[Resident], need_bytes: int, *, now_s: float
) -> list[Victim] | None:
    """Return whom to evict to free *need_bytes*, or None where all together do not suffice.

    Nobody goes in vain: what the later choices make unnecessary stays. A policy that raises or
    names strangers does not stop the pool: least recently used decides, and the reason says so.

    >>> small, big = Resident("small", 1, 0, 0, 1.0, 1), Resident("big", 8, 0, 0, 2.0, 1)
    >>> [v.name for v in choose_victims(LeastRecentlyUsed(), [small, big], 8, now_s=3.0)]
    ['big']
    """
    sizes = {resident.name: resident.size_bytes for resident in residents}
    if sum(sizes.values()) < need_bytes:
        return None
    chosen: list[Victim] = []
    freed = 0
    for victim in _ranked(policy, residents, now_s):
        if freed >= need_bytes:
            break
        chosen.append(victim)
        freed += sizes[victim.name]
    if freed < need_bytes:
        return None
    for victim in reversed(chosen[:-1]):  # the last one was needed, or the loop had stopped
        if freed - sizes[victim.name] >= need_bytes:
            chosen.remove(victim)
            freed -= sizes[victim.name]
    return chosen


def _ranked(
    policy: EvictionPolicy, residents: Sequence[Resident], now_s: float
) -> Sequence[Victim]:
    try:
        ranked = list(policy.rank(residents, now_s=now_s))
        names = [victim.name for victim in ranked]
        if len(set(names)) == len(names) and {one.name for one in residents}.issuperset(names):
            return ranked
        trouble = "named strangers, or one twice"
    except Exception as error:  # noqa: BLE001 - somebody else's policy must not stop the pool
        trouble = f"raised {type(error).__name__}: {error}"
    fallback = LeastRecentlyUsed().rank(residents, now_s=now_s)
    return [Victim(v.name, f"{v.reason} ({policy!r} {trouble})") for v in fallback]
