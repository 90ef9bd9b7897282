"""Workflows: recorded, built, asked, checked, and written down."""

from __future__ import annotations

import graphlib
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sy_commons import ConstantBackoff, SymphonyError, ValidationError, from_wire, to_wire
from sy_dag import (
    DefinitionInvalid,
    InputsInvalid,
    Node,
    NodeUnknown,
    NoWorkflow,
    OnError,
    Ref,
    Workflow,
    WorkflowInvalid,
    context,
    run,
    task,
)
from sy_dag._graph._codec import decode, encode
from sy_dag._graph._inputs import convert
from sy_dag._graph._ref import format_text, parse_text


@task
def double(number: int) -> int:
    """Twice as much."""
    context().progress(1.0)
    return 2 * number


def add(workflow: Workflow, name: str, *needs: str, **options: object) -> None:
    arguments = {f"a{i}": Ref(need) for i, need in enumerate(needs)}
    workflow.add(Node(name, "operator", "op", arguments=arguments, **options))  # type: ignore[arg-type]  # a test's shorthand


def test_a_task_is_its_function_and_nothing_outside_a_workflow() -> None:
    assert double.fn(4) == 8
    assert double.__doc__ == "Twice as much."
    with pytest.raises(NoWorkflow) as caught:
        double(4)
    assert "double.fn(...)" in caught.value.hint


def test_nodes_are_named_after_their_function_or_as_wished() -> None:
    with Workflow("names") as wf:
        double(1)
        double(2)
        named = double(3).named("third")
        double(named)
    assert list(wf.nodes) == ["double", "double-2", "third", "double-4"]
    assert wf.node("double-4").arguments == {"number": Ref("third")}


def test_a_name_that_is_taken_or_used_is_refused() -> None:
    with Workflow("names"):
        one = double(1)
        two = double(one)
        with pytest.raises(WorkflowInvalid, match="already used by double-2"):
            one.named("first")
        with pytest.raises(WorkflowInvalid, match="is there twice"):
            two.named("double")
        with pytest.raises(WorkflowInvalid, match="means something else"):
            two.named("inputs")


def test_arguments_are_bound_where_the_task_is_called() -> None:
    with Workflow("args"), pytest.raises(ValidationError, match="nmber"):
        double(3, nmber=3)


def test_workflows_record_into_the_innermost() -> None:
    with Workflow("outer") as outer, Workflow("inner") as inner:
        double(1)
    assert (len(outer), len(inner)) == (0, 1)


def test_a_reference_cannot_be_walked_before_the_run() -> None:
    with Workflow("walk"), pytest.raises(TypeError, match=r"task\.map"):
        list(double(1))


@settings(deadline=None)
@given(st.text())
def test_texts_survive_the_notation_of_references(text: str) -> None:
    assert parse_text(format_text(text)) == text


NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
REFS = st.builds(lambda node, path: Ref(node, tuple(path)), NAMES, st.lists(NAMES, max_size=3))
ARGUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False)
    | REFS
    | st.binary()
    | st.frozensets(st.integers()),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part) | st.tuples(part),
    max_leaves=8,
)


@settings(deadline=None)
@given(ARGUMENTS)
def test_arguments_come_back_from_json_data(value: object) -> None:
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)


def rich() -> Workflow:
    with Workflow("rich", version="2.1.0", description="all there is") as wf:
        path = wf.input("path", Path, default=".", description="where")
        wf.add(
            Node(
                "list",
                "operator",
                "fs.list",
                arguments={"root": path, "price": "$5", "deep": [{"x": path}]},
                timeout_s=2.5,
                priority=3,
                tags=frozenset({"io", "disk"}),
            )
        )
        wf.add(
            Node(
                "read",
                "instrument",
                "reader",
                map={"file": Ref("list", ("paths",))},
                on_error=OnError(3, ConstantBackoff(0.5), fallback="plain"),
                after=("list",),
            )
        )
        wf.add(Node("plain", "operator", "plain", only_fallback=True))
        wf.output("text", Ref("read", ("ok",)), artifact="text.md")
    return wf


