"""Runs on a real loop: order, retries, fallbacks, maps, limits, stops, resumes."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from sy_commons import configure_logging, silence_logging
from sy_dag import (
    Engine,
    Hole,
    IllegalTransition,
    InputsChanged,
    InputsInvalid,
    JournalDamaged,
    Node,
    NodeCall,
    NodeFailed,
    NodeState,
    NodeTimedOut,
    OnError,
    Outcome,
    Ref,
    RunBroken,
    RunBusy,
    RunCancelled,
    RunFinished,
    RunIdInvalid,
    RunInterrupted,
    RunnerUnavailable,
    RunState,
    RunUnknown,
    Source,
    Workflow,
    WorkflowChanged,
    WorkflowInvalid,
    context,
    run,
    task,
)
from sy_dag._run._journal import Journal, read


@task
def double(number: int) -> int:
    return 2 * number


@task
async def double_later(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


@task
def add_up(*numbers: int) -> int:
    return sum(numbers)


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


def of(function: Any, **options: Any) -> Workflow:
    """A workflow of one node that calls *function*."""
    with Workflow("one") as wf:
        wf.output("value", task(**options)(function)())
    return wf


def test_values_flow_and_outputs_come_out() -> None:
    with Workflow("flow") as wf:
        number = wf.input("number", int)
        both = add_up(double(number), double_later(number), 1)
        wf.output("total", both)
        wf.output("nested", {"parts": [both, "plain"]})
    result = run(wf, {"number": "5"})
    assert result.outputs == {"total": 21, "nested": {"parts": [21, "plain"]}}
    assert result.nodes["add_up"].state is NodeState.COMPLETED
    assert result.raise_for_state() is result


async def test_run_works_inside_a_running_loop() -> None:
    with Workflow("inside") as wf:
        wf.output("value", double(21))
    assert run(wf).outputs["value"] == 42


def test_a_map_keeps_the_order_and_the_keys_of_its_items() -> None:
    with Workflow("map") as wf:
        words = wf.input("words", list[str])
        sizes = task(len_of).map(words)
        wf.output("total", total(double.map(sizes)))
        wf.output("sizes", sizes)
    result = run(wf, {"words": ["a", "bbb", "cc"]})
    assert result.outputs == {"total": 12, "sizes": [1, 3, 2]}
    assert list(result.nodes["len_of"].items) == ["a", "bbb", "cc"]
    assert list(result.nodes["double"].items) == ["a", "bbb", "cc"]


def len_of(word: str) -> int:
    return len(word)


def test_several_lists_are_mapped_in_step_and_the_rest_is_the_same_for_all() -> None:
    @task
    def join(a: str, b: str, sep: str) -> str:
        return a + sep + b

    with Workflow("zip") as wf:
        wf.output("value", join.map(["a", "b"], ["x", "y"], sep="-"))
    assert run(wf).outputs["value"] == ["a-x", "b-y"]


def test_lists_of_different_length_cannot_be_mapped() -> None:
    @task
    def join(a: str, b: str) -> str:
        return a + b

    with Workflow("zip") as wf:
        wf.output("value", join.map(["a", "b"], ["x"]))
    result = run(wf)
    assert result.state is RunState.FAILED
    assert "differ in length (a: 2, b: 1)" in str(result.error)


async def test_a_map_of_five_thousand_items_does_not_hang() -> None:
    @task(retries=1, backoff="constant")
    async def flaky(number: int) -> int:
        if number % 20 == 0 and context().attempt == 1:
            raise OSError("once")
        return number

    with Workflow("large") as wf:
        wf.output("total", total(flaky.map(wf.input("numbers", list))))
    async with Engine() as engine:
        handle = await engine.start(wf, {"numbers": list(range(5000))})
        result = await handle.result()
    assert result.outputs["total"] == sum(range(5000))
    retried = [key for key, item in result.nodes["flaky"].items.items() if item.attempts == 2]
    assert len(retried) == 250


def test_a_skipped_item_is_a_hole_that_ok_leaves_out_and_all_shows() -> None:
    @task(then="skip")
    def odd_only(number: int) -> int:
        if number % 2 == 0:
            raise ValueError("even")
        return number

    with Workflow("holes") as wf:
        kept = odd_only.map(wf.input("numbers", list))
        wf.output("ok", kept.ok)
        wf.output("all", kept.all)
        wf.output("plain", kept)
    result = run(wf, {"numbers": [1, 2, 3]})
    assert result.outputs["ok"] == result.outputs["plain"] == [1, 3]
    assert result.outputs["all"] == [1, Hole("1", "even"), 3]
    [(node, item, error)] = result.skipped
    assert (node, item, str(error)) == ("odd_only", "1", "even")


def test_a_failure_names_node_item_attempt_and_keeps_the_cause() -> None:
    @task(retries=1, backoff="constant")
    def fragile(word: str) -> str:
        raise KeyError(word)

    with Workflow("fails") as wf:
        fragile.map(["x"])
    result = run(wf)
    assert result.state is RunState.FAILED
    assert isinstance(result.error, NodeFailed)
    assert (result.error.node, result.error.item, result.error.attempt) == ("fragile", "x", 2)
    assert isinstance(result.error.__cause__, KeyError)
    assert result.error.__cause__.__traceback__ is not None
    with pytest.raises(NodeFailed):
        result.raise_for_state()


def test_sys_exit_in_a_node_ends_the_node() -> None:
    def leave() -> None:
        raise SystemExit(3)

    async def leave_later() -> None:
        raise SystemExit(3)

    for function in (leave, leave_later):
        result = run(of(function))
        assert result.state is RunState.FAILED
    assert run(of(leave, where="thread")).state is RunState.FAILED


def test_a_fallback_gives_the_value_and_its_dependants_never_notice() -> None:
    @task(fallback="plain")
    def clever(number: int) -> dict[str, int]:
        raise RuntimeError("too clever")

    @task(only="fallback")
    def plain(number: int) -> dict[str, int]:
        return {"value": number}

    with Workflow("fallback") as wf:
        best = clever(wf.input("number", int))
        plain(7)
        wf.output("doubled", double(best.value))
    result = run(wf, {"number": 1})
    assert result.outputs["doubled"] == 14
    assert result.nodes["clever"].state is NodeState.FAILED
    assert result.nodes["clever"].fallback == "plain"


async def test_a_fallback_may_have_a_fallback_and_the_last_value_counts(tmp_path: Path) -> None:
    def fails(number: int = 0) -> int:
        raise RuntimeError("no")

    wf = Workflow("chained")
    wf.add(Node("a", "operator", "fails", on_error=OnError(fallback="b")))
    wf.add(Node("b", "operator", "fails", on_error=OnError(fallback="c"), only_fallback=True))
    wf.add(Node("c", "operator", "seven", only_fallback=True))
    wf.add(Node("d", "operator", "double", arguments={"number": Ref("a")}))
    wf.output("value", Ref("d"))
    wf.output("direct", Ref("a"))
    operators = {"fails": fails, "seven": lambda: 7, "double": double}
    async with Engine(tmp_path, operators=operators) as engine:
        result = await (await engine.start(wf, run_id="r")).result()
        stored = engine.open("r")
    assert result.outputs == stored.outputs == {"value": 14, "direct": 7}
    assert result.output_sources["direct"] == (Source("c", None, None),)


def test_an_output_whose_node_was_skipped_is_missing_and_said_so() -> None:
    def fails() -> None:
        raise ValueError("no")

    result = run(of(fails, then="skip"))
    assert (result.state, result.outputs, result.missing) == (RunState.COMPLETED, {}, ("value",))


async def test_a_timeout_stops_a_coroutine_and_says_so() -> None:
    stopped = asyncio.Event()

    async def sleeps() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with Engine() as engine:
        result = await (await engine.start(of(sleeps, timeout_s=0.01))).result()
    assert isinstance(result.error.__cause__, NodeTimedOut)
    assert stopped.is_set()


async def test_a_timeout_leaves_a_thread_behind_and_says_so() -> None:
    go = threading.Event()
    async with Engine() as engine:
        handle = await engine.start(of(go.wait, where="thread", timeout_s=0.01))
        result = await handle.result()
    go.set()
    assert "left behind" in str(result.error.__cause__)


async def test_a_slow_sibling_does_not_delay_an_unrelated_branch() -> None:
    release = asyncio.Event()
    seen: list[str] = []

    @task
    async def slow() -> None:
        await release.wait()

    @task
    async def step(before: Any) -> None:
        seen.append(context().node)

    with Workflow("branches") as wf:
        slow()
        step(step(step(None)).named("second")).named("third")
    async with Engine() as engine:
        handle = await engine.start(wf)
        async for event in handle.events(kinds={"node.completed"}):
            if event.node == "third":
                break
        assert seen == ["step", "second", "third"]
        assert handle.nodes["slow"].state is NodeState.RUNNING
        release.set()
        assert (await handle.result()).state is RunState.COMPLETED


async def test_limits_bound_what_runs_at_once() -> None:
    running = most = 0

    @task(tags={"gpu"})
    async def work(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    with Workflow("limits") as wf:
        work.map(list(range(20)))
    async with Engine(limits={"gpu": 3}) as engine:
        await (await engine.start(wf)).result()
    assert most == 3


async def test_threads_run_what_blocks_beside_the_loop() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet() -> int:
        return both.wait()

    with Workflow("threads") as wf:
        task(where="thread")(meet)()
        task(where="thread")(meet)()
    async with Engine(threads=2) as engine:
        assert (await (await engine.start(wf)).result()).state is RunState.COMPLETED


async def test_events_are_replayed_then_followed_in_order_to_every_subscriber() -> None:
    told: list[int] = []
    with Workflow("events") as wf:
        double_later(double_later(1))
    async with Engine(on_event=lambda event: told.append(event.sequence)) as engine:
        handle = await engine.start(wf)
        first = [event async for event in handle.events()]
        second = [event async for event in handle.events()]
    assert first == second
    assert told == [event.sequence for event in first] == list(range(len(first)))
    assert (first[0].kind, first[-1].kind) == ("run.started", "run.completed")


async def test_a_failing_listener_harms_nothing_and_is_counted() -> None:
    logged: list[Mapping[str, Any]] = []
    configure_logging(console=False, standard=False, sinks=[logged.append])

    def listener(event: object) -> None:
        raise RuntimeError("listener")

    with Workflow("events") as wf:
        wf.output("value", double(4))
    async with Engine(on_event=listener) as engine:
        handle = await engine.start(wf)
        result = await handle.result()
    assert result.outputs["value"] == 8
    assert handle.stats()["listener_failures"] == handle.stats()["events"]
    silence_logging()
    assert ["on_event failed at run.started" in str(entry) for entry in logged] == [True]
    assert "RuntimeError('listener')" in str(logged[0])


async def test_a_task_tells_its_progress_and_logs() -> None:
    @task(where="thread")
    def talks() -> None:
        context().progress(0.5, "half")
        context().log("there", at=Path("x"))

    with Workflow("talks") as wf:
        talks()
    async with Engine() as engine:
        handle = await engine.start(wf)
        events = [e async for e in handle.events(kinds={"node.progress", "node.log"})]
    assert [dict(event.data) for event in events] == [
        {"fraction": 0.5, "message": "half"},
        {"message": "there", "fields": {"at": "x"}},
    ]


async def test_progress_counts_items() -> None:
    with Workflow("progress") as wf:
        double.map([1, 2, 3])
    async with Engine() as engine:
        handle = await engine.start(wf)
        assert handle.progress().fraction == 0
        await handle.result()
    assert (handle.progress().total, handle.progress().completed) == (4, 4)
    assert handle.progress().eta_s == 0


class Waits:
    """A workflow of an async node, a thread node and one that ignores its cancellation."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.ready = threading.Barrier(2)

    def workflow(self) -> Workflow:
        async def polite() -> None:
            await asyncio.Event().wait()

        async def stubborn() -> None:
            while not self.release.is_set():
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0.005)

        def thread() -> None:
            self.release.wait()

        with Workflow("waits") as wf:
            task(polite)()
            task(stubborn)()
            task(where="thread")(thread)()
        return wf


