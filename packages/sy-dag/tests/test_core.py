"""The core alone: driven by hand, and by seeded random schedules with failures and crashes."""

from __future__ import annotations

import random
from typing import Any

import attrs
import pytest

from sy_commons import ConstantBackoff
from sy_commons.testing import proof_count
from sy_dag import (
    IllegalTransition,
    Node,
    NodeState,
    OnError,
    Ref,
    RunState,
    Workflow,
    WorkflowInvalid,
)
from sy_dag._run._core import WHOLE, Core
from sy_dag._run._facts import (
    Began,
    Completed,
    Due,
    Ended,
    Expand,
    Expanded,
    Fact,
    Failed,
    Finish,
    Instruction,
    Resumed,
    StandIn,
    Start,
    Started,
    Stop,
    StopAsked,
    Stopped,
    Wake,
)
from sy_dag._run._journal import KEPT
from sy_dag._run._places import Places
from sy_dag._run._plan import Lane, make_plan
from sy_dag._run._states import NODE_TRANSITIONS, RUN_TRANSITIONS

NO_WAIT = ConstantBackoff(0.0, jitter=0)
ERROR = {"v": 1, "type": "ValueError", "text": "no"}


def make_core(
    workflow: Workflow, lane: Lane = Lane.ASYNC, limits: Any = None, capacity: int = 99
) -> Core:
    lanes = [lane] * len(workflow.nodes)
    plan = make_plan(workflow.shape, workflow.nodes, lanes)
    return Core(plan, "r", Places(plan, {lane: capacity}, limits))


def chain(*names: str, **options: Any) -> Workflow:
    workflow = Workflow("chain")
    before = None
    for name in names:
        arguments = {} if before is None else {"x": Ref(before)}
        workflow.add(Node(name, "operator", "op", arguments=arguments, **options))
        before = name
    return workflow


def done(name: str, item: str | None = None, attempt: int = 1) -> Completed:
    return Completed(name, item, attempt, 0.0, 1.0)


def failed(name: str, item: str | None = None, attempt: int = 1, **more: Any) -> Failed:
    return Failed(name, item, attempt, 0.0, 1.0, ERROR, **more)


def kinds(core: Core, since: int = 0) -> list[str]:
    return [f"{e.kind} {e.node or ''}".strip() for e in core.history[since:]]


def test_a_chain_runs_one_after_the_other_and_finishes() -> None:
    core = make_core(chain("a", "b"))
    assert core.handle(Began(0.0)) == [Start(0, WHOLE, 1)]
    assert core.handle(done("a")) == [Start(1, WHOLE, 1)]
    assert core.handle(done("b")) == [Finish(RunState.COMPLETED)]
    assert core.handle(Ended("completed", 2.0)) == []
    assert kinds(core) == [
        "run.started",
        "node.ready a",
        "node.started a",
        "node.completed a",
        "node.ready b",
        "node.started b",
        "node.completed b",
        "run.completed",
    ]


def test_nothing_to_do_is_done_at_once() -> None:
    assert make_core(Workflow("empty")).handle(Began(0.0)) == [Finish(RunState.COMPLETED)]


def test_a_slow_sibling_does_not_hold_up_what_does_not_need_it() -> None:
    workflow = chain("fast", "after_fast")
    workflow.add(Node("slow", "operator", "op"))
    core = make_core(workflow)
    core.handle(Began(0.0))
    after_fast = core.plan.shape.index["after_fast"]
    assert core.handle(done("fast")) == [Start(after_fast, WHOLE, 1)]


def test_retries_wait_and_then_count_up() -> None:
    core = make_core(chain("a", on_error=OnError(2, NO_WAIT)))
    core.handle(Began(0.0))
    assert core.handle(failed("a")) == [Wake(0, WHOLE, 0.0)]
    assert core.states[0] is NodeState.RETRYING
    assert core.handle(Due("a", None, 1.0)) == [Start(0, WHOLE, 2)]
    core.handle(failed("a", attempt=2))
    assert core.handle(Due("a", None, 1.0)) == [Start(0, WHOLE, 3)]
    assert core.handle(failed("a", attempt=3)) == [Finish(RunState.FAILED)]


def test_a_permanent_failure_is_not_retried() -> None:
    core = make_core(chain("a", on_error=OnError(5, NO_WAIT)))
    core.handle(Began(0.0))
    assert core.handle(failed("a", permanent=True)) == [Finish(RunState.FAILED)]