def test_a_definition_survives_json() -> None:
    wf = rich()
    again = Workflow.from_json(wf.to_json())
    assert again.to_json() == wf.to_json()
    assert again.inputs == wf.inputs
    assert again.outputs == wf.outputs
    assert again.nodes["list"] == wf.nodes["list"]
    assert repr(again.nodes["read"].on_error) == repr(wf.nodes["read"].on_error)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 99}', '{"schema": 1}', '{"schema": 1, "name": 5}']
)
def test_what_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(DefinitionInvalid):
        Workflow.from_json(text)


def test_order_is_priority_then_the_longest_way_then_the_name() -> None:
    wf = Workflow("order")
    add(wf, "z_short")
    add(wf, "b_long")
    add(wf, "a_long")
    add(wf, "c", "a_long", "b_long")
    add(wf, "last_but_urgent", priority=5)
    assert wf.order() == ["last_but_urgent", "a_long", "b_long", "c", "z_short"]


ORDERED = """
import sys
from sy_dag import Node, Ref, Workflow
import random
rng = random.Random(5)
wf = Workflow("seeded")
names = []
for n in range(2000):
    taken = rng.sample(names, min(len(names), rng.randint(0, 4)))
    tags = frozenset({f"t{n % 7}", "x"})
    arguments = {f"a{i}": Ref(t) for i, t in enumerate(taken)}
    wf.add(Node(f"n{n}", "operator", "op", arguments=arguments, tags=tags, priority=n % 3))
    names.append(f"n{n}")
started = []
from sy_dag import Engine
import asyncio
async def main():
    async with Engine(operators={"op": lambda **kw: 0}) as engine:
        handle = await engine.start(wf, run_id="r")
        async for event in handle.events(kinds={"node.started"}):
            started.append(event.node)
asyncio.run(main())
assert started == wf.order(), "the run goes another way"
print(hash("x"), file=sys.stderr)
print(*started, sep="\\n")
"""


@pytest.mark.integration
def test_the_order_of_a_run_is_the_same_under_every_hash_seed() -> None:
    seen = set()
    hashes = set()
    for seed in ("0", "1", "42", "4294967295"):
        command = [sys.executable, "-B", "-c", ORDERED]
        done = subprocess.run(
            command, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}, check=True
        )
        seen.add(done.stdout)
        hashes.add(done.stderr)
    assert len(seen) == 1
    assert len(hashes) == 4  # the seeds did differ


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_is_topological_as_graphlib_has_it(seed: int) -> None:
    rng = random.Random(seed)
    wf = Workflow("random")
    graph: dict[str, list[str]] = {}
    for n in rng.sample(range(30), 12):
        taken = rng.sample(list(graph), min(len(graph), rng.randint(0, 3)))
        graph[f"n{n}"] = taken
        add(wf, f"n{n}", *taken, priority=rng.randint(0, 2))
    order = wf.order()
    assert sorted(order) == sorted(graph)
    assert all(order.index(need) < order.index(name) for name in graph for need in graph[name])
    graphlib.TopologicalSorter(graph).prepare()
    for name, needs in graph.items():
        assert set(wf.dependencies(name)) == set(needs)
        assert set(wf.dependencies(name, transitive=True)) == ancestors(graph, name)


def ancestors(graph: dict[str, list[str]], name: str) -> set[str]:
    found: set[str] = set()
    for need in graph[name]:
        found |= {need} | ancestors(graph, need)
    return found


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_a_cycle_is_found_and_is_one(seed: int) -> None:
    rng = random.Random(seed)
    wf = Workflow("random")
    edges = {f"n{n}": {f"n{rng.randrange(8)}" for _ in range(rng.randint(0, 2))} for n in range(8)}
    for name, needs in edges.items():
        add(wf, name, *sorted(needs))
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError:
        with pytest.raises(WorkflowInvalid) as caught:
            wf.order()
        cycle = caught.value.cycle
        for before, after in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            assert before in edges[after]
    else:
        assert len(wf.order()) == 8


