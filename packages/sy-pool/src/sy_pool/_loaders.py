"""Runs loads and unloads: a plain function in a thread of its own, a coroutine on the loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any

Done = Callable[[list[Any], BaseException | None], None]
"""Gets the result, alone in a list, or the error; called once, in whatever thread that happens.

It takes the result out of the list, so that no frame of ours keeps a model from going.
"""


class Loaders:
    """Starts calls and reports their end, however they end.

    A thread of its own for each: a load that takes minutes is never in the way of another, and a
    load that hangs keeps no process from ending.
    """

    __slots__ = ("_loop", "_tasks")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly

    def start(
        self, what: str, function: Callable[..., Any], arguments: list[Any], done: Done
    ) -> None:
        """Call *function* with *arguments*, which are let go of before *done* is called."""
        if inspect.iscoroutinefunction(function):
            self._start_coroutine(_call(function, arguments), done)
            return
        thread = threading.Thread(
            target=self._in_thread, args=(function, arguments, done), name=what, daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the machine gives no more threads
            done([], error)

    async def cancel(self, *, grace_s: float) -> None:
        """Cancel the coroutines that still run, and give them a moment to end."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)

    def _in_thread(self, function: Callable[..., Any], arguments: list[Any], done: Done) -> None:
        try:
            outcome = [function(*_taken(arguments))]
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it was
            done([], error)
            return
        if inspect.iscoroutine(outcome[0]):
            self._start_coroutine(outcome.pop(), done)
        else:
            done(outcome, None)

    def _start_coroutine(self, call: Coroutine[Any, Any, Any], done: Done) -> None:
        try:
            self._loop.call_soon_threadsafe(self._create_task, call, done)
        except RuntimeError as error:  # the loop is closed
            call.close()
            done([], error)

    def _create_task(self, call: Coroutine[Any, Any, Any], done: Done) -> None:
        task = self._loop.create_task(_report(call, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __repr__(self) -> str:
        return f"<Loaders: {len(self._tasks)} coroutines>"


async def _report(call: Coroutine[Any, Any, Any], done: Done) -> None:
    try:
        outcome = [await call]
    except BaseException as error:
        done([], error)  # those who wait are told, whatever it was
        if not isinstance(error, Exception):
            raise
    else:
        done(outcome, None)


async def _call(function: Callable[..., Any], arguments: list[Any]) -> Any:
    return await function(*_taken(arguments))


def _taken(arguments: list[Any]) -> list[Any]:
    """Empty the list, so that nothing but the call itself holds a model that is to go."""
    taken = arguments[:]
    arguments.clear()
    return taken