async def all_started(handle: Any, count: int) -> None:
    async for _ in handle.events(kinds={"node.started"}):
        count -= 1
        if not count:
            return


@pytest.mark.parametrize("stop", ["cancel", "interrupt"])
async def test_a_stop_is_acknowledged_and_says_what_could_not_be_stopped(stop: str) -> None:
    waits = Waits()
    async with Engine(grace_s=0.02) as engine:
        handle = await engine.start(waits.workflow())
        await all_started(handle, 3)
        began = time.monotonic()
        report = await getattr(handle, stop)("enough")
        assert time.monotonic() - began < 1
        result = await handle.result()
        waits.release.set()
    assert report.stopped == ("polite",)
    assert sorted(report.stuck) == ["stubborn", "thread"]
    assert result.state == (RunState.CANCELLED if stop == "cancel" else RunState.INTERRUPTED)
    expected = RunCancelled if stop == "cancel" else RunInterrupted
    assert isinstance(result.error, expected)
    assert "enough" in str(result.error)


async def test_a_stop_is_heard_while_plain_functions_keep_the_loop_busy() -> None:
    with Workflow("busy") as wf:
        task(where="inline")(spin).map(list(range(100_000)))
    async with Engine() as engine:
        handle = await engine.start(wf)
        await all_started(handle, 10)
        report = await handle.cancel()
    assert report.state is RunState.CANCELLED
    assert handle.progress().completed < 50_000


