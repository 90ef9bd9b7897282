"""What can go wrong with a workflow, its run, and the run's journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from sy_commons import ErrorCategory, SymphonyError, suggestion

_SHOWN = 12


@attrs.frozen
class Problem:
    """One thing that is wrong with a workflow: what, where, and the mend.

    >>> print(Problem("dag.unknown_node", "there is no node 'fil'", hint="did you mean 'files'?"))
    there is no node 'fil'; did you mean 'files'?
    """

    code: str
    text: str
    hint: str = ""
    nodes: tuple[str, ...] = ()
    place: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        who = f"node {self.nodes[0]}: " if len(self.nodes) == 1 else ""
        mend = f"; {self.hint}" if self.hint else ""
        return f"{where}{who}{self.text}{mend}"


def _as_tuple(items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(items)


@attrs.frozen
class Listing:
    """Several facts of one error, that read as a line each."""

    items: tuple[Any, ...] = attrs.field(converter=_as_tuple)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]

    def __str__(self) -> str:
        return "\n".join(f"  {item}" for item in self.items)


class NoWorkflow(SymphonyError):
    """A task was called outside a workflow."""

    code = "dag.no_workflow"
    category = ErrorCategory.VALIDATION
    message = "task {task} was called outside a workflow"
    hint = "call it inside `with Workflow(...):`, or the plain function: {task}.fn(...)"
    task: str


class WorkflowInvalid(SymphonyError):
    """The workflow cannot run: every reason at once, in ``problems``; a cycle in ``cycle``."""

    code = "dag.invalid"
    category = ErrorCategory.VALIDATION
    message = "{source} cannot run:\n{problems}"
    hint = "mend what is named; nothing was run"
    source: str
    problems: Listing
    cycle: tuple[str, ...] = ()


class MelodySyntax(SymphonyError):
    """The melody is not TOML."""

    code = "dag.melody_syntax"
    category = ErrorCategory.VALIDATION
    message = "{file}:{line}:{column}: not TOML: {reason}"
    hint = "mend the file at that place"
    file: str
    line: int
    column: int
    reason: str


class MelodyUnreadable(SymphonyError):
    """The melody's file cannot be read."""

    code = "dag.melody_unreadable"
    category = ErrorCategory.NOT_FOUND
    message = "cannot read the melody {file}: {reason}"
    hint = "give the path of a TOML file in UTF-8"
    file: str
    reason: str


class InputsInvalid(SymphonyError):
    """The inputs are not what the workflow asks for: every reason at once, in ``problems``."""

    code = "dag.inputs"
    category = ErrorCategory.VALIDATION
    message = "the inputs of {workflow} do not fit:\n{problems}"
    hint = "give every input by its name; nothing was run"
    workflow: str
    problems: Listing


class NodeUnknown(SymphonyError):
    """The workflow has no such node."""

    code = "dag.node_unknown"
    category = ErrorCategory.NOT_FOUND
    message = "{workflow} has no node {node!r}"
    hint = "{mend}"
    workflow: str
    node: str
    mend: str


class DefinitionInvalid(SymphonyError):
    """A stored definition is no workflow, or of a newer version."""

    code = "dag.definition"
    category = ErrorCategory.SERIALIZATION
    message = "this is no workflow definition: {reason}"
    hint = "write it with Workflow.to_json() of the same or an earlier release"
    reason: str


class ReferenceUnresolved(SymphonyError):
    """A reference points into an output that has no such part."""

    code = "dag.reference"
    category = ErrorCategory.VALIDATION
    message = "{reference} leads nowhere: {reason}"
    hint = "correct the reference, or what the node gives"
    reference: str
    reason: str


class NotMappable(SymphonyError):
    """What a node maps over is no list."""

    code = "dag.not_mappable"
    category = ErrorCategory.VALIDATION
    message = "node {node} cannot map: {reason}"
    hint = "map over lists of equal length"
    node: str
    reason: str


class NodeFailed(SymphonyError):
    """A node failed for good, and with it the run; the cause is what the node raised."""

    code = "dag.node_failed"
    message = "{place} failed at attempt {attempt}: {reason}"
    hint = "mend it, then resume the run: what had finished is kept"
    place: str
    node: str
    item: str | None
    attempt: int
    reason: str


class NodeTimedOut(SymphonyError):
    """A node took longer than its ``timeout_s``."""

    code = "dag.node_timed_out"
    category = ErrorCategory.TIMEOUT
    message = "{node} did not finish within {timeout_s} s ({stopped})"
    hint = "raise timeout_s, or let the node do less"
    node: str
    timeout_s: float
    stopped: str


class OutputNotStorable(SymphonyError):
    """A node gave something that the journal cannot keep."""

    code = "dag.output_not_storable"
    category = ErrorCategory.SERIALIZATION
    message = "{node} gave a {type_name}, which the journal cannot keep: {reason}"
    hint = "return plain data or something that pickles, or run without a folder"
    node: str
    type_name: str
    reason: str


