"""No-op nodes on a layered graph of 10,000 nodes and 29,700 edges, every event counted.

Bare is what one would write by hand: asyncio over graphlib, one Task a node. Both sides pass
values, and run on asyncio's own loop.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from house.measuring import Case, at_most, optional
from sy_dag import Engine, Node, Ref, Workflow

LAYERS, WIDTH, NEEDS = 100, 100, 3
NODES = LAYERS * WIDTH
RESULT = 3 ** (LAYERS - 1)


def layered() -> dict[str, tuple[str, ...]]:
    """Each node takes three of the layer before; the same graph on every side."""
    graph: dict[str, tuple[str, ...]] = {}
    for layer in range(LAYERS):
        for place in range(WIDTH):
            before = [f"n{layer - 1}_{(place + k * 7) % WIDTH}" for k in range(NEEDS)]
            graph[f"n{layer}_{place}"] = tuple(before) if layer else ()
    return graph


GRAPH = layered()
LAST = f"n{LAYERS - 1}_0"


def plain(a: int = 1, b: int = 0, c: int = 0) -> int:
    return a + b + c


async def later(a: int = 1, b: int = 0, c: int = 0) -> int:
    return a + b + c


def workflow() -> Workflow:
    wf = Workflow("layered")
    for name, before in GRAPH.items():
        wf.add(
            Node(name, "operator", "op", arguments=dict(zip("abc", map(Ref, before), strict=False)))
        )
    wf.output("last", Ref(LAST))
    return wf


async def bare() -> None:
    """Asyncio over graphlib, one Task a node."""
    sorter = TopologicalSorter(GRAPH)
    sorter.prepare()
    results: dict[str, int] = {}
    done: asyncio.Queue[str] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()

    async def run(name: str) -> None:
        results[name] = await later(*[results[before] for before in GRAPH[name]])
        done.put_nowait(name)

    while sorter.is_active():
        for name in sorter.get_ready():
            task = asyncio.create_task(run(name))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        sorter.done(await done.get())
    assert results[LAST] == RESULT


async def perform(wf: Workflow, engine: Engine) -> None:
    """Run *wf*, with one subscriber that counts every event."""
    handle = await engine.start(wf)
    count = 0
    async for _ in handle.events():
        count += 1
    result = await handle.result()
    assert result.outputs["last"] == RESULT
    assert count == 3 * NODES + 2


class Compiled:
    """One engine and one workflow, made ready once."""

    def __init__(self, function: Callable[..., Any], durability: str | None = None) -> None:
        self.function = function
        self.durability = durability
        self.folder: Path | None = None

    def setup(self) -> None:
        if self.durability is not None:
            self.folder = Path(tempfile.mkdtemp(prefix="sy-dag-bench-"))
        self.engine = Engine(
            self.folder,
            operators={"op": self.function},
            durability=self.durability or "process",
            concurrency=NODES,
        )
        self.workflow = workflow()
        asyncio.run(self.ours())

    async def ours(self) -> None:
        await perform(self.workflow, self.engine)

    def teardown(self) -> None:
        if self.folder is not None:
            shutil.rmtree(self.folder)


async def with_compiling() -> None:
    """A workflow seen for the first time: validated, ordered, then run."""
    wf = FRESH.pop()
    await perform(wf, Engine(operators={"op": plain}))


FRESH: list[Workflow] = []


def fresh() -> None:
    FRESH.append(workflow())


def dask_threaded() -> Callable[[], None] | None:
    """The same graph under Dask's threaded scheduler, all of its last layer asked for."""
    threaded = optional("dask.threaded")
    if threaded is None:
        return None
    graph = {name: (plain, *before) for name, before in GRAPH.items()}
    last_layer = list(GRAPH)[-WIDTH:]

    def run() -> None:
        assert threaded.get(graph, last_layer)[0] == RESULT

    return run


def case(name: str, ours: Compiled, limit: float) -> Case:
    return Case(
        name=name,
        ours=ours.ours,
        peers={"bare": bare},
        budgets=[at_most(limit, peer="bare")],
        operations=NODES,
        setup=ours.setup,
        teardown=ours.teardown,
    )


def cases() -> list[Case]:
    kept = Compiled(plain, "process")
    return [
        case("plain functions, journal off, compiled", Compiled(plain), 0.6),
        Case(
            name="plain functions, journal off, compiling included",
            ours=with_compiling,
            peers={"bare": bare},
            budgets=[at_most(1.0, peer="bare")],
            operations=NODES,
            each_round=fresh,
        ),
        case("async tasks, journal off", Compiled(later), 1.2),
        case("async tasks, durability=process", Compiled(later, "process"), 1.8),
        Case(
            name="plain functions, durability=process, against Dask threaded",
            ours=kept.ours,
            peers={"dask": dask_threaded()},
            budgets=[at_most(0.2, peer="dask")],
            operations=NODES,
            setup=kept.setup,
            teardown=kept.teardown,
            rounds=5,
        ),
    ]
