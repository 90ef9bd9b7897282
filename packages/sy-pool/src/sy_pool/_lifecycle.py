"""The states of a model, the ways between them, and why each was taken."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

import attrs

from sy_commons import InternalError

HISTORY = 32


class State(StrEnum):
    """Where a model is in its life.

    >>> print(*State)
    cold warming hot cooling failed
    """

    COLD = "cold"
    WARMING = "warming"
    HOT = "hot"
    COOLING = "cooling"
    FAILED = "failed"


ALLOWED = frozenset(
    {
        (State.COLD, State.WARMING),
        (State.WARMING, State.HOT),
        (State.WARMING, State.FAILED),
        (State.FAILED, State.WARMING),
        (State.HOT, State.COOLING),
        (State.COOLING, State.HOT),  # wanted again before its unload began
        (State.COOLING, State.COLD),
    }
)


@attrs.frozen
class Transition:
    """One step of a model's life: when (monotonic seconds), from where to where, and why.

    >>> print(Transition(1.0, State.HOT, State.COOLING, "idle for 1m"))
    hot → cooling: idle for 1m
    """

    at_s: float
    source: State
    target: State
    reason: str

    def __str__(self) -> str:
        return f"{self.source} → {self.target}: {self.reason}"


class Lifecycle:
    """A model's state and its last steps; takes no way that is not in the table.

    >>> life = Lifecycle()
    >>> life.move(State.WARMING, "ann asked for it", at_s=1.0)
    >>> print(life.state, "|", *life.history)
    warming | cold → warming: ann asked for it
    """

    __slots__ = ("history", "state")

    def __init__(self) -> None:
        self.state = State.COLD
        self.history: deque[Transition] = deque(maxlen=HISTORY)

    def move(self, target: State, reason: str, *, at_s: float) -> None:
        """Go to *target*; raises :class:`InternalError` where no way leads there."""
        if (self.state, target) not in ALLOWED:
            raise InternalError(f"no model goes from {self.state} to {target} ({reason})")
        self.history.append(Transition(at_s, self.state, target, reason))
        self.state = target

    def __repr__(self) -> str:
        return f"<Lifecycle {self.state} after {len(self.history)} steps>"
