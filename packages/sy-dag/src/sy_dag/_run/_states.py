"""The states of runs and nodes, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sy_dag._errors import IllegalTransition


class RunState(StrEnum):
    """Where a run is."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"


class NodeState(StrEnum):
    """Where a node, or an item of a node that maps, is."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


RUN_TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.PENDING: frozenset({RunState.RUNNING}),
    RunState.RUNNING: frozenset({RunState.CANCELLING, RunState.COMPLETED, RunState.FAILED}),
    # What stops first waits for what runs to stop; then it is what it was stopped for.
    RunState.CANCELLING: frozenset({RunState.CANCELLED, RunState.INTERRUPTED, RunState.FAILED}),
    # Resuming makes these run again; the other two are final.
    RunState.INTERRUPTED: frozenset({RunState.RUNNING}),
    RunState.FAILED: frozenset({RunState.RUNNING}),
    RunState.CANCELLED: frozenset(),
    RunState.COMPLETED: frozenset(),
}
NODE_TRANSITIONS: Mapping[NodeState, frozenset[NodeState]] = {
    NodeState.PENDING: frozenset({NodeState.READY, NodeState.SKIPPED}),
    # A node that maps over nothing is completed without running.
    NodeState.READY: frozenset(
        {NodeState.RUNNING, NodeState.COMPLETED, NodeState.FAILED, NodeState.SKIPPED}
    ),
    NodeState.RUNNING: frozenset(
        {
            NodeState.COMPLETED,
            NodeState.FAILED,
            NodeState.SKIPPED,
            NodeState.RETRYING,
            NodeState.CANCELLED,
            NodeState.READY,  # found running after a crash
        }
    ),
    NodeState.RETRYING: frozenset({NodeState.READY, NodeState.CANCELLED}),
    NodeState.FAILED: frozenset({NodeState.READY}),  # a resumed run tries it again
    NodeState.CANCELLED: frozenset({NodeState.READY}),  # as above
    NodeState.COMPLETED: frozenset(),
    NodeState.SKIPPED: frozenset(),
}


def check_run(run_id: str, old: RunState, new: RunState) -> None:
    """Raise ``IllegalTransition`` unless a run that is *old* may become *new*.

    >>> check_run("r", RunState.RUNNING, RunState.CANCELLING)
    """
    if new not in RUN_TRANSITIONS[old]:
        raise IllegalTransition(what=f"run {run_id}", old=old.value, new=new.value)


def check_node(place: str, old: NodeState, new: NodeState) -> None:
    """Raise ``IllegalTransition`` unless a node that is *old* may become *new*.

    >>> check_node("a", NodeState.READY, NodeState.RUNNING)
    """
    if new not in NODE_TRANSITIONS[old]:
        raise IllegalTransition(what=f"node {place}", old=old.value, new=new.value)