def test_a_skipped_node_takes_along_what_needs_it_and_lets_go_what_comes_after_it() -> None:
    workflow = chain("a", "b", "c", on_error=OnError(then="skip"))
    workflow.add(Node("z", "operator", "op", after=("a",)))
    core = make_core(workflow)
    core.handle(Began(0.0))
    assert core.handle(failed("a")) == [Start(core.plan.shape.index["z"], WHOLE, 1)]
    states = dict(zip(core.plan.shape.names, core.states, strict=True))
    assert [states[name].value for name in "abcz"] == ["skipped"] * 3 + ["running"]


def fallback_workflow() -> Workflow:
    workflow = chain("a")
    workflow.add(
        Node("b", "operator", "op", arguments={"x": Ref("a")}, on_error=OnError(fallback="f"))
    )
    workflow.add(Node("f", "operator", "op", arguments={"x": Ref("a")}, only_fallback=True))
    workflow.add(Node("c", "operator", "op", arguments={"x": Ref("b")}))
    return workflow


def test_a_fallback_stands_in_for_the_node_that_failed() -> None:
    core = make_core(fallback_workflow())
    index = core.plan.shape.index
    core.handle(Began(0.0))
    assert core.handle(done("a")) == [Start(index["b"], WHOLE, 1)]
    assert core.handle(failed("b")) == [Start(index["f"], WHOLE, 1)]
    assert core.handle(done("f")) == [StandIn(index["b"], index["f"]), Start(index["c"], WHOLE, 1)]
    assert core.handle(done("c")) == [Finish(RunState.COMPLETED)]


def test_a_fallback_that_nobody_needs_is_skipped() -> None:
    core = make_core(fallback_workflow())
    core.handle(Began(0.0))
    core.handle(done("a"))
    core.handle(done("b"))
    assert core.handle(done("c")) == [Finish(RunState.COMPLETED)]
    assert core.states[core.plan.shape.index["f"]] is NodeState.SKIPPED
    assert core.is_needless(core.plan.shape.index["f"])


@pytest.mark.parametrize("fails", [False, True])
def test_chains_longer_than_the_stack_are_no_trouble(fails: bool) -> None:
    """A thousand fallbacks of fallbacks, and a thousand nodes that go with a skipped one."""
    workflow = Workflow("long")
    for n in range(1000):
        workflow.add(
            Node(
                f"f{n}",
                "operator",
                "op",
                on_error=OnError(fallback=f"f{n + 1}"),
                only_fallback=n > 0,
            )
        )
    workflow.add(Node("f1000", "operator", "op", only_fallback=True))
    before = "f0"
    for n in range(1000):
        workflow.add(Node(f"c{n}", "operator", "op", arguments={"x": Ref(before)}))
        before = f"c{n}"
    core = make_core(workflow)
    core.handle(Began(0.0))
    if fails:
        for n in range(1000):
            core.handle(failed(f"f{n}"))
        core.handle(done("f1000"))
    else:
        core.handle(done("f0"))
    for n in range(999):
        core.handle(done(f"c{n}"))
    assert core.handle(done("c999")) == [Finish(RunState.COMPLETED)]


def map_workflow(**options: Any) -> Workflow:
    workflow = chain("a")
    workflow.add(Node("m", "operator", "op", map={"x": Ref("a")}, **options))
    workflow.add(Node("c", "operator", "op", arguments={"x": Ref("m")}))
    return workflow


def test_items_start_only_after_their_keys_are_told() -> None:
    core = make_core(map_workflow())
    index = core.plan.shape.index
    core.handle(Began(0.0))
    assert core.handle(done("a")) == [Expand(index["m"])]
    assert core.handle(Expanded("m", 1.0, ["k0", "k1"])) == [
        Start(index["m"], 0, 1),
        Start(index["m"], 1, 1),
    ]
    assert core.handle(done("m", "k1")) == []
    assert core.handle(done("m", "k0")) == [Start(index["c"], WHOLE, 1)]


def test_a_map_over_nothing_is_complete() -> None:
    core = make_core(map_workflow())
    core.handle(Began(0.0))
    core.handle(done("a"))
    assert core.handle(Expanded("m", 1.0, [])) == [Start(core.plan.shape.index["c"], WHOLE, 1)]


def test_a_failing_item_stops_its_siblings_and_the_fallback_of_the_whole_runs() -> None:
    workflow = map_workflow(on_error=OnError(fallback="f"))
    workflow.add(Node("f", "operator", "op", only_fallback=True))
    core = make_core(workflow, capacity=2)
    index = core.plan.shape.index
    m = index["m"]
    core.handle(Began(0.0))
    core.handle(done("a"))
    core.handle(Expanded("m", 1.0, ["k0", "k1", "k2"]))
    assert core.handle(failed("m", "k0")) == [Stop(m, 1), Start(index["f"], WHOLE, 1)]
    assert core.handle(done("f")) == [StandIn(m, index["f"]), Start(index["c"], WHOLE, 1)]
    assert core.handle(done("c")) == []  # k1 has not stopped yet
    assert core.handle(Stopped("m", "k1", 1, 2.0)) == [Finish(RunState.COMPLETED)]


