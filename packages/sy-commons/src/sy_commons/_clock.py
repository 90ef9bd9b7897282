"""The time, from the system or from a test's hand."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Gives the time; what decides takes a Clock, so that tests and simulators can turn it."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        ...

    def wall(self) -> float:
        """Return seconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's own clock. Stateless and safe everywhere.

    >>> SystemClock().wall() > 1.7e9
    True
    """

    __slots__ = ()

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()

    def __repr__(self) -> str:
        return "SystemClock()"


class VirtualClock:
    """A clock that moves only when told to, and calls what was due on the way.

    Not safe between threads: it belongs to the one test or simulation that turns it.

    >>> clock = VirtualClock(wall=1_000_000.0)
    >>> rung = []
    >>> clock.call_at(5.0, lambda: rung.append(clock.monotonic()))
    >>> clock.advance(10.0)
    >>> (rung, clock.monotonic(), clock.wall())
    ([5.0], 10.0, 1000010.0)
    """

    __slots__ = ("_due", "_now", "_sequence", "_wall")

    def __init__(self, *, wall: float = 0.0) -> None:
        self._now = 0.0
        self._wall = wall
        self._sequence = 0
        self._due: list[tuple[float, int, Callable[[], object]]] = []

    def monotonic(self) -> float:
        """Return the virtual seconds passed so far."""
        return self._now

    def wall(self) -> float:
        """Return the virtual seconds since the Unix epoch."""
        return self._wall

    def call_at(self, when: float, callback: Callable[[], object]) -> None:
        """Call *callback* as the clock passes *when* (monotonic seconds); equal times in order."""
        heapq.heappush(self._due, (when, self._sequence, callback))
        self._sequence += 1

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass, calling what falls due in order."""
        if not seconds >= 0:  # NaN as well
            raise ValueError(f"monotonic time does not go back, and {seconds} s were asked for")
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            when, _, callback = heapq.heappop(self._due)
            self._move(max(when, self._now))
            callback()
        self._move(max(end, self._now))  # a callback may have advanced it further

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forwards or back by *seconds*, as an administrator or NTP does."""
        self._wall += seconds

    def _move(self, when: float) -> None:
        self._wall += when - self._now
        self._now = when

    def __repr__(self) -> str:
        return f"VirtualClock(monotonic={self._now}, wall={self._wall}, due={len(self._due)})"
