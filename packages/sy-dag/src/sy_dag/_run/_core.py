"""The core of a run: facts in, instructions out; no loop, clock, disk or value in sight.

The same core performs a run, replays one from its journal, and is simulated in the tests. All it
decides follows from the facts it was given, in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from sy_dag._errors import IllegalTransition
from sy_dag._run._facts import (
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
from sy_dag._run._places import Places
from sy_dag._run._plan import Plan
from sy_dag._run._states import NodeState, RunState, check_node, check_run

_PENDING, _READY, _RUNNING = NodeState.PENDING, NodeState.READY, NodeState.RUNNING
_RETRYING, _COMPLETED, _FAILED = NodeState.RETRYING, NodeState.COMPLETED, NodeState.FAILED
_SKIPPED, _CANCELLED = NodeState.SKIPPED, NodeState.CANCELLED
_NO_DATA: Mapping[str, Any] = {}
WHOLE = -1  # the item of a node that does not map


class Fan:
    """The items of one node that maps."""

    __slots__ = ("index", "keys", "open", "queue", "skipped", "started", "states")

    def __init__(self, keys: list[str], at: float) -> None:
        self.keys = keys
        self.index = {key: k for k, key in enumerate(keys)}
        self.states = [_READY] * len(keys)
        self.queue = deque(range(len(keys)))
        self.open = len(keys)
        self.skipped = 0
        self.started = at


class Core:
    """Decides what runs when, and what becomes of it. Not safe between threads.

    ``handle`` takes one fact and returns what is to be done; what subscribers are to be told is
    added to ``history``. Until ``Began`` or ``Resumed`` in a live core nothing is started, so that
    the facts of a journal can be replayed first.
    """

    def __init__(self, plan: Plan, run_id: str, places: Places) -> None:
        self.plan = plan
        self.run_id = run_id
        self.state = RunState.PENDING
        self.goal: RunState | None = None
        self.reason = ""
        self.error: dict[str, Any] | None = None
        self.failed_unit: tuple[int, int] | None = None
        self.history: list[Event] = []
        self.states: list[NodeState] = [_PENDING] * len(plan.waits)
        self.fans: dict[int, Fan] = {}
        self.tries: dict[tuple[int, int], int] = {}
        self.errors: dict[tuple[int, int], dict[str, Any]] = {}
        self.total = self._open = len(plan.waits)
        self.completed = self.skipped = self.failed = self.in_flight = 0
        self._failures: dict[tuple[int, int], int] = {}
        self._waiting = list(plan.waits)
        self._index, self._names = plan.shape.index, plan.shape.names
        self._successors, self._mapped = plan.shape.successors, plan.mapped
        self._undecided = {g: len(primaries) for g, primaries in plan.primaries.items()}
        self._needed: set[int] = set()
        self._stood_in_for: set[int] = set()  # failed, and another gave the value
        self._void: set[int] = set()  # failed, and so did whatever might have stood in
        self._places = places
        self._live = False  # may start what is ready
        self._replaying = False
        self._out: list[Instruction] = []
        self._handlers: dict[type, Callable[[Any], None]] = {
            Began: self._began,
            Resumed: self._resumed,
            Expanded: self._expanded,
            Started: self._started,
            Completed: self._completed,
            Failed: self._failed,
            Due: self._due,
            Logged: self._logged,
            Progressed: self._progressed,
            StopAsked: self._stop_asked,
            Stopped: self._stopped,
            Ended: self._ended,
        }

    def handle(self, fact: Fact) -> list[Instruction]:
        """Take in what happened and return what is to be done, in this order.

        Raises ``IllegalTransition`` for a fact that cannot follow, and is then unchanged.
        """
        out: list[Instruction] = []
        self._out = out
        self._handlers[type(fact)](fact)
        if self._live:
            self._dispatch(fact.at)
        return out

    def replay(self, facts: list[Fact]) -> list[Instruction]:
        """Take in what a journal tells, starting nothing; return what it did to values."""
        self._replaying = True
        kept: list[Instruction] = []
        for fact in facts:
            self._out = []
            self._handlers[type(fact)](fact)
            self._live = False
            if self._out:
                kept += [done for done in self._out if type(done) in (StandIn, Omit)]
        self._replaying = False
        return kept

    @property
    def stored_state(self) -> RunState:
        """What a run whose process is gone counts as."""
        if self.state in (RunState.PENDING, RunState.RUNNING):
            return RunState.INTERRUPTED
        if self.state is RunState.CANCELLING:
            return self.goal or RunState.INTERRUPTED
        return self.state

    def is_needless(self, i: int) -> bool:
        """Tell whether *i* is a fallback that was skipped because nobody needed it."""
        return i in self.plan.held and i not in self._needed and self.states[i] is _SKIPPED

    def is_given_up(self, i: int) -> bool:
        """Tell whether node *i* failed for good, whatever of it is still under way."""
        return self.states[i] is _FAILED

    def break_off(self, at: float, error: dict[str, Any]) -> None:
        """End where the journal can be written no more: interrupted, whatever was the case."""
        self.state, self.error, self._live = RunState.INTERRUPTED, error, False
        self._tell(at, "run.interrupted", {"error": error})

    # Facts about the run

    def _began(self, fact: Began) -> None:
        check_run(self.run_id, self.state, RunState.RUNNING)
        self.state = RunState.RUNNING
        self._tell(fact.at, "run.started", {"nodes": len(self.states)})
        self._live = True
        for i, count in enumerate(self._waiting):
            if not count:
                self._ready(i, fact.at)
        self._finish_if_done()

    def _resumed(self, fact: Resumed) -> None:
        """What was under way or given up is tried again; what is complete stays."""
        if self.stored_state not in (RunState.INTERRUPTED, RunState.FAILED):
            check_run(self.run_id, self.state, RunState.RUNNING)
        fresh = self.state is RunState.PENDING
        self.state, self.goal, self.error = RunState.RUNNING, None, None
        self.reason, self.failed_unit, self.in_flight = "", None, 0
        self._tell(fact.at, "run.resumed", {"completed": self.completed})
        self._places.reset()
        self._live = True
        if fresh:
            for i, count in enumerate(self._waiting):
                if not count:
                    self._ready(i, fact.at)
        else:
            for i, state in enumerate(self.states):
                if state not in (_PENDING, _COMPLETED, _SKIPPED):
                    self._take_up(i, state)
        self._finish_if_done()

    def _take_up(self, i: int, state: NodeState) -> None:
        fan = self.fans.get(i)
        if state is _FAILED and self.plan.fallback[i] >= 0:
            return  # its fallback is at work
        if state is _FAILED:
            self.failed -= 1
        if fan is None:
            self._retake((i, WHOLE), state)
            self.states[i] = _READY
            if i in self.plan.mapped:
                self._out.append(Expand(i))
            else:
                self._places.offer(i)
            return
        self.states[i] = _RUNNING
        for k, was in enumerate(fan.states):
            if was not in (_COMPLETED, _SKIPPED):
                self._retake((i, k), was)
                fan.states[k] = _READY
        fan.queue = deque(k for k, was in enumerate(fan.states) if was is _READY)
        if fan.queue:
            self._places.offer(i)

    def _retake(self, unit: tuple[int, int], state: NodeState) -> None:
        if state is _RUNNING and not (unit[1] == WHOLE and unit[0] in self.plan.mapped):
            self.tries[unit] = self.tries.get(unit, 0) + 1  # an attempt was lost with its process
        elif state is _FAILED:
            self._failures.pop(unit, None)
        self.errors.pop(unit, None)

    def _stop_asked(self, fact: StopAsked) -> None:
        goal = RunState(fact.goal)
        if self.state is RunState.CANCELLING:
            check_run(self.run_id, self.state, goal)
            return  # it is stopping already; what it stops for stays
        check_run(self.run_id, self.state, RunState.CANCELLING)
        self._stop(goal, fact.reason, fact.at)

    def _stop(self, goal: RunState, reason: str, at: float) -> None:
        self.state, self.goal, self.reason = RunState.CANCELLING, goal, reason
        self._live = False
        self._tell(at, "run.cancelling", {"goal": goal.value, "reason": reason})
        for i, state in enumerate(self.states):
            if i in self.fans:
                self._stop_items(i)
            elif state is _RUNNING:
                self._out.append(Stop(i, WHOLE))
            elif state is _RETRYING:
                self.states[i] = _CANCELLED
        if not self.in_flight:
            self._out.append(Finish(goal))

    def _stop_items(self, i: int) -> None:
        fan = self.fans[i]
        fan.queue.clear()
        for k, state in enumerate(fan.states):
            if state is _RUNNING:
                self._out.append(Stop(i, k))
            elif state is _RETRYING:
                fan.states[k] = _CANCELLED

    def _ended(self, fact: Ended) -> None:
        state = RunState(fact.state)
        check_run(self.run_id, self.state, state)
        self.state, self.error, self._live = state, fact.error, False
        data: dict[str, Any] = {"completed": self.completed, "skipped": self.skipped}
        if fact.error is not None:
            data["error"] = fact.error
        if self.reason:
            data["reason"] = self.reason
        self._tell(fact.at, f"run.{state.value}", data)

    # Facts about nodes

    def _completed(self, fact: Completed) -> None:
        i = self._index[fact.node]
        if fact.item is not None:
            self._item_completed(i, fact)
            return
        states = self.states
        if states[i] is not _RUNNING:
            self._replay_start(i, WHOLE, fact)
        states[i] = _COMPLETED
        if self.errors:
            self.errors.pop((i, WHOLE), None)
        self.completed += 1
        self.in_flight -= 1
        self._places.leave(i)
        data = {"duration_s": fact.at - fact.started, "reference": fact.reference}
        history = self.history
        history.append(
            Event(
                len(history),
                fact.at,
                self.run_id,
                "node.completed",
                fact.node,
                None,
                fact.attempt,
                data,
            )
        )
        self._close(i, fact.at)

    def _item_completed(self, i: int, fact: Completed) -> None:
        fan, k = self._unit(i, fact)
        if fan.states[k] is not _RUNNING:
            self._replay_start(i, k, fact)
        fan.states[k] = _COMPLETED
        self.errors.pop((i, k), None)
        self.completed += 1
        fan.open -= 1
        self._leave(i)
        data = {"duration_s": fact.at - fact.started, "reference": fact.reference}
        self._tell(fact.at, "node.completed", data, i, k, fact.attempt)
        self._close_fan(i, fan, fact.at)

    def _failed(self, fact: Failed) -> None:
        i = self.plan.shape.index[fact.node]
        k = WHOLE if fact.item is None else self._unit(i, fact)[1]
        unit = (i, k)
        state = self._state(unit)
        expanding = k == WHOLE and i in self.plan.mapped
        if state is not _RUNNING and not (expanding and state is _READY):
            self._replay_start(i, k, fact)
        if not expanding:
            self._leave(i)
            self.tries[unit] = max(self.tries.get(unit, 0), fact.attempt)
        if self.state is not RunState.RUNNING or self.states[i] is _FAILED:
            self._put(unit, _CANCELLED)
            self._tell(fact.at, "node.cancelled", {"error": fact.error}, i, k, fact.attempt)
            self._finish_if_stopped()
            return
        self.errors[unit] = fact.error
        failures = self._failures[unit] = self._failures.get(unit, 0) + 1
        if fact.permanent or failures > self.plan.retries[i]:
            self._give_up(unit, fact)
            return
        delay_s = self.plan.backoffs[i].delay_s(failures)
        self._put(unit, _RETRYING)
        data = {"error": fact.error, "delay_s": delay_s, "failures": failures}
        self._tell(fact.at, "node.retrying", data, i, k, fact.attempt)
        self._out.append(Wake(i, k, delay_s))

    def _give_up(self, unit: tuple[int, int], fact: Failed) -> None:
        i, k = unit
        at, data = fact.at, {"error": fact.error}
        if i in self.plan.skips:
            self._tell(at, "node.skipped", data, i, k, fact.attempt)
            if k == WHOLE:
                self._skip(i, at)
                return
            fan = self.fans[i]
            fan.states[k] = _SKIPPED
            fan.skipped += 1
            fan.open -= 1
            self.skipped += 1
            self._out.append(Omit(i, k, str(fact.error.get("text", ""))))
            self._close_fan(i, fan, at)
            return
        self._put(unit, _FAILED)
        self._tell(at, "node.failed", data, i, k, fact.attempt)
        if k != WHOLE:
            self.states[i] = _FAILED
            because = {"error": fact.error, "item": fact.item}
            self._tell(at, "node.failed", because, i, WHOLE, fact.attempt)
        self.failed += 1
        if self.plan.fallback[i] >= 0:
            if k != WHOLE:
                self._stop_items(i)
            self._fall_back(i, at)
            return
        self.failed_unit, self.error = unit, fact.error
        self._stop(RunState.FAILED, f"{self.name_of(unit)} failed", at)

    def _started(self, fact: Started) -> None:
        i = self.plan.shape.index[fact.node]
        k = WHOLE if fact.item is None else self._unit(i, fact)[1]
        if self._state((i, k)) is _RUNNING:
            return
        self._replay_start(i, k, fact)
        self._put((i, k), _RUNNING)

    def _replay_start(self, i: int, k: int, fact: Started | Completed | Failed) -> None:
        """Journals leave out what follows: that an attempt began, where its end is told.

        Live, an attempt that was not started here cannot have ended.
        """
        old = self._state((i, k))
        if not self._replaying or old in (_COMPLETED, _SKIPPED):
            new = _FAILED if isinstance(fact, Failed) else _COMPLETED
            raise IllegalTransition(
                what=f"node {self.name_of((i, k))}", old=old.value, new=new.value
            )
        began = fact.at if isinstance(fact, Started) else fact.started
        self.in_flight += 1
        if fact.attempt > 1:
            self.tries[i, k] = fact.attempt - 1
        self._tell(began, "node.started", _NO_DATA, i, k, fact.attempt)

    def _expanded(self, fact: Expanded) -> None:
        i = self.plan.shape.index[fact.node]
        if self.states[i] is not _READY and not (self._replaying and self.states[i] is _PENDING):
            check_node(fact.node, self.states[i], _RUNNING)
        fan = self.fans[i] = Fan(fact.keys, fact.at)
        self.states[i] = _RUNNING
        self.total += len(fact.keys)
        self._tell(fact.at, "map.expanded", {"items": len(fact.keys)}, i)
        if fan.queue and self._live:
            self._places.offer(i)
        self._close_fan(i, fan, fact.at)

    def _due(self, fact: Due) -> None:
        i = self.plan.shape.index[fact.node]
        k = WHOLE if fact.item is None else self._unit(i, fact)[1]
        if self.state is not RunState.RUNNING or self._state((i, k)) is not _RETRYING:
            return  # the run was stopped, or the node given up, while this one waited
        self._put((i, k), _READY)
        self._tell(fact.at, "node.ready", _NO_DATA, i, k)
        if k != WHOLE:
            self.fans[i].queue.append(k)
            if len(self.fans[i].queue) > 1:
                return  # offered already
        self._places.offer(i)

    def _stopped(self, fact: Stopped) -> None:
        i = self.plan.shape.index[fact.node]
        k = WHOLE if fact.item is None else self._unit(i, fact)[1]
        check_node(self.name_of((i, k)), self._state((i, k)), _CANCELLED)
        self._put((i, k), _CANCELLED)
        self.tries[i, k] = max(self.tries.get((i, k), 0), fact.attempt)
        self._leave(i)
        self._tell(fact.at, "node.cancelled", {"stuck": fact.stuck}, i, k, fact.attempt)
        self._finish_if_stopped()

    def _logged(self, fact: Logged) -> None:
        i = self.plan.shape.index[fact.node]
        k = WHOLE if fact.item is None else self._unit(i, fact)[1]
        data = {"message": fact.message, "fields": fact.fields}
        self._tell(fact.at, "node.log", data, i, k, fact.attempt)

    def _progressed(self, fact: Progressed) -> None:
        i = self.plan.shape.index[fact.node]
        k = WHOLE if fact.item is None else self._unit(i, fact)[1]
        data = {"fraction": fact.fraction, "message": fact.message}
        self._tell(fact.at, "node.progress", data, i, k, fact.attempt)

    # What follows

    def _ready(self, i: int, at: float) -> None:
        self.states[i] = _READY
        history = self.history
        history.append(Event(len(history), at, self.run_id, "node.ready", self._names[i]))
        if self._live:
            if i in self._mapped:
                self._out.append(Expand(i))
            else:
                self._places.offer(i)

    def _close(self, i: int, at: float) -> None:
        """Node *i* has given its value: those that waited for it alone are ready."""
        self._open -= 1
        waiting = self._waiting
        for j in self._successors[i]:
            waiting[j] -= 1
            if not waiting[j] and self.states[j] is _PENDING:
                self._ready(j, at)
        if self._undecided:
            self._settle([i], at)
        if not self._open or self.goal is not None:
            self._finish_if_stopped()

    def _close_fan(self, i: int, fan: Fan, at: float) -> None:
        if fan.open or self.states[i] is not _RUNNING:
            self._finish_if_stopped()
            return
        self.states[i] = _COMPLETED
        self.completed += 1
        data = {
            "duration_s": at - fan.started,
            "items": len(fan.keys),
            "skipped": fan.skipped,
        }
        self._tell(at, "node.completed", data, i)
        self._close(i, at)

    def _settle(self, todo: list[int], at: float) -> None:
        """These have come to an end: their fallbacks may be needless, or they were ones.

        Not by recursion, here and below: chains are longer than the stack.
        """
        while todo:
            i = todo.pop()
            standby = self.plan.fallback[i]
            if standby >= 0 and self.states[i] is not _FAILED:
                self._undecided[standby] -= 1
                if not self._undecided[standby] and self._is_idle(standby):
                    self._tell(at, "node.skipped", {"because": "not needed"}, standby)
                    todo += self._leave_out(standby, at)
            for f in self.plan.primaries.get(i, ()):
                if self.states[f] is _FAILED:
                    todo += self._stand_in(f, i, at)

    def _is_idle(self, standby: int) -> bool:
        held = standby in self.plan.held and standby not in self._needed
        return held and self.states[standby] is _PENDING

    def _fall_back(self, f: int, at: float) -> None:
        """*f* failed, and another node stands in for it."""
        g = self.plan.fallback[f]
        self._open -= 1
        self._undecided[g] -= 1
        if self.states[g] in (_COMPLETED, _SKIPPED) or g in self._stood_in_for | self._void:
            self._settle(self._stand_in(f, g, at), at)
        elif g in self.plan.held and g not in self._needed:
            self._waiting[g] -= 1
            if not self._waiting[g]:
                self._ready(g, at)
        self._needed.add(g)
        self._finish_if_done()

    def _stand_in(self, f: int, g: int, at: float) -> list[int]:
        """What *g* gave counts as what *f* gives, and as what those give that *f* stands in for.

        Returns what is to be settled next; where *g* gave nothing, that is what goes with it.
        """
        if self.states[g] is _SKIPPED or g in self._void:
            self._void.add(f)
            return [f, *self._skip_dependants(f, at)]
        self._stood_in_for.add(f)
        self._out.append(StandIn(f, g))
        for j in self._successors[f]:
            self._waiting[j] -= 1
            if not self._waiting[j] and self.states[j] is _PENDING:
                self._ready(j, at)
        return [f]

    def _skip(self, i: int, at: float) -> None:
        """Leave *i* out, and with it what needs its value; what merely comes after it goes on."""
        self._settle(self._leave_out(i, at), at)
        self._finish_if_done()

    def _leave_out(self, i: int, at: float) -> list[int]:
        """Mark *i* skipped, and what needs it; return them all."""
        self.states[i] = _SKIPPED
        self.skipped += 1
        self._open -= 1
        return [i, *self._skip_dependants(i, at)]

    def _skip_dependants(self, i: int, at: float) -> list[int]:
        todo = [i]
        skipped: list[int] = []
        while todo:
            of = todo.pop()
            because = {"because": self._names[of]}
            for j in self._successors[of]:
                self._waiting[j] -= 1
                if self.states[j] is not _PENDING:
                    continue
                if of in self.plan.shape.data[j]:
                    self.states[j] = _SKIPPED
                    self.skipped += 1
                    self._open -= 1
                    self._tell(at, "node.skipped", because, j)
                    todo.append(j)
                    skipped.append(j)
                elif not self._waiting[j]:
                    self._ready(j, at)
        return skipped

    def _dispatch(self, at: float) -> None:
        """Start whatever has a place, most urgent first."""
        take = self._places.take
        while (i := take()) >= 0:
            fan = self.fans.get(i) if self.fans else None
            if fan is None:
                k = WHOLE
                self.states[i] = _RUNNING
                key = None
            elif not fan.queue:  # the node was given up while it waited
                self._places.leave(i)
                continue
            else:
                k = fan.queue.popleft()
                fan.states[k] = _RUNNING
                key = fan.keys[k]
                if fan.queue:
                    self._places.offer(i)
            attempt = self.tries.get((i, k), 0) + 1 if self.tries else 1
            self.in_flight += 1
            history = self.history
            history.append(
                Event(
                    len(history),
                    at,
                    self.run_id,
                    "node.started",
                    self._names[i],
                    key,
                    attempt,
                )
            )
            self._out.append(Start(i, k, attempt))

    def _leave(self, i: int) -> None:
        self.in_flight -= 1
        self._places.leave(i)

    def _finish_if_done(self) -> None:
        if not self._open and self._live and not self.in_flight:
            self._live = False
            self._out.append(Finish(RunState.COMPLETED))

    def _finish_if_stopped(self) -> None:
        if self.goal is not None and not self.in_flight and self.state is RunState.CANCELLING:
            self._out.append(Finish(self.goal))
        else:
            self._finish_if_done()

    def _state(self, unit: tuple[int, int]) -> NodeState:
        return self.states[unit[0]] if unit[1] == WHOLE else self.fans[unit[0]].states[unit[1]]

    def _put(self, unit: tuple[int, int], state: NodeState) -> None:
        if unit[1] == WHOLE:
            self.states[unit[0]] = state
        else:
            self.fans[unit[0]].states[unit[1]] = state

    def _unit(self, i: int, fact: Any) -> tuple[Fan, int]:
        fan = self.fans[i]
        return fan, fan.index[fact.item]

    def name_of(self, unit: tuple[int, int]) -> str:
        """Return how people call a node, or an item of one."""
        name = self.plan.shape.names[unit[0]]
        return name if unit[1] == WHOLE else f"{name}[{self.fans[unit[0]].keys[unit[1]]}]"

    def _tell(  # noqa: PLR0913, PLR0917 - the fields of an event, in their order
        self,
        at: float,
        kind: str,
        data: Mapping[str, Any],
        i: int = -1,
        k: int = WHOLE,
        attempt: int = 0,
    ) -> None:
        node = self.plan.shape.names[i] if i >= 0 else None
        item = self.fans[i].keys[k] if k != WHOLE else None
        self.history.append(
            Event(len(self.history), at, self.run_id, kind, node, item, attempt, data)
        )