def test_limits_are_taken_before_the_start_and_hold_up_nobody_else() -> None:
    workflow = Workflow("limits")
    for name in ("g1", "g2", "g3"):
        workflow.add(Node(name, "operator", "op", tags=frozenset({"gpu"})))
    workflow.add(Node("z", "operator", "op"))
    core = make_core(workflow, limits={"gpu": 1})
    index = core.plan.shape.index
    first = core.handle(Began(0.0))
    assert first == [Start(index["g1"], WHOLE, 1), Start(index["z"], WHOLE, 1)]
    assert core.handle(done("g1")) == [Start(index["g2"], WHOLE, 1)]


def test_a_place_is_free_while_its_node_waits_to_be_retried() -> None:
    workflow = Workflow("limits")
    workflow.add(Node("a", "operator", "op", on_error=OnError(1, NO_WAIT)))
    workflow.add(Node("b", "operator", "op"))
    core = make_core(workflow, capacity=1)
    core.handle(Began(0.0))
    assert core.handle(failed("a")) == [Wake(0, WHOLE, 0.0), Start(1, WHOLE, 1)]


def test_cancel_waits_for_what_runs_to_stop() -> None:
    workflow = Workflow("two")
    workflow.add(Node("a", "operator", "op"))
    workflow.add(Node("b", "operator", "op"))
    core = make_core(workflow)
    core.handle(Began(0.0))
    stops = core.handle(StopAsked("cancelled", "enough", 1.0))
    assert stops == [Stop(0, WHOLE), Stop(1, WHOLE)]
    assert core.state is RunState.CANCELLING
    assert core.handle(Stopped("a", None, 1, 1.0)) == []
    assert core.handle(done("b")) == [Finish(RunState.CANCELLED)]  # it was faster than the stop
    core.handle(Ended("cancelled", 2.0))
    assert core.state is RunState.CANCELLED


@pytest.mark.parametrize(
    "fact",
    [
        done("b"),
        done("a"),
        failed("b"),
        Stopped("b", None, 1, 0.0),
        Began(1.0),
        Ended("cancelled", 1.0),
        Expanded("b", 1.0, []),
    ],
    ids=lambda fact: f"{type(fact).__name__} {getattr(fact, 'node', '')}",
)
def test_what_cannot_follow_is_refused(fact: Fact) -> None:
    core = make_core(chain("a", "b"))
    core.handle(Began(0.0))
    core.handle(done("a"))
    core.handle(done("b"))
    before = (list(core.states), core.state, len(core.history))
    with pytest.raises(IllegalTransition):
        core.handle(fact)
    assert (list(core.states), core.state, len(core.history)) == before


def test_what_ran_when_the_process_died_runs_again_with_the_next_number() -> None:
    core = make_core(chain("a"))
    core.replay([Began(0.0), Started("a", None, 1, 0.5)])
    assert core.stored_state is RunState.INTERRUPTED
    assert core.handle(Resumed(1.0)) == [Start(0, WHOLE, 2)]


def test_resuming_a_failed_run_tries_again_what_failed() -> None:
    core = make_core(chain("a", "b"))
    core.replay([Began(0.0), done("a"), failed("b"), Ended("failed", 1.0, ERROR)])
    assert core.stored_state is RunState.FAILED
    assert core.handle(Resumed(2.0)) == [Start(1, WHOLE, 2)]
    assert core.handle(done("b", attempt=2)) == [Finish(RunState.COMPLETED)]


# The simulation


@attrs.define
class Script:
    """What every unit of a random workflow will do, whatever the schedule."""

    fails: dict[str, int]
    items: dict[str, int]
    always: set[str]

    def verdict(self, place: str, failures: int) -> bool:
        return place not in self.always and failures >= self.fails.get(place, 0)