def spin(number: int) -> None:
    for _ in range(200):
        pass


async def test_closing_the_engine_interrupts_what_runs(tmp_path: Path) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async with Engine(tmp_path) as engine:
        handle = await engine.start(of(forever), run_id="r")
    assert handle.state is RunState.INTERRUPTED
    assert [run.state for run in Engine(tmp_path).runs()] == [RunState.INTERRUPTED]


CALLS: list[str] = []
BROKEN = {"on": True}


@task
def first(number: int) -> int:
    CALLS.append("first")
    return number + 1


@task
def second(number: int) -> int:
    CALLS.append("second")
    if BROKEN["on"]:
        raise RuntimeError("broken")
    return number * 10


def two_steps() -> Workflow:
    with Workflow("two") as wf:
        wf.output("value", second(first(wf.input("number", int))))
    return wf


@pytest.fixture
def calls() -> list[str]:
    CALLS.clear()
    BROKEN["on"] = True
    return CALLS


async def test_a_failed_run_is_resumed_and_what_had_finished_is_kept(
    tmp_path: Path, calls: list[str]
) -> None:
    async with Engine(tmp_path) as engine:
        result = await (await engine.start(two_steps(), {"number": 1}, run_id="r")).result()
        assert result.state is RunState.FAILED
        BROKEN["on"] = False
        result = await (await engine.start(two_steps(), {"number": 1}, run_id="r")).result()
    assert result.outputs == {"value": 20}
    assert calls == ["first", "second", "second"]
    assert result.nodes["second"].attempts == 2


