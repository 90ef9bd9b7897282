"""The right to use a model for a while, for coroutines and for threads."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from sy_commons import SymphonyError
from sy_pool._errors import LeaseMisused, LeaseTimeout

if TYPE_CHECKING:
    from sy_pool._pool import Entry, ModelPool


class Claim(ABC):
    """What both kinds of lease are: a token, used once."""

    __slots__ = ("_entry", "_error", "_pool", "_used", "client", "since_s", "timeout_s")

    def __init__(
        self, pool: ModelPool, entry: Entry, *, client: str | None, timeout_s: float | None
    ) -> None:
        self._pool = pool
        self._entry = entry
        self._used = False
        self._error: SymphonyError | None = None
        self.client: Final = client
        self.timeout_s: Final = timeout_s
        self.since_s = 0.0  # when it began to wait or to hold

    @property
    def name(self) -> str:
        """The model's name."""
        return self._entry.slot.name

    @abstractmethod
    def settle(self, error: SymphonyError | None) -> bool:
        """Take the outcome: an error, or None for a grant. Tell whether somebody is there to."""

    def _outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        self.since_s = self._pool.now_s()
        return self._entry.value

    def _overdue(self) -> Any:
        """Return the model if it came in the very last moment; else give up and say why."""
        waited_s = self._pool.now_s() - self.since_s
        obstacle = self._pool.withdraw(self, self._entry)
        if obstacle is None:
            return self._outcome()
        raise LeaseTimeout(name=self.name, waited_s=waited_s, obstacle=obstacle)

    def _use(self) -> None:
        if self._used:
            raise LeaseMisused(name=self.name, reason="was used already")
        self._used = True

    def __str__(self) -> str:
        return self.client or "somebody unnamed"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name} for {self}>"


class Lease(Claim):
    """``async with pool.lease(name) as model``: the model, loaded and not unloaded meanwhile.

    Belongs to the task that enters it. Cancelling the wait gives up this claim and nothing else.

    >>> from sy_pool import Budget, Model, ModelPool
    >>> pool = ModelPool(Budget(memory="1 GiB"))
    >>> pool.register(Model("upper", load=lambda: str.upper, memory="400 MiB"))
    >>> pool.lease("upper", client="ann", timeout_s=5)
    <Lease of upper for ann>
    """

    __slots__ = ("_future",)

    async def __aenter__(self) -> Any:
        self._use()
        if self._pool.acquire(self, self._entry):
            return self._entry.value
        return await self._wait()

    async def __aexit__(self, *_: object) -> None:
        self._pool.release(self, self._entry)

    async def _wait(self) -> Any:
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pool.request(self, self._entry)
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._future
        except TimeoutError:
            return self._overdue()
        except BaseException:
            self._pool.abandon(self, self._entry)
            raise
        return self._outcome()

    def settle(self, error: SymphonyError | None) -> bool:
        """Take the outcome, from any thread; false where the waiting loop is closed."""
        self._error = error
        try:
            self._future.get_loop().call_soon_threadsafe(_wake, self._future)
        except RuntimeError:
            return False
        return True


class BlockingLease(Claim):
    """``with pool.lease_blocking(name) as model``: the same for threads without an event loop.

    >>> from sy_pool import Budget, Model, ModelPool
    >>> pool = ModelPool(Budget(memory="1 GiB"))
    >>> pool.register(Model("upper", load=lambda: str.upper, memory="400 MiB"))
    >>> pool.lease_blocking("upper")
    <BlockingLease of upper for somebody unnamed>
    """

    __slots__ = ("_event",)

    def __enter__(self) -> Any:
        self._use()
        if self._pool.acquire(self, self._entry):
            return self._entry.value
        if self._pool.is_loop_thread():
            reason = "would block the event loop that brings the model; use async with pool.lease"
            raise LeaseMisused(name=self.name, reason=reason)
        self._event = threading.Event()
        self._pool.request(self, self._entry)
        try:
            came = self._event.wait(self.timeout_s)
        except BaseException:  # Ctrl-C
            self._pool.abandon(self, self._entry)
            raise
        return self._outcome() if came else self._overdue()

    def __exit__(self, *_: object) -> None:
        self._pool.release(self, self._entry)

    def settle(self, error: SymphonyError | None) -> bool:
        """Take the outcome, from any thread."""
        self._error = error
        self._event.set()
        return True


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():  # cancelled meanwhile: then the claim is given up by the one who waited
        future.set_result(None)
