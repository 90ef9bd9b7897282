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
    """One attempt under way, and what came of it.

    ``expired`` says it is being stopped because its time is over, ``abandoned`` that it was left
    behind and whatever it still gives is ignored.
    """

    __slots__ = (
        "abandoned",
        "attempt",
        "error",
        "expired",
        "item",
        "landed",
        "node",
        "performance",
        "started",
        "task",
        "timer",
        "value",
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
        self.value: Any = None
        self.error: BaseException | None = None
        self.expired = self.abandoned = self.landed = False

    async def fly(
        self, function: Callable[..., Any], positional: Sequence[Any], named: dict[str, Any]
    ) -> None:
        """Await the node, and land: cheaper by a turn of the loop than a task's callback.

        sys.exit in a node ends the node and not the loop.
        """
        try:
            self.value = await function(*positional, **named)
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            self.error = error
            raise
        except SystemExit as error:
            self.error = RuntimeError(f"it called sys.exit({error.code!r})")
        except BaseException as error:  # noqa: BLE001 - it is told, not lost
            self.error = error
        finally:
            self.performance.land(self)

    def stop(self, reason: str) -> None:
        """Ask the task to stop. One that never made its first step lands by its callback."""
        if self.task is not None:
            self.task.add_done_callback(self._stopped)
            self.task.cancel(reason)

    def _stopped(self, task: asyncio.Task[Any]) -> None:
        if not self.landed and task.cancelled():
            self.error = asyncio.CancelledError()
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
