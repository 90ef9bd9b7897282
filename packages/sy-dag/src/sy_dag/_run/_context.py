"""What a running task can say, and what a runner is called with."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Protocol

import attrs


class Speaker(Protocol):
    """Takes what a running node says; the shell of a run is one."""

    def say_progress(self, unit: Unit, fraction: float, message: str) -> None: ...
    def say_log(self, unit: Unit, message: str, fields: Mapping[str, Any]) -> None: ...


@attrs.frozen
class Unit:
    """Which attempt of which node, and which item of it."""

    run_id: str
    workflow: str
    node: str
    item: str | None
    attempt: int


class Context:
    """Where a task runs, and its voice. Safe to use from threads.

    >>> context().progress(0.5, "half way")    # outside a run nobody listens
    """

    __slots__ = ("_speaker", "unit")

    def __init__(self, unit: Unit, speaker: Speaker | None) -> None:
        self.unit = unit
        self._speaker = speaker

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the node is, from 0 to 1; told too often, some are left out."""
        if self._speaker is not None:
            self._speaker.say_progress(self.unit, min(max(float(fraction), 0.0), 1.0), message)

    def log(self, message: str, **fields: Any) -> None:
        """Tell something; it is an event of the run, and kept in its journal."""
        if self._speaker is not None:
            self._speaker.say_log(self.unit, message, fields)

    @property
    def run_id(self) -> str:
        """The run; "" outside of one."""
        return self.unit.run_id

    @property
    def node(self) -> str:
        """The node; "" outside of a run."""
        return self.unit.node

    @property
    def item(self) -> str | None:
        """The item's key, where the node maps."""
        return self.unit.item

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1; 0 outside of a run."""
        return self.unit.attempt

    def __repr__(self) -> str:
        return f"Context(run={self.run_id!r}, node={self.node!r}, item={self.item!r})"


class Source(Protocol):
    """Makes the context of what runs at the moment."""

    def context(self) -> Context: ...


_NOWHERE = Context(Unit("", "", "", None, 0), None)
CURRENT: ContextVar[Source | None] = ContextVar("sy_dag_current", default=None)


def context() -> Context:
    """Return the context of the running task; outside a run one that says nothing to nobody.

    >>> context().node
    ''
    """
    source = CURRENT.get()
    return _NOWHERE if source is None else source.context()
