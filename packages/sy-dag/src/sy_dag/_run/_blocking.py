"""Running a workflow from code that is not asynchronous, also inside a running loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from typing import Any

from sy_dag._graph._workflow import Workflow
from sy_dag._run._engine import Engine
from sy_dag._run._result import Result


def run(
    workflow: Workflow,
    inputs: Mapping[str, Any] | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    run_id: str | None = None,
    **options: Any,
) -> Result:
    """Run *workflow* to its end and return what came of it, also where it failed.

    Keeps no journal unless given a *folder*; *options* are those of :class:`Engine`. Blocks; inside
    a running loop (a notebook) the run has a thread and a loop of its own. Ctrl-C interrupts the
    run, which can then be resumed, and raises ``KeyboardInterrupt``.

    >>> from sy_dag import task
    >>> @task
    ... def add(a: int, b: int) -> int:
    ...     return a + b
    >>> with Workflow("sum") as wf:
    ...     wf.output("total", add(wf.input("a", int), 40))
    >>> run(wf, {"a": 2}).outputs["total"]
    42
    """

    async def performed() -> Result:
        async with Engine(folder, **options) as engine:
            handle = await engine.start(workflow, inputs, run_id=run_id)
            return await handle.result()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(performed())
    return _in_thread(performed)


def _in_thread(performed: Any) -> Result:
    done: list[Result] = []
    failed: list[BaseException] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs has one
        loops.append((asyncio.get_running_loop(), task))
        done.append(await performed())

    def target() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - it is raised where the caller waits
            failed.append(error)

    thread = threading.Thread(target=target, name="sy-dag-run")
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        for loop, task in loops:
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if failed:
        raise failed[0]
    return done[0]
