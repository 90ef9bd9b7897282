"""One attempt under way, and how functions are called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sy_dag._run._context import Context
from sy_dag._run._runners import Bound

if TYPE_CHECKING:
    from sy_dag._run._performance import Performance


class Flight:
    """One attempt under way; calling it with its task tells that the task is done.

    ``expired`` says it is being stopped because its time is over, ``abandoned`` that it was left
    behind and whatever it still gives is ignored.
    """

    __slots__ = (
        "abandoned",
        "attempt",
        "expired",
        "item",
        "node",
        "performance",
        "started",
        "task",
        "timer",
    )

    def __init__(
        self, performance: Performance, node: int, item: int, attempt: int, started: float
    ) -> None:
        self.performance = performance
        self.node = node
        self.item = item
        self.attempt = attempt
        self.started = started
        self.task: asyncio.Task[Any] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.expired = self.abandoned = False

    def __call__(self, task: asyncio.Task[Any]) -> None:  # noqa: ARG002 - a done callback takes it
        self.performance.land(self)

    def context(self) -> Context:
        """Return the voice of this attempt."""
        return Context(self.performance.unit(self.node, self.item, self.attempt), self.performance)

    def __repr__(self) -> str:
        return f"Flight(node={self.node}, item={self.item}, attempt={self.attempt})"


def call(bound: Bound, arguments: dict[str, Any]) -> Any:
    """Call a function with arguments by name, those that it takes by position in their places."""
    positional, named = passed(bound, arguments)
    return bound.call(*positional, **named)


def passed(bound: Bound, arguments: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return what is passed by position, and the rest by name."""
    if not bound.positional and bound.variadic is None:
        return (), arguments
    positional = [arguments.pop(name) for name in bound.positional if name in arguments]
    if bound.variadic is not None:
        positional += arguments.pop(bound.variadic, ())
    return positional, arguments


async def contained(
    function: Callable[..., Any], positional: Sequence[Any], named: dict[str, Any]
) -> Any:
    """Await a node; sys.exit in it ends the node and not the loop.

    It is called in here: a task that is cancelled before its first step leaves nothing unawaited.
    """
    try:
        return await function(*positional, **named)
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error