def random_workflow(rng: random.Random) -> tuple[Workflow, Script]:
    workflow = Workflow("random")
    script = Script({}, {}, set())
    names: list[str] = []
    standbys: list[str] = []
    count = rng.randint(1, 9)
    for n in range(count):
        name = f"n{n}"
        taken = rng.sample(names, min(len(names), rng.randint(0, 3)))
        mapped = bool(taken) and rng.random() < 0.35
        arguments = {f"a{i}": Ref(t) for i, t in enumerate(taken[1 if mapped else 0 :])}
        after = tuple(rng.sample(names, 1)) if names and rng.random() < 0.2 else ()
        retries = rng.choice([0, 0, 1, 2])
        then = rng.choice(["fail", "skip", "skip"])
        fallback = None
        if rng.random() < 0.25:
            fallback, then = f"f{n}", "fail"
            standby_needs = {"x": Ref(rng.choice(names))} if names and rng.random() < 0.5 else {}
            workflow.add(
                Node(
                    fallback,
                    "operator",
                    "op",
                    arguments=standby_needs,
                    only_fallback=rng.random() < 0.8,
                    on_error=standby_policy(rng, standbys),
                )
            )
            standbys.append(fallback)
            if rng.random() < 0.3:
                script.always.add(fallback)
        workflow.add(
            Node(
                name,
                "operator",
                "op",
                arguments=arguments,
                map={"m": Ref(taken[0])} if mapped else {},
                after=after,
                priority=rng.choice([0, 0, 1]),
                on_error=OnError(retries, NO_WAIT, then, fallback),
                tags=frozenset(rng.sample(["t1", "t2"], rng.randint(0, 2))),
            )
        )
        places = [name]
        if mapped:
            script.items[name] = rng.randint(0, 4)
            places = [f"{name}[k{k}]" for k in range(script.items[name])]
        for place in places:
            script.fails[place] = rng.randint(0, retries)
            if rng.random() < (0.12 if then == "fail" and fallback is None else 0.3):
                script.always.add(place)
        names.append(name)
    return workflow, script


def standby_policy(rng: random.Random, standbys: list[str]) -> OnError:
    """A fallback may have one itself, and share it with others."""
    if standbys and rng.random() < 0.5:
        return OnError(fallback=rng.choice(standbys))
    return OnError(then=rng.choice(["fail", "skip"]))


class Simulation:
    """The shell around the core that a test can turn: facts arrive in a random order."""

    def __init__(self, workflow: Workflow, script: Script, rng: random.Random) -> None:
        self.workflow = workflow
        self.script = script
        self.rng = rng
        self.journal: list = []
        self.failures: dict[str, int] = {}
        self.ran: list[tuple[str, bool]] = []
        self._begin()

    def _begin(self) -> None:
        lanes = [self.rng.choice([Lane.INLINE, Lane.ASYNC]) for _ in self.workflow.nodes]
        plan = make_plan(self.workflow.shape, self.workflow.nodes, lanes)
        capacity = {Lane.ASYNC: self.rng.randint(1, 4)}
        self.core = Core(plan, "r", Places(plan, capacity, {"t1": 1, "t2": 2}))
        self.flights: list = []
        self.wakes: list = []
        self.at = 0.0

    def run(self, crash_after: int | None = None) -> None:
        self._take(Began(self.at))
        self._go_on(crash_after)

    def resume(self, kept: int, crash_after: int | None = None) -> None:
        """Another process takes up what the first *kept* facts of the journal tell."""
        self.journal = self.journal[:kept]
        self._begin()
        self.core.replay(self.journal)
        if self.core.stored_state in (RunState.COMPLETED, RunState.CANCELLED):
            return
        self._take(Resumed(self.at) if kept else Began(self.at))
        self._go_on(crash_after)

    def _go_on(self, crash_after: int | None) -> None:
        for _ in range(10_000):
            if crash_after is not None and len(self.journal) >= crash_after:
                return
            if self.core.state in (RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED):
                assert not self.flights
                return
            self._step()
        raise AssertionError("the run hangs")

    def _step(self) -> None:
        choices = self.flights + self.wakes
        assert choices, f"nothing runs and {self.core!r} has not ended: {self.core.states}"
        chosen = self.rng.choice(choices)
        self.at += 1.0
        if chosen in self.wakes:
            self.wakes.remove(chosen)
            self._take(Due(*self._unit(chosen), self.at))
            return
        self.flights.remove(chosen)
        name, item = self._unit(chosen)
        place = self.core.name_of((chosen.node, chosen.item))
        if isinstance(chosen, Stop):
            self._take(Stopped(name, item, 1, self.at))
        elif self.script.verdict(place, self.failures.get(place, 0)):
            self.ran.append((place, True))
            self._take(Completed(name, item, chosen.attempt, self.at - 1, self.at))
        else:
            self.ran.append((place, False))
            self.failures[place] = self.failures.get(place, 0) + 1
            self._take(Failed(name, item, chosen.attempt, self.at - 1, self.at, ERROR))

    def _take(self, fact: Fact) -> None:
        before = self.snapshot()
        instructions = self.core.handle(fact)
        check_transitions(before, self.snapshot(), resumed=isinstance(fact, Began | Resumed))
        if type(fact) in KEPT:
            self.journal.append(fact)
        for instruction in instructions:
            self._perform(instruction)

    def _perform(self, instruction: Instruction) -> None:
        if isinstance(instruction, Start):
            self.flights.append(instruction)
            if self.core.plan.lanes[instruction.node] is not Lane.INLINE:
                name, item = self._unit(instruction)
                self.journal.append(Started(name, item, instruction.attempt, self.at))
        elif isinstance(instruction, Expand):
            name = self.core.plan.shape.names[instruction.node]
            keys = [f"k{k}" for k in range(self.script.items[name])]
            self._take(Expanded(name, self.at, keys))
        elif isinstance(instruction, Wake):
            self.wakes.append(instruction)
        elif isinstance(instruction, Stop):
            flying = [f for f in self.flights if self._unit(f) == self._unit(instruction)]
            if flying and self.rng.random() < 0.8:  # else it ends before it hears of the stop
                self.flights.remove(flying[0])
                self.flights.append(instruction)
        elif isinstance(instruction, Finish):
            error = self.core.error if instruction.state is RunState.FAILED else None
            self._take(Ended(instruction.state.value, self.at, error))

    def _unit(self, of: Any) -> tuple[str, str | None]:
        item = None if of.item == WHOLE else self.core.fans[of.node].keys[of.item]
        return self.core.plan.shape.names[of.node], item

    def snapshot(self) -> dict[str, NodeState | RunState]:
        core = self.core
        states = {name: core.states[i] for name, i in core.plan.shape.index.items()}
        for i, fan in core.fans.items():
            states |= {core.name_of((i, k)): state for k, state in enumerate(fan.states)}
        return states | {"": core.state}

    def outcome(self) -> object:
        """What has to be the same on every schedule: not which items of a failed node had ended."""
        if self.core.state is not RunState.COMPLETED:
            return self.core.state
        states = self.snapshot()
        return {
            place: state
            for place, state in states.items()
            if states[place.partition("[")[0]] is not NodeState.FAILED
        } | {place: state for place, state in states.items() if "[" not in place}