def test_every_problem_is_told_at_once_with_its_node_and_the_mend() -> None:
    wf = Workflow("wrong")
    wf.input("path", str)
    add(wf, "a", "b")
    add(wf, "b", "a")
    add(wf, "c", "aa")
    add(wf, "d", after=("nowhere",), timeout_s=-1)
    add(wf, "e", on_error=OnError(fallback="missing"))
    add(wf, "f", only_fallback=True)
    wf.add(Node("g", "operator", "op", arguments={"x": Ref("secret", ("KEY",))}))
    wf.add(Node("h", "operator", "op", arguments={"x": [Ref("inputs", ("pth",))]}))
    add(wf, "i", on_error=OnError(-1, "never", "skip", "a"))
    wf.output("o", Ref("gone"))
    with pytest.raises(WorkflowInvalid) as caught:
        wf.validate()
    problems = [(p.code, p.nodes) for p in caught.value.problems]
    assert problems == [
        ("dag.unknown_node", ("c",)),
        ("dag.node", ("d",)),
        ("dag.unknown_node", ("d",)),
        ("dag.unknown_node", ("e",)),
        ("dag.fallback", ("f",)),
        ("dag.secret", ("g",)),
        ("dag.unknown_input", ("h",)),
        ("dag.node", ("i",)),
        ("dag.node", ("i",)),
        ("dag.node", ("i",)),
        ("dag.unknown_node", ()),
        ("dag.cycle", ("a", "b")),
    ]
    assert all(p.hint for p in caught.value.problems)
    assert caught.value.cycle == ("a", "b")
    assert "did you mean 'path'?" in str(caught.value)


def test_a_fallback_that_needs_what_it_stands_in_for_is_a_cycle() -> None:
    wf = Workflow("needy")
    add(wf, "a", on_error=OnError(fallback="b"))
    add(wf, "b", "a", only_fallback=True)
    with pytest.raises(WorkflowInvalid, match="its fallback 'b' needs it"):
        wf.validate()


def test_errors_travel() -> None:
    wf = Workflow("wrong")
    add(wf, "a", "b")
    with pytest.raises(WorkflowInvalid) as caught:
        wf.validate()
    back = from_wire(to_wire(caught.value))
    assert isinstance(back, WorkflowInvalid)
    assert str(back) == str(caught.value)
    assert isinstance(back, SymphonyError)


def test_unknown_nodes_come_with_a_suggestion() -> None:
    with pytest.raises(NodeUnknown, match="no node 'raed'") as caught:
        rich().node("raed")
    assert caught.value.hint == "did you mean 'read'?"


def test_inputs_are_converted_and_every_problem_told() -> None:
    wf = Workflow("inputs")
    for name, kind in {"n": int, "x": float, "on": bool, "names": list, "path": Path}.items():
        wf.input(name, kind)
    wf.input("table", dict, default={"a": 1})
    given_text = {"n": "3", "x": "2.5", "on": "yes", "names": "a, b", "path": Path("/x")}
    assert wf.check_inputs(given_text) == {
        "n": 3,
        "x": 2.5,
        "on": True,
        "names": ["a", "b"],
        "path": "/x",
        "table": {"a": 1},
    }
    with pytest.raises(InputsInvalid) as caught:
        wf.check_inputs({"n": "three", "x": True, "on": "maybe", "nmes": [], "path": ""})
    codes = [p.code for p in caught.value.problems]
    assert codes == [
        "dag.input_unknown",
        *["dag.input_type"] * 3,
        "dag.input_missing",
        "dag.input_type",
    ]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", 1.5),
        ("int", True),
        ("float", "x"),
        ("list", 5),
        ("list", "[1"),
        ("object", "[]"),
        ("object", 3),
        ("str", 3),
        ("path", "a\0b"),
        ("bool", 1),
    ],
)
def test_what_is_not_of_the_type_is_refused(kind: str, value: object) -> None:
    with pytest.raises(ValueError, match="is no"):
        convert(kind, value)


def test_a_workflow_may_be_empty_and_connected_by_a_program() -> None:
    assert run(Workflow("empty")).outputs == {}
    wf = Workflow("connected")
    add(wf, "a")
    add(wf, "b")
    wf.connect("a.text", "b.body")
    assert wf.dependencies("b") == ["a"]
    assert "n0 --> n1" in wf.to_mermaid()
    with pytest.raises(ValueError, match=r"node\.argument"):
        wf.connect("a", "b")