async def test_operators_are_found_again_by_their_names(tmp_path: Path) -> None:
    fail = {"on": True}

    def flaky() -> str:
        if fail["on"]:
            raise OSError("down")
        return "up"

    wf = Workflow("named")
    wf.add(Node("a", "operator", "flaky"))
    wf.output("value", Ref("a"))
    async with Engine(tmp_path, operators={"flaky": flaky}) as engine:
        await (await engine.start(wf, run_id="r")).result()
    fail["on"] = False
    async with Engine(tmp_path, operators={"flaky": flaky}) as engine:
        result = await (await engine.resume("r")).result()
        assert result.outputs == {"value": "up"}
        again = await (await engine.resume("r")).result()
    assert (again.state, again.outputs) == (RunState.COMPLETED, {"value": "up"})


async def test_a_finished_id_gives_its_stored_result(tmp_path: Path, calls: list[str]) -> None:
    BROKEN["on"] = False
    async with Engine(tmp_path) as engine:
        await (await engine.start(two_steps(), {"number": 1}, run_id="r")).result()
        handle = await engine.start(two_steps(), {"number": 1}, run_id="r")
        result = await handle.result()
        kinds = [event.kind async for event in handle.events()]
    assert result.outputs == {"value": 20}
    assert calls == ["first", "second"]
    assert (kinds[0], kinds[-1]) == ("run.started", "run.completed")


