"""The asyncio shell around the core of one run: it runs what the core says, and tells it what came.

Everything happens on the loop's thread, in ``_drive``: facts are taken in, instructions carried
out, then the journal is written, and only then subscribers are told. Inline functions are called
right there; after a slice of time the loop gets its turn.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from types import CoroutineType
from typing import Any

import msgspec

from sy_commons import Clock, SymphonyError, SystemClock, to_wire
from sy_dag._errors import (
    NodeTimedOut,
    NotMappable,
    OutputNotStorable,
    ReferenceUnresolved,
    RunBroken,
)
from sy_dag._graph._workflow import Workflow
from sy_dag._run._codec import encode_value
from sy_dag._run._context import CURRENT, Context, Unit
from sy_dag._run._core import WHOLE, Core
from sy_dag._run._data import Data, Hole, Items
from sy_dag._run._facts import (
    NIL,
    Began,
    Completed,
    Due,
    Ended,
    Event,
    Expand,
    Expanded,
    Fact,
    Failed,
    Finish,
    Instruction,
    Logged,
    Omit,
    Progressed,
    Resumed,
    StandIn,
    Start,
    Started,
    Stop,
    StopAsked,
    Stopped,
    Wake,
)
from sy_dag._run._flight import Flight, call, passed
from sy_dag._run._journal import KEPT, Journal
from sy_dag._run._plan import Lane
from sy_dag._run._progress import Progress
from sy_dag._run._results import LARGE_BYTES, ResultStore
from sy_dag._run._runners import Bound, NodeCall, Outcome, Source
from sy_dag._run._states import RunState
from sy_dag._run._telling import Telling, log
from sy_dag._run._threads import Threads

_SLICE_S = 0.0008
_PROGRESS_EVERY_S = 0.1
_INLINE, _ASYNC = Lane.INLINE, Lane.ASYNC
_SPECIAL = frozenset({Outcome, CoroutineType})


class Performance:
    """One run being performed on this loop."""

    def __init__(  # noqa: PLR0913 - what a run is made of
        self,
        *,
        workflow: Workflow,
        core: Core,
        data: Data,
        bounds: list[Bound],
        journal: Journal | None,
        results: ResultStore | None,
        clock: Clock,
        threads: Threads,
        on_event: Callable[[Event], object] | None,
        grace_s: float,
        release: Callable[[], None],
    ) -> None:
        self.workflow = workflow
        self.core = core
        self.data = data
        self.exceptions: dict[tuple[int, int], BaseException] = {}
        self.stuck: list[str] = []
        self.stopped: list[str] = []
        self.outputs: dict[str, Any] = {}
        self.output_sources: dict[str, tuple[Source, ...]] = {}
        self.missing: tuple[str, ...] = ()
        self.failure: BaseException | None = None
        self.began_at = clock.monotonic()
        self._bounds = bounds
        self._journal = journal
        self._results = results
        self._threads = threads
        self.telling = Telling(core.history, on_event)
        self._grace_s = grace_s
        self._release = release
        usual = type(clock) is SystemClock  # its methods cost a call each, twice a node
        self._wall = time.time if usual else clock.wall
        self._monotonic = time.monotonic if usual else clock.monotonic
        self._loop = asyncio.get_running_loop()
        self._new_task: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
        if self._loop.get_task_factory() is None:  # the loop's method would look, and then do this
            self._new_task = partial(asyncio.Task, loop=self._loop)
        else:
            self._new_task = self._loop.create_task
        self._thread_id = threading.get_ident()
        self._flights: dict[tuple[int, int], Flight] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._arrivals: deque[Callable[[], None]] = deque()
        self._landed: deque[Flight] = deque()
        self._todo: deque[Instruction] = deque()
        self._timers: set[asyncio.TimerHandle] = set()
        self._told_at: dict[tuple[int, int], float] = {}
        self._scheduled = False
        self._ended = self._loop.create_future()
        self._over_at = self.began_at
        self._inline: Start | None = None
        self._voice_is_mine = False
        self._timeouts = {
            i: node.timeout_s
            for i, node in enumerate(map(workflow.nodes.__getitem__, core.plan.shape.names))
            if node.timeout_s is not None
        }
        self._names = core.plan.shape.names
        self._perform: dict[type, Callable[[Any], None]] = {
            Start: self._start,
            Expand: self._expand,
            Wake: self._wake,
            Stop: self._stop,
            StandIn: self._stand_in,
            Omit: self._omit,
            Finish: self._finish,
        }

    # What others may do

    def begin(self, *, resumed: bool) -> None:
        """Start performing, at the loop's next turn."""
        now = self._wall()
        fact = Resumed(now) if resumed else Began(now)
        self._arrive(lambda: self._take(fact))

    def present(self) -> None:
        """Show a run that is over as it ended; nothing is performed."""
        if self.core.state is RunState.COMPLETED:
            self._make_outputs()
        self.telling.listener = None
        self._close()

    def ask_to_stop(self, goal: RunState, reason: str) -> None:
        """Ask the run to stop, as cancelled or interrupted; the first who asks decides."""
        self._arrive(lambda: self._take_stop(StopAsked(goal.value, reason, self._wall())))

    @property
    def is_over(self) -> bool:
        """Whether the run has ended here."""
        return self._ended.done()

    async def over(self) -> None:
        """Return when the run has ended. Cancelling the waiting leaves the run alone."""
        await asyncio.shield(self._ended)

    def progress(self) -> Progress:
        """Return how far the run is."""
        core = self.core
        until = self._over_at if self._ended.done() else self._monotonic()
        return Progress(
            core.total,
            core.completed,
            core.skipped,
            core.failed,
            core.in_flight,
            until - self.began_at,
        )

    def stats(self) -> dict[str, int]:
        """Return counts: events told, listeners' failures, attempts under way."""
        return {
            "events": self.telling.shown,
            "listener_failures": self.telling.failures,
            "flights": len(self._flights),
        }

    def unit(self, i: int, k: int, attempt: int) -> Unit:
        """Return which attempt of what this is."""
        return Unit(self.core.run_id, self.workflow.name, self._names[i], self._key(i, k), attempt)

    def context(self) -> Context:
        """Return the voice of the function that is being called inline."""
        start = self._inline
        if start is None:
            return Context(Unit(self.core.run_id, self.workflow.name, "", None, 0), None)
        return Context(self.unit(start.node, start.item, start.attempt), self)

    def say_progress(self, unit: Unit, fraction: float, message: str) -> None:
        """Take a node's progress, from any thread."""
        at = self._wall()
        fact = Progressed(unit.node, unit.item, unit.attempt, at, fraction, message)
        self._say(lambda: self._progressed(fact))

    def say_log(self, unit: Unit, message: str, fields: Mapping[str, Any]) -> None:
        """Take what a node says, from any thread."""
        plain = {key: _plain(value) for key, value in fields.items()}
        fact = Logged(unit.node, unit.item, unit.attempt, self._wall(), str(message), plain)
        self._say(lambda: self._take_late(fact))

    # Taking in

    def _say(self, arrival: Callable[[], None]) -> None:
        if threading.get_ident() == self._thread_id:
            self._arrive(arrival)
        else:
            self._call_threadsafe(arrival)

    def _call_threadsafe(self, arrival: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrive, arrival)
        except RuntimeError:  # the loop is closed: nobody is left to hear it
            log.debug("a thread of run {run} ended after its loop", run=self.core.run_id)

    def _arrive(self, arrival: Callable[[], None]) -> None:
        self._arrivals.append(arrival)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drive)

    def _take(self, fact: Fact) -> None:
        instructions = self.core.handle(fact)
        if self._journal is not None and type(fact) in KEPT:
            self._journal.append(fact)
        if instructions:
            self._todo.extend(instructions)

    def _take_stop(self, fact: StopAsked) -> None:
        if self.core.state is RunState.RUNNING:
            self._take(fact)

    def _take_late(self, fact: Fact) -> None:
        if not self._ended.done():
            self._take(fact)

    def _progressed(self, fact: Progressed) -> None:
        i = self.core.plan.shape.index[fact.node]
        k = WHOLE if fact.item is None else self.core.fans[i].index[fact.item]
        flight = self._flights.get((i, k))
        if self._ended.done():
            return
        if flight is None and self._bounds[i].lane is not Lane.INLINE:
            return  # it has ended meanwhile
        if flight is not None:
            told_at = self._told_at.get((i, k), 0.0)
            if fact.fraction < 1.0 and fact.at - told_at < _PROGRESS_EVERY_S:
                return
            self._told_at[i, k] = fact.at
        self._take(fact)

    def _drive(self) -> None:
        """Do what there is to do, for one slice; then write, then tell."""
        self._scheduled = False
        if self._ended.done():
            return
        token = CURRENT.set(self)
        self._voice_is_mine = True
        try:
            self._work()
            if self._journal is not None:
                self._journal.flush()
        except OSError as error:
            self._break_off(error)
        except SymphonyError as error:
            self._break_off(error)
        finally:
            CURRENT.reset(token)
        self.telling.tell()
        if self._landed or self._arrivals or self._todo:
            self._schedule()

    def _work(self) -> None:
        arrivals, landed, todo = self._arrivals, self._landed, self._todo
        perform, bounds = self._perform, self._bounds
        monotonic = self._monotonic
        until = monotonic() + _SLICE_S
        while landed or arrivals or todo:
            if arrivals:  # what has happened comes before what is to be done next
                arrivals.popleft()()
                continue
            if landed:
                self._land(landed.popleft())
                continue
            instruction = todo.popleft()
            if type(instruction) is Start and bounds[instruction.node].lane is _INLINE:
                self._call_inline(instruction, bounds[instruction.node])
            else:
                perform[type(instruction)](instruction)
            if monotonic() > until:
                return

    # Carrying out

    def _start(self, start: Start) -> None:
        i, k = start.node, start.item
        bound = self._bounds[i]
        flight = Flight(self, i, k, start.attempt, self._wall())
        try:
            arguments = self.data.arguments(i, k)
        except Exception as error:  # noqa: BLE001 - whatever a value's attribute raises
            self._fail(flight, error, permanent=True)
            return
        self._flights[i, k] = flight
        if self._journal is not None:
            key = None if k == WHOLE else self._key(i, k)
            self._journal.append(Started(self._names[i], key, start.attempt, flight.started))
        if bound.lane is _ASYNC:
            self._call_async(flight, bound, arguments)
        else:
            self._call_in_thread(flight, bound, arguments)
        if self._timeouts and (timeout_s := self._timeouts.get(i)) is not None:
            flight.timer = self._loop.call_later(timeout_s, self._expire, flight)

    def _call_inline(self, start: Start, bound: Bound) -> None:
        """Call a plain function here and now: no task, no flight, unless something is amiss."""
        i, k = start.node, start.item
        self._inline = start
        if not self._voice_is_mine:
            CURRENT.set(self)
            self._voice_is_mine = True
        started = self._wall()
        try:
            arguments = self.data.arguments(i, k)
        except Exception as error:  # noqa: BLE001 - as in _start
            self._fail(Flight(self, i, k, start.attempt, started), error, permanent=True)
            return
        try:
            value = call(bound, arguments) if bound.by_position else bound.call(**arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - sys.exit in a node ends the node
            self._fail(Flight(self, i, k, start.attempt, started), error)
            return
        if self._journal is None and k == WHOLE and type(value) not in _SPECIAL:
            self.data.values[i] = value
            fact = Completed(self._names[i], None, start.attempt, started, self._wall())
            self._todo.extend(self.core.handle(fact))
        else:
            self._settle(Flight(self, i, k, start.attempt, started), value)

    def _call_async(self, flight: Flight, bound: Bound, arguments: dict[str, Any]) -> None:
        if bound.runner is not None:
            work = flight.fly(bound.call, (self._node_call(flight, arguments),), {})
        elif bound.by_position:
            work = flight.fly(bound.call, *passed(bound, arguments))
        else:
            work = flight.fly(bound.call, (), arguments)
        CURRENT.set(flight)  # the task's context is a copy of this one
        self._voice_is_mine = False
        flight.task = self._new_task(work)

    def _call_in_thread(self, flight: Flight, bound: Bound, arguments: dict[str, Any]) -> None:
        context = contextvars.copy_context()
        context.run(CURRENT.set, flight)

        def work() -> None:
            try:
                value = context.run(call, bound, arguments)
            except BaseException as error:  # noqa: BLE001 - it is told, not lost
                self._call_threadsafe(partial(self._land_failed, flight, error))
            else:
                self._call_threadsafe(partial(self._settle, flight, value))

        self._threads.submit(work)

    def _node_call(self, flight: Flight, arguments: dict[str, Any]) -> NodeCall:
        i, k = flight.node, flight.item
        return NodeCall(
            self.core.run_id,
            self.workflow.name,
            self._names[i],
            self._key(i, k),
            flight.attempt,
            arguments,
            self.data.sources(i, k),
            flight.context(),
        )

    def land(self, flight: Flight) -> None:
        """Take in that a flight has ended; what it gave is with it."""
        flight.landed = True
        self._landed.append(flight)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drive)

    def _land(self, flight: Flight) -> None:
        if flight.abandoned:
            return
        error = flight.error
        if error is None:
            self._settle(flight, flight.value)
        elif isinstance(error, asyncio.CancelledError):
            self._landed_cancelled(flight)
        else:
            self._land_failed(flight, error)

    def _landed_cancelled(self, flight: Flight) -> None:
        if flight.expired:
            self._fail(flight, self._timed_out(flight, "and was stopped"))
        elif self._is_stopping(flight):
            self._clear(flight)
            self.stopped.append(self.core.name_of((flight.node, flight.item)))
            name, key = self._names[flight.node], self._key(flight.node, flight.item)
            self._take(Stopped(name, key, flight.attempt, self._wall()))
        else:
            self._fail(flight, asyncio.CancelledError("it was cancelled from within"))

    def _land_failed(self, flight: Flight, error: BaseException) -> None:
        if flight.abandoned:
            return
        if flight.expired:
            error = self._timed_out(flight, "and was stopped")
        self._fail(flight, error)

    def _settle(self, flight: Flight, value: Any) -> None:
        """Take in the value of an attempt: encode it, keep it, and say it is completed."""
        i = flight.node
        if self._journal is None and flight.item == WHOLE and type(value) not in _SPECIAL:
            if not flight.abandoned:
                self._clear(flight)
                self.data.values[i] = value
                now = self._wall()
                fact = Completed(self._names[i], None, flight.attempt, flight.started, now)
                self._todo.extend(self.core.handle(fact))
            return
        if flight.abandoned:
            if isinstance(value, Coroutine):
                value.close()
            return
        reference = None
        if type(value) is Outcome:
            value, reference = value.value, value.reference
        if isinstance(value, Coroutine):
            value.close()
            told = "it returned a coroutine; declare it with async def"
            self._fail(flight, TypeError(told), permanent=True)
            return
        if self._journal is None:
            self._complete(flight, value, reference, NIL, None)
            return
        try:
            encoded = encode_value(value, self._names[flight.node])
        except OutputNotStorable as error:
            self._fail(flight, error, permanent=True)
            return
        if len(encoded) <= LARGE_BYTES or self._results is None:
            self._complete(flight, value, reference, msgspec.Raw(encoded), None)
            return
        task = self._loop.create_task(self._store(flight, value, reference, encoded))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _store(
        self, flight: Flight, value: Any, reference: str | None, encoded: bytes
    ) -> None:
        assert self._results is not None  # noqa: S101 - for the type checker; the caller looked
        try:
            key = await self._results.put(encoded)
        except Exception as error:  # noqa: BLE001 - whatever the store raises is the node's failure
            self._arrive(partial(self._land_failed, flight, error))
        else:
            self._arrive(lambda: self._complete(flight, value, reference, NIL, key))

    def _complete(
        self,
        flight: Flight,
        value: Any,
        reference: str | None,
        encoded: msgspec.Raw,
        stored: str | None,
    ) -> None:
        if flight.abandoned:
            return
        self._clear(flight)
        i, k = flight.node, flight.item
        self.data.keep(i, k, value, reference)
        self._take(
            Completed(
                self._names[i],
                self._key(i, k),
                flight.attempt,
                flight.started,
                self._wall(),
                reference,
                stored,
                encoded,
            )
        )

    def _fail(self, flight: Flight, error: BaseException, *, permanent: bool = False) -> None:
        self._clear(flight)
        if isinstance(error, RunBroken):
            raise error  # to where the run breaks off
        i, k = flight.node, flight.item
        self.exceptions[i, k] = error
        fact = Failed(
            self._names[i],
            self._key(i, k),
            flight.attempt,
            flight.started,
            self._wall(),
            to_wire(error),
            permanent,
        )
        self._take(fact)

    def _clear(self, flight: Flight) -> None:
        self._flights.pop((flight.node, flight.item), None)
        if flight.timer is not None:
            flight.timer.cancel()
            flight.timer = None

    def _expand(self, expand: Expand) -> None:
        i = expand.node
        now = self._wall()
        try:
            keys = self.data.expand(i)
        except Exception as error:  # noqa: BLE001 - as in _start
            if not isinstance(error, NotMappable | ReferenceUnresolved):
                log.debug("{node} has no items: {error!r}", node=self._names[i], error=error)
            self._fail(Flight(self, i, WHOLE, 1, now), error, permanent=True)
            return
        self.data.set_items(i, keys)
        self._take(Expanded(self._names[i], now, keys))
        if self._journal is not None:
            self._journal.flush()  # the keys stand in the journal before the first item runs

    def _wake(self, wake: Wake) -> None:
        def due() -> None:
            self._timers.discard(timer)
            fact = Due(self._names[wake.node], self._key(wake.node, wake.item), self._wall())
            self._arrive(lambda: self._take_late(fact))

        timer = self._loop.call_later(wake.delay_s, due)
        self._timers.add(timer)

    def _stand_in(self, stand_in: StandIn) -> None:
        self.data.stand_in(stand_in.node, stand_in.fallback)

    def _omit(self, omit: Omit) -> None:
        items = self.data.values[omit.node]
        if type(items) is Items:
            items.values[omit.item] = Hole(items.keys[omit.item], omit.error)

    # Stopping

    def _stop(self, stop: Stop) -> None:
        flight = self._flights.get((stop.node, stop.item))
        if flight is None or flight.expired:
            return  # it has ended, or is being stopped already
        if flight.timer is not None:
            flight.timer.cancel()
        if flight.task is None:
            self._abandon(flight)
            return
        flight.stop("the run is stopping")
        flight.timer = self._loop.call_later(self._grace_s, self._abandon, flight)

    def _is_stopping(self, flight: Flight) -> bool:
        unit_gone = self.core.fans.get(flight.node) is not None and self.core.is_given_up(
            flight.node
        )
        return self.core.state is RunState.CANCELLING or unit_gone

    def _abandon(self, flight: Flight) -> None:
        """Go on without what cannot be stopped, and say so."""
        if flight.abandoned or self._flights.get((flight.node, flight.item)) is not flight:
            return
        flight.abandoned = True
        self._clear(flight)
        self.stuck.append(self.core.name_of((flight.node, flight.item)))
        name, key = self._names[flight.node], self._key(flight.node, flight.item)
        fact = Stopped(name, key, flight.attempt, self._wall(), stuck=True)
        self._arrive(lambda: self._take_late(fact))

    def _expire(self, flight: Flight) -> None:
        flight.timer = None
        if flight.task is None:
            told = "its thread cannot be stopped and was left behind"
            self._arrive(lambda: self._give_up(flight, told))
            return
        flight.expired = True
        flight.stop("timeout_s is over")
        told = "and did not stop when told to"
        flight.timer = self._loop.call_later(
            self._grace_s, lambda: self._arrive(lambda: self._give_up(flight, told))
        )

    def _give_up(self, flight: Flight, told: str) -> None:
        if self._flights.get((flight.node, flight.item)) is not flight:
            return
        self._fail(flight, self._timed_out(flight, told))
        flight.abandoned = True

    def _timed_out(self, flight: Flight, told: str) -> NodeTimedOut:
        name = self.core.name_of((flight.node, flight.item))
        return NodeTimedOut(node=name, timeout_s=self._timeouts[flight.node], stopped=told)

    def _finish(self, finish: Finish) -> None:
        state, error = finish.state, None
        if state is RunState.COMPLETED:
            try:
                self._make_outputs()
            except Exception as raised:  # noqa: BLE001 - whatever a value's attribute raises
                state, error = RunState.FAILED, to_wire(raised)
                self.failure = raised
        elif state is RunState.FAILED:
            error = self.core.error
        self._take(Ended(state.value, self._wall(), error))
        if self._journal is not None:
            self._journal.flush()
        self._close()

    def _make_outputs(self) -> None:
        there, missing = {}, []
        for name, output in self.workflow.outputs.items():
            if self.data.is_there(output.value):
                there[name] = self.data.resolve(output.value)
                self.output_sources[name] = self.data.sources_of(output.value)
            else:
                missing.append(name)
        self.outputs, self.missing = there, tuple(missing)

    def _break_off(self, error: BaseException) -> None:
        """The journal cannot be written, or the core was told nonsense: stop here, resumable."""
        self.failure = error
        log.error("run {run} breaks off: {error}", run=self.core.run_id, error=error)
        for flight in list(self._flights.values()):
            flight.abandoned = True
            flight.stop("the run broke off")
        self.core.break_off(self._wall(), to_wire(error))
        self._close()

    def _close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        for flight in self._flights.values():
            if flight.timer is not None:
                flight.timer.cancel()
        self._flights.clear()
        self._todo.clear()
        self._arrivals.clear()
        self._landed.clear()
        if self._journal is not None:
            self._journal.close()
        self._release()
        self._over_at = self._monotonic()
        self.telling.end()
        if not self._ended.done():
            self._ended.set_result(None)

    def _key(self, i: int, k: int) -> str | None:
        return None if k == WHOLE else self.core.fans[i].keys[k]


def _plain(value: Any) -> Any:
    try:
        return msgspec.to_builtins(value, str_keys=True)
    except (TypeError, ValueError, RecursionError):
        return str(value)