def check_transitions(before: dict, after: dict, *, resumed: bool) -> None:
    """Every change of a state is a way through the table; one fact may take several steps."""
    for place, new in after.items():
        old = before.get(place, NodeState.READY)
        if resumed and place and old is NodeState.RUNNING:
            continue
        table = NODE_TRANSITIONS if place else RUN_TRANSITIONS
        assert new in reachable(table, old), f"{place}: {old} became {new}"


def reachable(table: Any, state: Any) -> set:
    found, todo = {state}, [state]
    while todo:
        for following in table[todo.pop()]:
            if following not in found:
                found.add(following)
                todo.append(following)
    return found


def simulate(seed: int) -> None:
    workflow, script = random_workflow(random.Random(seed))
    try:
        workflow.validate()
    except WorkflowInvalid:
        return  # a fallback that would have to wait for what it stands in for
    calm = Simulation(workflow, script, random.Random(seed))
    calm.run()
    for kept in range(len(calm.journal) + 1):
        stormy = Simulation(workflow, script, random.Random(seed * 7919 + kept))
        stormy.run(crash_after=kept)
        if len(stormy.journal) < kept:
            continue  # it ended before it could crash there
        completed = {
            (fact.node, fact.item) for fact in stormy.journal[:kept] if isinstance(fact, Completed)
        }
        before = len(stormy.ran)
        stormy.failures = failures_in(stormy.journal[:kept])
        stormy.resume(kept)
        again = {place for place, _ in stormy.ran[before:]} & {
            node if item is None else f"{node}[{item}]" for node, item in completed
        }
        assert not again, f"seed {seed}, crash after {kept}: {again} ran again"
        assert stormy.outcome() == calm.outcome(), f"seed {seed}, crash after {kept}"


def failures_in(journal: list) -> dict[str, int]:
    found: dict[str, int] = {}
    for fact in journal:
        if isinstance(fact, Failed):
            place = fact.node if fact.item is None else f"{fact.node}[{fact.item}]"
            found[place] = found.get(place, 0) + 1
    return found


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_crashes_at_every_journal_boundary_change_neither_the_result_nor_run_anything_twice() -> (
    None
):
    for seed in range(proof_count(150, 10_000)):
        simulate(seed)