async def test_code_that_cannot_be_found_is_told(tmp_path: Path) -> None:
    def fails() -> None:
        raise ValueError("no")

    async with Engine(tmp_path) as engine:
        await (await engine.start(of(fails), run_id="r")).result()
        with pytest.raises((RunnerUnavailable, WorkflowInvalid), match="cannot be imported"):
            await engine.resume("r")


def step_version(n: int) -> Any:
    if n == 1:

        def step(before: int) -> int:
            raise ValueError("version 1")
    else:

        def step(before: int) -> int:
            return before + 100

    return step


def versioned(n: int, pattern: str = "*") -> Workflow:
    wf = Workflow("versioned")
    wf.add(Node("start", "operator", "start"))
    wf.add(Node("step", "operator", "step", arguments={"before": Ref("start")}))
    wf.output("value", Ref("step"))
    return wf


async def test_changed_code_is_refused_with_the_difference_unless_accepted(tmp_path: Path) -> None:
    starts: list[int] = []

    def start() -> int:
        starts.append(1)
        return 1

    async with Engine(tmp_path, operators={"start": start, "step": step_version(1)}) as engine:
        await (await engine.start(versioned(1), run_id="r")).result()
    async with Engine(tmp_path, operators={"start": start, "step": step_version(2)}) as engine:
        with pytest.raises(WorkflowChanged, match="node step: its code changed"):
            await engine.resume("r")
        handle = await engine.resume("r", accept_changes=True)
        result = await handle.result()
        assert result.outputs == {"value": 101}
        assert starts == [1]
        stored = engine.open("r")
    assert (stored.state, stored.outputs) == (RunState.COMPLETED, {"value": 101})


async def test_changed_definitions_keep_finished_items_when_accepted(tmp_path: Path) -> None:
    ran: list[str] = []
    broken = {"on": True}

    def names() -> list[str]:
        return ["a", "b", "c"]

    def read(name: str) -> str:
        ran.append(name)
        if name == "c" and broken["on"]:
            raise OSError("not yet")
        return name.upper()

    def join(parts: list[str], sep: str = "") -> str:
        return sep.join(parts)

    def make(sep: str) -> Workflow:
        wf = Workflow("items")
        wf.add(Node("names", "operator", "names"))
        wf.add(Node("read", "operator", "read", map={"name": Ref("names")}))
        wf.add(Node("join", "operator", "join", arguments={"parts": Ref("read"), "sep": sep}))
        wf.output("text", Ref("join"))
        return wf

    operators = {"names": names, "read": read, "join": join}
    async with Engine(tmp_path, operators=operators) as engine:
        await (await engine.start(make("-"), run_id="r")).result()
        broken["on"] = False
        with pytest.raises(WorkflowChanged, match="node join: with was"):
            await engine.start(make("+"), run_id="r")
    # the same, accepted, through another definition of the engine's folder
    async with Engine(tmp_path, operators=operators) as engine:
        handle = await engine.start(make("+"), run_id="r", accept_changes=True)
        result = await handle.result()
    assert result.outputs == {"text": "A+B+C"}
    assert ran == ["a", "b", "c", "c"]


