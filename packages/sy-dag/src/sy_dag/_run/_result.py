"""What came of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from sy_commons import SymphonyError, from_wire
from sy_dag._errors import NodeFailed, RunCancelled, RunInterrupted
from sy_dag._run._core import WHOLE, Core
from sy_dag._run._runners import Source
from sy_dag._run._states import NodeState, RunState


@attrs.frozen
class NodeResult:
    """What became of one node: its state, how often it was tried, its last error.

    ``items`` has the same of each item of a node that maps, by key; ``fallback`` names the node
    that stood in for it.
    """

    state: NodeState
    attempts: int
    error: BaseException | None = None
    items: Mapping[str, NodeResult] = {}
    fallback: str | None = None


@attrs.frozen
class SkippedUnit:
    """A node, or an item of one, that was left out; ``error`` is what it failed of, if it did."""

    node: str
    item: str | None
    error: BaseException | None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.node, self.item, self.error))


class NodeResults(Mapping[str, NodeResult]):
    """The results of a run's nodes by name, each made when it is asked for."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def __getitem__(self, name: str) -> NodeResult:
        core = self._core
        i = core.plan.shape.index[name]
        items = {}
        if (fan := core.fans.get(i)) is not None:
            items = {
                key: NodeResult(state, _attempts(core, i, k, state), _error(core, i, k))
                for k, (key, state) in enumerate(zip(fan.keys, fan.states, strict=True))
            }
        standby = core.plan.fallback[i]
        failed = core.states[i] is NodeState.FAILED
        return NodeResult(
            core.states[i],
            max((item.attempts for item in items.values()), default=0)
            or _attempts(core, i, WHOLE, core.states[i]),
            _error(core, i, WHOLE),
            items,
            core.plan.shape.names[standby] if failed and standby >= 0 else None,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._core.plan.shape.names)

    def __len__(self) -> int:
        return len(self._core.states)

    def __repr__(self) -> str:
        return f"NodeResults({len(self)} nodes)"


@attrs.frozen
class Result:
    """What came of a run, also of one that failed or was stopped.

    ``outputs`` are those that could be made; ``missing`` names the ones whose nodes were skipped.
    ``output_sources`` name the nodes' outputs that flowed into each. ``error`` says why a
    run did not complete. ``stuck`` names what could not be stopped.
    """

    run_id: str
    workflow: str
    state: RunState
    outputs: Mapping[str, Any]
    nodes: Mapping[str, NodeResult] = attrs.field(repr=False)
    error: SymphonyError | None = None
    output_sources: Mapping[str, tuple[Source, ...]] = attrs.field(factory=dict, repr=False)
    missing: tuple[str, ...] = ()
    skipped: tuple[SkippedUnit, ...] = attrs.field(default=(), repr=False)
    stuck: tuple[str, ...] = ()

    def raise_for_state(self) -> Result:
        """Return the result of a completed run; raise ``error`` of any other."""
        if self.error is not None:
            raise self.error
        return self


@attrs.frozen
class StopReport:
    """What a stop came to: the units that stopped, and those left behind running."""

    state: RunState
    stopped: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()


def skipped_units(core: Core) -> tuple[SkippedUnit, ...]:
    """Return what was left out, in the order of the nodes; needless fallbacks are none."""
    names = core.plan.shape.names
    found = []
    for i, state in enumerate(core.states):
        if state is NodeState.SKIPPED and not core.is_needless(i):
            found.append(SkippedUnit(names[i], None, _error(core, i, WHOLE)))
        if (fan := core.fans.get(i)) is not None and fan.skipped:
            found += [
                SkippedUnit(names[i], fan.keys[k], _error(core, i, k))
                for k, was in enumerate(fan.states)
                if was is NodeState.SKIPPED
            ]
    return tuple(found)


def run_error(
    core: Core, exceptions: Mapping[tuple[int, int], BaseException]
) -> SymphonyError | None:
    """Return why the run did not complete, with the node's own exception as its cause."""
    if core.state is RunState.CANCELLED:
        return RunCancelled(run_id=core.run_id, reason=core.reason)
    if core.state is RunState.INTERRUPTED:
        return RunInterrupted(run_id=core.run_id, reason=core.reason)
    if core.state is not RunState.FAILED or core.error is None:
        return None
    if core.failed_unit is None:
        error = from_wire(core.error)
        return error if isinstance(error, SymphonyError) else SymphonyError(str(error))
    i, k = core.failed_unit
    cause = exceptions.get((i, k)) or from_wire(core.error)
    failed = NodeFailed(
        place=core.name_of((i, k)),
        node=core.plan.shape.names[i],
        item=None if k == WHOLE else core.fans[i].keys[k],
        attempt=core.tries.get((i, k), 1),
        reason=_first_line(cause),
    )
    failed.__cause__ = cause
    return failed


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    kind = "" if isinstance(error, SymphonyError) else f"{type(error).__name__}: "
    return kind + text if text != type(error).__name__ else text


def _error(core: Core, i: int, k: int) -> BaseException | None:
    wire = core.errors.get((i, k))
    return None if wire is None else from_wire(wire)


def _attempts(core: Core, i: int, k: int, state: NodeState) -> int:
    tries = core.tries.get((i, k), 0)
    return tries + 1 if state in (NodeState.COMPLETED, NodeState.RUNNING) else tries