class RunCancelled(SymphonyError):
    """The run was cancelled."""

    code = "dag.run_cancelled"
    category = ErrorCategory.CANCELLED
    message = "run {run_id} was cancelled: {reason}"
    hint = "start a new run"
    run_id: str
    reason: str


class RunInterrupted(SymphonyError):
    """The run was stopped, and can be resumed."""

    code = "dag.run_interrupted"
    category = ErrorCategory.CANCELLED
    message = "run {run_id} was interrupted: {reason}"
    hint = "resume it: what had finished is kept"
    run_id: str
    reason: str


class RunUnknown(SymphonyError):
    """There is no such run."""

    code = "dag.run_unknown"
    category = ErrorCategory.NOT_FOUND
    message = "there is no run {run_id!r} in {folder}"
    hint = "{mend}"
    run_id: str
    folder: str
    mend: str = "list the runs: engine.runs()"


class RunIdInvalid(SymphonyError):
    """The run's id cannot name a folder."""

    code = "dag.run_id"
    category = ErrorCategory.VALIDATION
    message = "{run_id!r} cannot be a run's id"
    hint = "letters, digits, '.', '_' and '-', at most 128, beginning with a letter or digit"
    run_id: str


class RunBusy(SymphonyError):
    """Another process, or another engine, is performing this run."""

    code = "dag.run_busy"
    category = ErrorCategory.CONFLICT
    message = "run {run_id} is being performed by process {pid}"
    hint = "wait for it, or stop that process first"
    run_id: str
    pid: int


class RunFinished(SymphonyError):
    """The run has ended for good and cannot go on."""

    code = "dag.run_finished"
    category = ErrorCategory.CONFLICT
    message = "run {run_id} is {state} and cannot be resumed"
    hint = "start a new run"
    run_id: str
    state: str


class WorkflowChanged(SymphonyError):
    """The workflow, or code behind it, is not what the run began with."""

    code = "dag.workflow_changed"
    category = ErrorCategory.CONFLICT
    message = "run {run_id} began with another definition:\n{differences}"
    hint = "accept the changes to keep what had finished (accept_changes=True), or start a new run"
    run_id: str
    differences: Listing


class InputsChanged(SymphonyError):
    """A run of this id exists, and it was given other inputs."""

    code = "dag.inputs_changed"
    category = ErrorCategory.VALIDATION
    message = "run {run_id} began with other inputs: {names}"
    hint = "give it the same inputs, resume it without any, or take another id"
    run_id: str
    names: str


class RunBroken(SymphonyError):
    """Not a node failed but what carries the run: a runner raises it, and the run breaks off.

    No retry, skip or fallback answers it; the run stays resumable where it is.
    """

    code = "dag.run_broken"
    category = ErrorCategory.UNAVAILABLE
    message = "the run broke off: {reason}"
    hint = "mend what stood in the way, then resume the run"
    reason: str


class RunnerUnavailable(SymphonyError):
    """The code behind a node of a stored run is not found in this process."""

    code = "dag.runner_unavailable"
    category = ErrorCategory.CONFIGURATION
    message = "the code of node {node} is not found here: {reason}"
    hint = "give it to the engine, or resume with engine.start(workflow, inputs, run_id=...)"
    node: str
    reason: str


class JournalDamaged(SymphonyError):
    """A journal holds bytes that were not written so."""

    code = "dag.journal_damaged"
    category = ErrorCategory.IO
    message = "the journal {path} is damaged at byte {offset}: {reason}"
    hint = "resume with repair=True to go on from what stands before the damage; a copy is kept"
    path: str
    offset: int
    reason: str


class JournalUnknown(SymphonyError):
    """A file is no journal of a version known here."""

    code = "dag.journal_unknown"
    category = ErrorCategory.SERIALIZATION
    message = "{path} is no run journal of a version known here"
    hint = "resume it with the release that wrote it"
    path: str


class IllegalTransition(SymphonyError):
    """A state was asked to become one that may not follow it."""

    code = "dag.illegal_transition"
    category = ErrorCategory.CONFLICT
    message = "{what} is {old} and cannot become {new}"
    what: str
    old: str
    new: str


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "did you mean …?" for a misspelt *word*, else what is known.

    >>> nearest("fliter", ["filter", "read"])
    "did you mean 'filter'?"
    >>> nearest("zz", ["filter", "read"])
    'known: filter, read'
    """
    names = sorted(set(known))
    close = suggestion(word, names).removeprefix("; ")
    if close or not names:
        return close or "there is none"
    return f"known: {', '.join(names[:_SHOWN])}" + (", …" if len(names) > _SHOWN else "")