async def test_the_keys_of_items_are_on_the_disk_before_the_first_item_runs(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "r" / "journal"
    seen: list[list[object]] = []

    @task
    def look(word: str) -> None:
        if not seen:
            seen.append([type(fact).__name__ for fact in read(journal).records])

    with Workflow("keys") as wf:
        look.map(["a", "b"])
    async with Engine(tmp_path) as engine:
        await (await engine.start(wf, run_id="r")).result()
    assert seen == [["Began", "Expanded"]]


async def test_two_engines_cannot_perform_the_same_run(tmp_path: Path) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    async with Engine(tmp_path) as one, Engine(tmp_path) as other:
        handle = await one.start(of(forever), run_id="r")
        await all_started(handle, 1)
        with pytest.raises(RunBusy) as caught:
            await other.start(of(forever), run_id="r")
        assert caught.value.pid == os.getpid()
        assert [run.pid for run in other.runs()] == [os.getpid()]
        assert [run.state for run in other.runs()] == [RunState.RUNNING]
        attached = await one.start(of(forever), run_id="r")
        assert attached.run_id == handle.run_id
        await handle.cancel()
        with pytest.raises(RunFinished):
            await other.resume("r")


async def test_a_damaged_journal_is_refused_and_repaired_on_demand(
    tmp_path: Path, calls: list[str]
) -> None:
    BROKEN["on"] = False
    async with Engine(tmp_path) as engine:
        await (await engine.start(two_steps(), {"number": 1}, run_id="r")).result()
        path = tmp_path / "r" / "journal"
        data = bytearray(path.read_bytes())
        at = data.rindex(b"\xa5first")
        data[at + 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(JournalDamaged):
            await engine.start(two_steps(), {"number": 1}, run_id="r")
        [summary] = engine.runs()
        assert isinstance(summary.error, JournalDamaged)
        handle = await engine.start(two_steps(), {"number": 1}, run_id="r", repair=True)
        assert (await handle.result()).outputs == {"value": 20}
    assert (tmp_path / "r" / "journal.damaged").read_bytes() == bytes(data)


async def test_what_cannot_be_written_breaks_the_run_off_resumably(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is no failure of a node: the run is interrupted, and goes on later."""
    real = Journal.flush
    flushes: list[int] = []

    def full(self: Journal) -> None:
        flushes.append(1)
        if len(flushes) > 3:
            raise OSError(28, "No space left on device")
        real(self)

    with Workflow("disk") as wf:
        wf.output("value", double_later(double_later(double_later(1))))
    monkeypatch.setattr(Journal, "flush", full)
    async with Engine(tmp_path) as engine:
        result = await (await engine.start(wf, run_id="r")).result()
        assert result.state is RunState.INTERRUPTED
        assert "No space left" in str(result.error)
        monkeypatch.undo()
        result = await (await engine.start(wf, run_id="r")).result()
    assert result.outputs == {"value": 8}


@attrs.frozen
class Keeper:
    """A runner that keeps what it makes under a reference."""

    seen: list[NodeCall]
    fingerprint: str = "keeper@1"

    def check(self, arguments: Any) -> list[str]:
        return [f"{name!r} is not wanted" for name in arguments if name == "bad"]

    async def run(self, call: NodeCall) -> Outcome:
        self.seen.append(call)
        value = call.arguments.get("value", call.arguments.get("values"))
        return Outcome(value, reference=f"ref:{call.node}:{call.item}")


async def test_sources_name_every_output_that_flowed_in(tmp_path: Path) -> None:
    keeper = Keeper([])
    wf = Workflow("lineage")
    wf.add(Node("list", "operator", "keep", arguments={"value": ["x", "y"]}))
    wf.add(Node("each", "operator", "keep", map={"value": Ref("list")}))
    wf.add(Node("again", "operator", "keep", map={"value": Ref("each")}))
    wf.add(Node("all", "instrument", "keep", arguments={"values": Ref("again", ("ok",))}))
    wf.output("value", Ref("all"))
    async with Engine(tmp_path, operators={"keep": keeper}, instruments={"keep": keeper}) as engine:
        result = await (await engine.start(wf, run_id="r")).result()
    sources = {(call.node, call.item): call.sources for call in keeper.seen}
    assert sources["each", "x"] == (Source("list", None, "ref:list:None"),)
    assert sources["again", "y"] == (Source("each", "y", "ref:each:y"),)
    assert sources["all", None] == (
        Source("again", "x", "ref:again:x"),
        Source("again", "y", "ref:again:y"),
    )
    assert result.output_sources["value"] == (Source("all", None, "ref:all:None"),)


async def test_references_survive_a_resume(tmp_path: Path) -> None:
    keeper = Keeper([])
    fail = {"on": True}

    class Last:
        fingerprint = "last@1"

        async def run(self, call: NodeCall) -> object:
            if fail["on"]:
                raise OSError("not yet")
            return [source.reference for source in call.sources]

    wf = Workflow("lineage")
    wf.add(Node("a", "operator", "keep", arguments={"value": 1}))
    wf.add(Node("b", "operator", "last", arguments={"x": Ref("a")}))
    wf.output("value", Ref("b"))
    async with Engine(tmp_path, operators={"keep": keeper, "last": Last()}) as engine:
        result = await (await engine.start(wf, run_id="r")).result()
        assert result.state is RunState.FAILED
    fail["on"] = False
    async with Engine(tmp_path, operators={"keep": keeper, "last": Last()}) as engine:
        result = await (await engine.resume("r")).result()
    assert result.outputs == {"value": ["ref:a:None"]}
    assert len(keeper.seen) == 1


def test_unknown_names_and_arguments_are_told_all_at_once() -> None:
    wf = Workflow("wrong")
    wf.add(Node("a", "operator", "kepe"))
    wf.add(Node("b", "operator", "keep", arguments={"bad": 1}))
    wf.add(Node("c", "operator", "plain", arguments={"nmae": 1}))
    with pytest.raises(WorkflowInvalid) as caught:
        Engine(operators={"keep": Keeper([]), "plain": lambda name: name}).validate(wf)
    text = str(caught.value)
    assert "node a: there is no operator kepe; did you mean 'keep'?" in text
    assert "node b: 'bad' is not wanted" in text
    assert "node c: argument 'nmae' is unknown; did you mean 'name'?" in text
    assert "node c: argument 'name' is missing" in text


async def test_bad_inputs_and_ids_are_refused_before_anything_runs(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        with pytest.raises(InputsInvalid, match="did you mean 'number'"):
            await engine.start(two_steps(), {"numbr": 1})
        with pytest.raises(RunIdInvalid):
            await engine.start(two_steps(), {"number": 1}, run_id="../up")
        with pytest.raises(RunUnknown):
            await engine.resume("nowhere")
        assert engine.runs() == []


def test_a_reference_that_leads_nowhere_fails_its_node_with_a_reason() -> None:
    @task
    def gives() -> dict[str, int]:
        return {"text": 1}

    with Workflow("nowhere") as wf:
        double(gives().txt)
    result = run(wf)
    assert "$gives.txt leads nowhere: no 'txt' among text" in str(result.error)


def test_an_output_that_leads_nowhere_fails_the_run() -> None:
    with Workflow("nowhere") as wf:
        wf.output("value", double(1)["x"])
    result = run(wf)
    assert result.state is RunState.FAILED
    assert "$double.x leads nowhere" in str(result.error)


def test_a_plain_function_that_gives_a_coroutine_is_told_off() -> None:
    async def work() -> int:
        return 1

    def forgot_async() -> object:
        return work()

    result = run(of(forgot_async))
    assert "declare it with async def" in str(result.error)


def test_illegal_transitions_have_their_own_error() -> None:
    error = IllegalTransition(what="run r", old="completed", new="running")
    assert "run r is completed and cannot become running" in str(error)


async def test_a_run_of_this_id_with_other_inputs_is_refused(tmp_path: Path) -> None:
    """Given back as if it were asked for, the old result would be believed to be the new one."""
    with Workflow("same") as wf:
        wf.output("value", double(wf.input("number", int)))
    async with Engine(tmp_path) as engine:
        await (await engine.start(wf, {"number": 1}, run_id="one")).result()

        with pytest.raises(InputsChanged, match="number"):
            await engine.start(wf, {"number": 2}, run_id="one")
        again = await (await engine.start(wf, {"number": 1}, run_id="one")).result()
    assert again.outputs == {"value": 2}


async def test_what_carries_the_run_may_break_it_off_and_it_resumes(tmp_path: Path) -> None:
    """Neither a retry nor a skip answers for a full disk."""
    broken = [True]

    def carries(number: int) -> int:
        if broken[0]:
            raise RunBroken(reason="the disk is full")
        return number

    wf = Workflow("carried")
    on_error = OnError(retries=3, then="skip")
    node = Node("a", "operator", "carries", arguments={"number": 1}, on_error=on_error)
    wf.output("value", wf.add(node))
    async with Engine(tmp_path, operators={"carries": carries}) as engine:
        first = await (await engine.start(wf, {}, run_id="one")).result()
        broken[0] = False
        second = await (await engine.resume("one")).result()
    assert (first.state, str(first.error)) == ("interrupted", "the run broke off: the disk is full")
    assert second.outputs == {"value": 1}
