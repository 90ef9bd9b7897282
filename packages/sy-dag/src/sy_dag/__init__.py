"""Workflows as typed graphs that run at asyncio's speed and survive ``kill -9``.

Inside ``with Workflow(...)`` calling a task records it; running the workflow runs it:

>>> from sy_dag import Workflow, run, task
>>> @task
... def split(text: str) -> list[str]:
...     return text.split()
>>> @task
... def count(word: str) -> int:
...     return len(word)
>>> @task
... def total(counts: list[int]) -> int:
...     return sum(counts)
>>> with Workflow("letters") as wf:
...     words = split(wf.input("text", str))
...     wf.output("total", total(count.map(words)))
>>> result = run(wf, {"text": "to be or not"})
>>> result.state, result.outputs["total"]
(<RunState.COMPLETED: 'completed'>, 9)

With a folder, ``Engine("runs")`` keeps a journal of each run, and ``resume`` takes a killed one up:
nothing that had finished runs again. ``Workflow.load`` reads melodies: workflows as TOML.
"""

from sy_dag._errors import (
    DefinitionInvalid,
    IllegalTransition,
    InputsChanged,
    InputsInvalid,
    JournalDamaged,
    JournalUnknown,
    MelodySyntax,
    MelodyUnreadable,
    NodeFailed,
    NodeTimedOut,
    NodeUnknown,
    NotMappable,
    NoWorkflow,
    OutputNotStorable,
    Problem,
    ReferenceUnresolved,
    RunBroken,
    RunBusy,
    RunCancelled,
    RunFinished,
    RunIdInvalid,
    RunInterrupted,
    RunnerUnavailable,
    RunUnknown,
    WorkflowChanged,
    WorkflowInvalid,
)
from sy_dag._graph._node import Input, Node, OnError, Output
from sy_dag._graph._ref import Ref
from sy_dag._graph._trace import Task, task
from sy_dag._graph._workflow import Workflow
from sy_dag._run._blocking import run
from sy_dag._run._context import Context, context
from sy_dag._run._data import Hole
from sy_dag._run._engine import Engine
from sy_dag._run._facts import Event
from sy_dag._run._handle import RunHandle
from sy_dag._run._progress import Progress
from sy_dag._run._result import NodeResult, Result, SkippedUnit, StopReport
from sy_dag._run._results import ResultStore
from sy_dag._run._runners import NodeCall, NodeRunner, Outcome, Source
from sy_dag._run._states import NodeState, RunState
from sy_dag._run._stored import RunSummary, StoredRun

__all__ = [
    "Context",
    "DefinitionInvalid",
    "Engine",
    "Event",
    "Hole",
    "IllegalTransition",
    "Input",
    "InputsChanged",
    "InputsInvalid",
    "JournalDamaged",
    "JournalUnknown",
    "MelodySyntax",
    "MelodyUnreadable",
    "NoWorkflow",
    "Node",
    "NodeCall",
    "NodeFailed",
    "NodeResult",
    "NodeRunner",
    "NodeState",
    "NodeTimedOut",
    "NodeUnknown",
    "NotMappable",
    "OnError",
    "Outcome",
    "Output",
    "OutputNotStorable",
    "Problem",
    "Progress",
    "Ref",
    "ReferenceUnresolved",
    "Result",
    "ResultStore",
    "RunBroken",
    "RunBusy",
    "RunCancelled",
    "RunFinished",
    "RunHandle",
    "RunIdInvalid",
    "RunInterrupted",
    "RunState",
    "RunSummary",
    "RunUnknown",
    "RunnerUnavailable",
    "SkippedUnit",
    "Source",
    "StopReport",
    "StoredRun",
    "Task",
    "Workflow",
    "WorkflowChanged",
    "WorkflowInvalid",
    "context",
    "run",
    "task",
]
