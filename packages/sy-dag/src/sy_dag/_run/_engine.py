"""The engine: starts runs, takes them up again, and knows those of its folder."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakKeyDictionary

import attrs

from sy_commons import Clock, Conflict, SymphonyError, SystemClock, ValidationError, uuid7
from sy_dag._errors import (
    InputsChanged,
    JournalDamaged,
    Listing,
    Problem,
    RunFinished,
    RunIdInvalid,
    RunUnknown,
    WorkflowChanged,
    WorkflowInvalid,
    nearest,
)
from sy_dag._graph._workflow import Workflow
from sy_dag._run import _recovery
from sy_dag._run._codec import decode_value, encode_value
from sy_dag._run._core import Core
from sy_dag._run._data import Data, Recipe, recipes
from sy_dag._run._facts import Event
from sy_dag._run._handle import RunHandle
from sy_dag._run._journal import Durability, Header, Journal, Redefined, Story, read
from sy_dag._run._lock import RunLock, owner
from sy_dag._run._performance import Performance
from sy_dag._run._places import Places
from sy_dag._run._plan import Lane, Plan, make_plan
from sy_dag._run._progress import Progress
from sy_dag._run._recovery import Stand
from sy_dag._run._result import NodeResults, run_error, skipped_units
from sy_dag._run._results import FolderResults, ResultStore
from sy_dag._run._runners import Bound, Registry, Runner
from sy_dag._run._states import RunState
from sy_dag._run._stored import RunSummary, StoredRun
from sy_dag._run._threads import Threads

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_JOURNAL = "journal"
_NONE = object()
T = TypeVar("T")


@attrs.frozen(eq=False)
class _Ready:
    """A workflow made ready to be performed by this engine."""

    revision: int
    bounds: list[Bound]
    plan: Plan
    recipes: tuple[Recipe, ...]
    definition: dict[str, Any] = attrs.field(factory=dict)
    runners: dict[str, str] = attrs.field(factory=dict)


class Engine:
    """Performs workflows on the running loop; with a folder, so that they survive the process.

    *folder* keeps a folder for each run, and is as trusted as code; None keeps nothing.
    *operators* and *instruments* say what the names in melodies mean: functions, or whatever
    satisfies ``NodeRunner``; installed entry points of group ``sy_dag.operators`` add to them.
    *limits* bound by tag how many nodes run at once, *concurrency* all coroutines, *threads* all
    threads. *durability* says what a finished node survives: "none", "process" (the default: a
    killed process) or "power" (a power cut). *on_event* is called with every event on the loop.

    Belongs to one loop. ``async with`` interrupts what is still running at its end.
    """

    def __init__(  # noqa: PLR0913 - each is an option by keyword
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        operators: Mapping[str, Runner] | None = None,
        instruments: Mapping[str, Runner] | None = None,
        results: ResultStore | None = None,
        limits: Mapping[str, int] | None = None,
        concurrency: int = 64,
        threads: int | None = None,
        durability: str = "process",
        grace_s: float = 0.5,
        clock: Clock | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.durability = _durability(durability)
        self._registry = Registry(operators or {}, instruments or {})
        self._results = results
        self._limits = _limits(limits or {}, concurrency)
        self._capacity = {
            Lane.INLINE: 1,
            Lane.ASYNC: concurrency,
            Lane.THREAD: threads or os.cpu_count() or 1,
        }
        self._grace_s = grace_s
        self._clock = clock or SystemClock()
        self._on_event = on_event
        self._threads = Threads()
        self._active: dict[str, Performance] = {}
        self._ready: WeakKeyDictionary[Workflow, _Ready] = WeakKeyDictionary()
        self._closed = False

    def validate(self, workflow: Workflow) -> None:
        """Return if *workflow* can run here; else raise ``WorkflowInvalid`` with every problem.

        Beside what ``workflow.validate()`` finds: names that mean nothing here, arguments that a
        function or operator does not take.
        """
        problems: list[Problem] = []
        cycle: tuple[str, ...] = ()
        try:
            workflow.validate()
        except WorkflowInvalid as error:
            problems, cycle = list(error.problems), error.cycle
        for node in workflow.nodes.values():
            problems += self._registry.problems(node, workflow.place)
        if problems:
            raise WorkflowInvalid(source=workflow.source, problems=Listing(problems), cycle=cycle)

    async def start(
        self,
        workflow: Workflow,
        inputs: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        accept_changes: bool = False,
        repair: bool = False,
    ) -> RunHandle:
        """Start a run and return its handle.

        A *run_id* that is being performed here is attached to; one that lies in the folder is
        taken up as :meth:`resume` does, with this workflow's functions. Raises
        ``WorkflowInvalid`` and ``InputsInvalid`` with every problem before anything runs.
        """
        self._check_open()
        run_id = _checked(run_id) if run_id is not None else str(uuid7())
        if run_id in self._active:
            return RunHandle(self._active[run_id])
        ready = self._made_ready(workflow)
        given = workflow.check_inputs(inputs or {})
        if self.folder is None:
            return self._begin(workflow, ready, given, run_id, None, None, _nothing)
        if (self.folder / run_id / _JOURNAL).exists():
            return await self._take_up(
                run_id, workflow, given, accept_changes=accept_changes, repair=repair
            )
        return self._begin_kept(workflow, ready, given, self.folder / run_id)

    async def resume(
        self, run_id: str, *, accept_changes: bool = False, repair: bool = False
    ) -> RunHandle:
        """Take up a run of the folder where it stands, and return its handle.

        Nothing that the journal has as complete runs again; what failed is tried again. A
        finished run gives its stored result. Raises ``RunUnknown``, ``RunBusy`` where another
        process performs it, ``WorkflowChanged`` where code or definition changed (unless
        *accept_changes*), ``RunFinished`` for a cancelled one, ``JournalDamaged`` (unless
        *repair*).
        """
        self._check_open()
        if run_id in self._active:
            return RunHandle(self._active[run_id])
        self._run_folder(run_id)
        return await self._take_up(run_id, None, None, accept_changes=accept_changes, repair=repair)

    def runs(self) -> list[RunSummary]:
        """Return the runs of the folder, the latest first."""
        if self.folder is None or not self.folder.is_dir():
            return []
        found = [self._summary(path.parent) for path in self.folder.glob(f"*/{_JOURNAL}")]
        return sorted(found, key=lambda run: (-run.started_at, run.run_id))

    def open(self, run_id: str) -> StoredRun:
        """Return a run of the folder as its journal tells it, without performing it.

        Blocks for as long as reading takes; raises ``RunUnknown`` and ``JournalDamaged``.
        """
        folder = self._run_folder(run_id)
        story = read(folder / _JOURNAL)
        stand = _recovery.stand(story)
        workflow = Workflow.from_dict(stand.definition)
        inputs = decode_value(story.header.inputs)
        core, data = self._looked_at(workflow, stand, inputs, folder)
        pid = owner(folder)
        state = core.stored_state if pid is None else core.state
        outputs, missing = _outputs(workflow, data) if state is RunState.COMPLETED else ({}, ())
        return StoredRun(
            run_id,
            workflow,
            inputs,
            state,
            outputs,
            NodeResults(core),
            run_error(core, {}),
            tuple(core.history),
            _progress(core),
            skipped_units(core),
            missing,
            pid,
        )

    async def close(self) -> None:
        """Interrupt what is still running here, and let the threads go. May be called again."""
        self._closed = True
        active = list(self._active.values())
        for performance in active:
            performance.ask_to_stop(RunState.INTERRUPTED, "the engine was closed")
        await asyncio.gather(*(performance.over() for performance in active))
        self._threads.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def stats(self) -> dict[str, int]:
        """Return how many runs are being performed here."""
        return {"active": len(self._active)}

    def __repr__(self) -> str:
        where = "keeps nothing" if self.folder is None else repr(str(self.folder))
        return f"Engine({where}, durability={self.durability.value}, active={len(self._active)})"

    def _made_ready(self, workflow: Workflow) -> _Ready:
        ready = self._ready.get(workflow)
        if ready is None or ready.revision != workflow.revision:
            self.validate(workflow)
            names = workflow.shape.names
            bounds = [self._registry.bind(workflow.nodes[name]) for name in names]
            plan = make_plan(workflow.shape, workflow.nodes, [bound.lane for bound in bounds])
            made = recipes(workflow.shape, workflow.nodes)
            ready = self._ready[workflow] = _Ready(workflow.revision, bounds, plan, made)
        return ready

    def _begin_kept(
        self, workflow: Workflow, ready: _Ready, inputs: Mapping[str, Any], folder: Path
    ) -> RunHandle:
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder)
        try:
            journal = None
            if self.durability is not Durability.NONE:
                header = Header(
                    folder.name,
                    self._clock.wall(),
                    self._definition(workflow, ready),
                    encode_value(inputs, "the inputs"),
                    self._runners(workflow, ready),
                )
                journal = Journal.create(folder / _JOURNAL, header, self.durability)
            store = self._store(folder)
            run_id = folder.name
            return self._begin(workflow, ready, inputs, run_id, journal, store, lock.release)
        except BaseException:
            lock.release()
            raise

    def _begin(  # noqa: PLR0913, PLR0917 - the parts of one run
        self,
        workflow: Workflow,
        ready: _Ready,
        inputs: Mapping[str, Any],
        run_id: str,
        journal: Journal | None,
        results: ResultStore | None,
        release: Callable[[], None],
    ) -> RunHandle:
        core = Core(ready.plan, run_id, self._places(ready.plan))
        data = Data(ready.plan.shape, workflow.nodes, inputs, ready.recipes)
        performance = self._performance(
            workflow, core, data, ready.bounds, journal, results, release
        )
        performance.begin(resumed=False)
        return RunHandle(performance)

    async def _take_up(
        self,
        run_id: str,
        given: Workflow | None,
        inputs_given: Mapping[str, Any] | None,
        *,
        accept_changes: bool,
        repair: bool,
    ) -> RunHandle:
        folder = self._run_folder(run_id)
        lock = RunLock(folder)
        try:
            story = _read(folder / _JOURNAL, repair=repair)
            stand = _recovery.stand(story)
            _require_same(run_id, decode_value(story.header.inputs), inputs_given)
            if _is_over(stand):
                lock.release()
                return self._presented(stand, folder)
            workflow = given or Workflow.from_dict(stand.definition)
            ready = self._made_ready(workflow)
            journal = Journal.reopen(folder / _JOURNAL, story.size_bytes, self._kept_durability())
            stand = self._agreed(workflow, ready, stand, journal, accept=accept_changes)
            inputs = decode_value(stand.header.inputs)
            core, effects = _recovery.replayed(
                ready.plan, run_id, stand.facts, self._places(ready.plan)
            )
            data = Data(ready.plan.shape, workflow.nodes, inputs, ready.recipes)
            store = self._store(folder)
            needed = _recovery.wanted(core, workflow, stand.facts, effects)
            fetched = await _recovery.fetch(needed, store)
            _recovery.load(data, core, stand.facts, effects, needed, fetched)
        except BaseException:
            lock.release()
            raise
        performance = self._performance(
            workflow, core, data, ready.bounds, journal, store, lock.release
        )
        performance.begin(resumed=True)
        return RunHandle(performance)

    def _agreed(
        self, workflow: Workflow, ready: _Ready, stand: Stand, journal: Journal, *, accept: bool
    ) -> Stand:
        """Return where the run stands for *workflow*; refuse another, unless accepted."""
        definition = self._definition(workflow, ready)
        runners = self._runners(workflow, ready)
        told = _recovery.differences(stand.definition, definition, stand.runners, runners)
        if not told:
            return stand
        if not accept:
            journal.close()
            raise WorkflowChanged(run_id=stand.header.run_id, differences=Listing(told))
        journal.append(Redefined(self._clock.wall(), definition, runners))
        journal.flush()
        old = Workflow.from_dict(stand.definition)
        facts = _recovery.carried(old, workflow, stand.facts)
        return Stand(stand.header, definition, runners, facts)

    def _presented(self, stand: Stand, folder: Path) -> RunHandle:
        """Return the handle of a run that is over: its stored result."""
        workflow = Workflow.from_dict(stand.definition)
        inputs = decode_value(stand.header.inputs)
        core, data = self._looked_at(workflow, stand, inputs, folder)
        if core.stored_state is RunState.CANCELLED:
            raise RunFinished(run_id=core.run_id, state=core.stored_state.value)
        performance = self._performance(workflow, core, data, [], None, None, _nothing)
        self._active.pop(core.run_id, None)
        performance.present()
        return RunHandle(performance)

    def _looked_at(
        self, workflow: Workflow, stand: Stand, inputs: Mapping[str, Any], folder: Path
    ) -> tuple[Core, Data]:
        plan = _recovery.plan_to_look_at(workflow)
        core, effects = _recovery.replayed(plan, folder.name, stand.facts, self._places(plan))
        data = Data(plan.shape, workflow.nodes, inputs)
        if core.state is RunState.COMPLETED:
            needed = _recovery.wanted(core, workflow, stand.facts, effects)
            fetched = _finished(_recovery.fetch(needed, self._store(folder)))
            _recovery.load(data, core, stand.facts, effects, needed, fetched)
        return core, data

    def _performance(  # noqa: PLR0913, PLR0917 - the parts of one run
        self,
        workflow: Workflow,
        core: Core,
        data: Data,
        bounds: list[Bound],
        journal: Journal | None,
        results: ResultStore | None,
        release: Callable[[], None],
    ) -> Performance:
        def let_go() -> None:
            self._active.pop(core.run_id, None)
            release()

        performance = Performance(
            workflow=workflow,
            core=core,
            data=data,
            bounds=bounds,
            journal=journal,
            results=results,
            clock=self._clock,
            threads=self._threads,
            on_event=self._on_event,
            grace_s=self._grace_s,
            release=let_go,
        )
        self._active[core.run_id] = performance
        return performance

    def _summary(self, folder: Path) -> RunSummary:
        try:
            story = read(folder / _JOURNAL)
            stand = _recovery.stand(story)
            workflow = Workflow.from_dict(stand.definition)
            plan = _recovery.plan_to_look_at(workflow)
            core, _ = _recovery.replayed(plan, folder.name, stand.facts, self._places(plan))
        except SymphonyError as error:
            at = (folder / _JOURNAL).stat().st_mtime
            nothing = Progress(0, 0, 0, 0, 0, 0.0)
            return RunSummary(
                folder.name, "", RunState.INTERRUPTED, at, at, nothing, owner(folder), error
            )
        pid = owner(folder)
        updated = core.history[-1].at if core.history else story.header.at
        state = core.stored_state if pid is None else core.state
        return RunSummary(
            folder.name, workflow.name, state, story.header.at, updated, _progress(core), pid
        )

    def _definition(self, workflow: Workflow, ready: _Ready) -> dict[str, Any]:
        if not ready.definition:
            ready.definition.update(workflow.to_dict())
        return ready.definition

    def _runners(self, workflow: Workflow, ready: _Ready) -> dict[str, str]:
        if not ready.runners:
            for name, bound in zip(workflow.shape.names, ready.bounds, strict=True):
                ready.runners[name] = self._registry.fingerprint(bound)
        return ready.runners

    def _places(self, plan: Plan) -> Places:
        return Places(plan, self._capacity, self._limits)

    def _store(self, folder: Path) -> ResultStore:
        if self._results is not None:
            return self._results
        return FolderResults(folder / "results", sync=self.durability is Durability.POWER)

    def _kept_durability(self) -> Durability:
        return Durability.PROCESS if self.durability is Durability.NONE else self.durability

    def _run_folder(self, run_id: str) -> Path:
        folder = None if self.folder is None else self.folder / _checked(run_id)
        if folder is None or not (folder / _JOURNAL).exists():
            known = [path.parent.name for path in (self.folder or Path()).glob(f"*/{_JOURNAL}")]
            raise RunUnknown(run_id=run_id, folder=str(self.folder), mend=nearest(run_id, known))
        return folder

    def _check_open(self) -> None:
        if self._closed:
            raise Conflict("the engine is closed", hint="make a new one")


def _durability(word: str) -> Durability:
    try:
        return Durability(word)
    except ValueError:
        raise ValidationError(
            f"durability={word!r} is unknown", hint=f"one of {', '.join(Durability)}"
        ) from None


def _limits(limits: Mapping[str, int], concurrency: int) -> dict[str, int]:
    for tag, count in {**limits, "concurrency": concurrency}.items():
        if not isinstance(count, int) or count < 1:
            raise ValidationError(f"{tag}: {count!r} is no limit", hint="a whole number from 1")
    return dict(limits)


def _checked(run_id: str) -> str:
    if not isinstance(run_id, str) or not _RUN_ID.match(run_id):
        raise RunIdInvalid(run_id=str(run_id))
    return run_id


def _read(path: Path, *, repair: bool) -> Story:
    try:
        return read(path)
    except JournalDamaged:
        if not repair:
            raise
        shutil.copyfile(path, path.with_suffix(".damaged"))
        return read(path, repair=True)


def _require_same(run_id: str, inputs: Mapping[str, Any], given: Mapping[str, Any] | None) -> None:
    if given is None or given == inputs:
        return
    names = sorted(
        name for name in {*inputs, *given} if inputs.get(name, _NONE) != given.get(name, _NONE)
    )
    raise InputsChanged(run_id=run_id, names=", ".join(names))


def _is_over(stand: Stand) -> bool:
    """Tell whether the facts say completed or cancelled; a failed run is tried again."""
    last = stand.facts[-1] if stand.facts else None
    state = getattr(last, "state", None) or getattr(last, "goal", None)
    return state in (RunState.COMPLETED, RunState.CANCELLED)


def _outputs(workflow: Workflow, data: Data) -> tuple[dict[str, Any], tuple[str, ...]]:
    there = {
        name: data.resolve(output.value)
        for name, output in workflow.outputs.items()
        if data.is_there(output.value)
    }
    return there, tuple(name for name in workflow.outputs if name not in there)


def _progress(core: Core) -> Progress:
    history = core.history
    elapsed_s = history[-1].at - history[0].at if history else 0.0
    running = core.in_flight if core.state is RunState.RUNNING else 0
    return Progress(core.total, core.completed, core.skipped, core.failed, running, elapsed_s)


def _finished(work: Coroutine[Any, Any, T]) -> T:
    """Return what *work* gives, on a loop of its own: whoever looks at a run may be in one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _nothing() -> None:
    """Release what was never taken."""
