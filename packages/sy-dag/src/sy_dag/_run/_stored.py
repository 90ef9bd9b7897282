"""Runs as they lie in a folder, looked at without performing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from sy_commons import SymphonyError
from sy_dag._graph._workflow import Workflow
from sy_dag._run._facts import Event
from sy_dag._run._progress import Progress
from sy_dag._run._result import NodeResult
from sy_dag._run._states import RunState


@attrs.frozen
class RunSummary:
    """One run of a folder: what it performs, where it is, how far it came.

    ``pid`` is the process that performs it at the moment. A journal that cannot be read has its
    ``error`` here, and counts as interrupted.
    """

    run_id: str
    workflow: str
    state: RunState
    started_at: float
    updated_at: float
    progress: Progress
    pid: int | None = None
    error: SymphonyError | None = None


@attrs.frozen
class StoredRun:
    """A run as its journal tells it. ``outputs`` are there for a completed one."""

    run_id: str
    workflow: Workflow
    inputs: Mapping[str, Any]
    state: RunState
    outputs: Mapping[str, Any]
    nodes: Mapping[str, NodeResult] = attrs.field(repr=False)
    error: SymphonyError | None
    history: tuple[Event, ...] = attrs.field(repr=False)
    progress: Progress
    skipped: tuple[Any, ...] = attrs.field(default=(), repr=False)
    missing: tuple[str, ...] = ()
    pid: int | None = None
