"""Who may run now: places by lane, and limits by tag, taken before a node is started."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush

from sy_dag._run._plan import Lane, Plan


class Places:
    """Ready nodes wait here, most urgent first, until their lane and their tags have a place.

    The inline lane has one place: the loop does one thing at a time, and that one is then the
    most urgent. A node that lacks a tag's place is put aside and keeps nobody else waiting.
    """

    __slots__ = (
        "_aside",
        "_capacity",
        "_free",
        "_heaps",
        "_lanes",
        "_limits",
        "_queues",
        "_tags",
        "_tokens",
    )

    def __init__(
        self, plan: Plan, capacity: Mapping[Lane, int], limits: Mapping[str, int] | None = None
    ) -> None:
        self._lanes = plan.lanes
        self._capacity = [capacity.get(lane, 1) for lane in Lane]
        self._limits = dict(limits or {})
        self._tags = {
            i: limited
            for i, tags in plan.tags.items()
            if (limited := tuple(tag for tag in tags if tag in self._limits))
        }
        self.reset()

    def reset(self) -> None:
        """Nobody waits, and nobody runs."""
        self._free = list(self._capacity)
        self._heaps: list[list[int]] = [[] for _ in self._capacity]
        self._queues = tuple(enumerate(self._heaps))
        self._tokens = dict(self._limits)
        self._aside: dict[str, list[int]] = {tag: [] for tag in self._limits}

    def offer(self, i: int) -> None:
        """Node *i* is ready; a node that maps is offered once for as long as it has items."""
        heappush(self._heaps[self._lanes[i]], i)

    def take(self) -> int:
        """Return the most urgent node that has a place, and take it; -1 if there is none."""
        free, tags = self._free, self._tags
        for lane, heap in self._queues:
            while heap and free[lane]:
                i = heappop(heap)
                if tags and i in tags and not self._take_tags(i):
                    continue
                free[lane] -= 1
                return i
        return -1

    def leave(self, i: int) -> None:
        """Node *i*, or an item of it, has ended: its place is free."""
        self._free[self._lanes[i]] += 1
        if not self._tags:
            return
        for tag in self._tags.get(i, ()):
            self._tokens[tag] += 1
            if self._aside[tag]:
                self.offer(heappop(self._aside[tag]))

    def _take_tags(self, i: int) -> bool:
        for tag in self._tags[i]:
            if not self._tokens[tag]:
                heappush(self._aside[tag], i)
                return False
        for tag in self._tags[i]:
            self._tokens[tag] -= 1
        return True
