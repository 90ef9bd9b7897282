"""The shell: carries events to the scheduler under one lock, and its decisions out of it."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, cast

from sy_commons import Clock, Conflict, SymphonyError, format_size
from sy_pool._budget import Budget
from sy_pool._errors import (
    DrainIncomplete,
    ModelRegistered,
    ModelTooBig,
    ModelUnknown,
    PoolClosed,
)
from sy_pool._evict import EvictionPolicy, LeastRecentlyUsed
from sy_pool._lease import BlockingLease, Claim, Lease
from sy_pool._lifecycle import State
from sy_pool._loaders import Loaders
from sy_pool._model import Model
from sy_pool._report import Explanation, PoolStats, Stake, explanation, pool_stats
from sy_pool._scheduler import (
    Drained,
    Effect,
    Grant,
    Refuse,
    Scheduler,
    Slot,
    StartLoad,
    StartUnload,
)

_CANCEL_GRACE_S = 1.0


class Entry:
    """A registered model, what the scheduler knows of it, and its value while it is loaded."""

    __slots__ = ("model", "slot", "value")

    def __init__(self, model: Model, slot: Slot) -> None:
        self.model = model
        self.slot = slot
        self.value: Any = None


class ModelPool:
    """Models that are there when needed and gone when not, within a budget.

    A leased model is never unloaded. However many ask for a model, it is loaded once, and one
    who gives up waiting stops nobody else's load. Loads run beside each other; a lease of what is
    loaded waits for none of them. What models declared to take never adds up to more than the
    budget, those being loaded and unloaded included.

    It is opened by ``async with`` and belongs to that event loop; leases are for any thread and
    any loop. Leaving drains it, for at most *drain_timeout_s*. *policy* orders who is evicted
    (default: the least recently used first); *clock* gives the time.

    >>> async def main() -> str:
    ...     pool = ModelPool(Budget(memory="1 GiB"))
    ...     pool.register(Model("upper", load=lambda: str.upper, memory="400 MiB"))
    ...     async with pool:
    ...         async with pool.lease("upper", timeout_s=5) as model:
    ...             return model("hello")
    >>> asyncio.run(main())
    'HELLO'
    """

    def __init__(
        self,
        budget: Budget,
        *,
        policy: EvictionPolicy | None = None,
        clock: Clock | None = None,
        drain_timeout_s: float = 30.0,
    ) -> None:
        self.budget = budget
        self.now_s = time.monotonic if clock is None else clock.monotonic
        self._drain_timeout_s = drain_timeout_s
        self._entries: dict[str, Entry] = {}
        # Guards the scheduler, the entries' values, and the three fields below it.
        self._guard = threading.Lock()
        self._core = Scheduler(budget.memory_bytes, policy or LeastRecentlyUsed())
        self._open = False
        self._timer_at_s = math.inf
        self._timer: asyncio.TimerHandle | None = None
        # Set when the pool is opened.
        self._loop: asyncio.AbstractEventLoop
        self._loop_thread = 0
        self._loaders: Loaders
        self._drained: asyncio.Event

    async def __aenter__(self) -> Self:
        with self._guard:
            if self._open or not self._core.drained:
                raise Conflict("the pool is open already, or not yet drained")
            self._core.reopen()
            self._open = True
            self._loop = asyncio.get_running_loop()
            self._loop_thread = threading.get_ident()
            self._loaders = Loaders(self._loop)
            self._drained = asyncio.Event()
            self._timer_at_s, self._timer = math.inf, None  # one of an earlier loop is gone
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.drain()
        except DrainIncomplete as error:
            if exc is None:
                raise
            exc.add_note(f"and then: {error}")

    def register(self, model: Model) -> None:
        """Make a model known; it is loaded when somebody wants it.

        Raises :class:`ModelRegistered`, and :class:`ModelTooBig` for one that could never be
        loaded. Safe from any thread, open or not.
        """
        if model.memory_bytes > self.budget.memory_bytes:
            needs = format_size(model.memory_bytes)
            raise ModelTooBig(name=model.name, needs=needs, budget=str(self.budget))
        with self._guard:
            if model.name in self._entries:
                raise ModelRegistered(name=model.name)
            slot = self._core.add(model.name, model.memory_bytes, keep_for_s=model.keep_for_s)
            self._entries[model.name] = Entry(model, slot)

    def lease(
        self, name: str, *, client: str | None = None, timeout_s: float | None = None
    ) -> Lease:
        """Return a lease to enter with ``async with``, which gives the loaded model.

        Entering raises :class:`LeaseTimeout` after *timeout_s* (it says who holds the memory),
        :class:`LoadFailed` and :class:`PoolClosed`. *client* names the holder in what
        :meth:`explain` says. Do not keep the model beyond the lease: the memory it takes is
        counted as free once it is unloaded. Raises :class:`ModelUnknown` at once.
        """
        return Lease(self, self._find(name), client=client, timeout_s=timeout_s)

    def lease_blocking(
        self, name: str, *, client: str | None = None, timeout_s: float | None = None
    ) -> BlockingLease:
        """Return a lease to enter with ``with``, from any thread but the pool's event loop's.

        There it is given only when the model is loaded already: to wait would block the loop
        that has to bring it, which raises :class:`LeaseMisused`. Else as :meth:`lease`.
        """
        return BlockingLease(self, self._find(name), client=client, timeout_s=timeout_s)

    async def drain(self, *, timeout_s: float | None = None) -> None:
        """Give out nothing more, let leases and loads end, unload everything, and return.

        Who still waits gets :class:`PoolClosed`. After *timeout_s* (default: the pool's
        ``drain_timeout_s``) coroutines that load are cancelled, and :class:`DrainIncomplete` says
        what is left: a model somebody holds is not unloaded even then, but as soon as it comes
        back. Call it on the pool's event loop; calling it again waits for the same end.
        """
        limit_s = self._drain_timeout_s if timeout_s is None else timeout_s
        with self._guard:
            effects = self._core.drain(now_s=self.now_s()) if self._open else []
            self._open = False
        self._carry_out(effects)
        if self._core.drained:
            return
        try:
            await asyncio.wait_for(self._drained.wait(), limit_s)
        except TimeoutError:
            await self._loaders.cancel(grace_s=_CANCEL_GRACE_S)
            if left := self._left():
                raise DrainIncomplete(timeout_s=limit_s, left=left) from None

    def stats(self) -> PoolStats:
        """Return the numbers of the pool and of each model, all of one moment."""
        with self._guard:
            return pool_stats(self._core, self.budget.memory_bytes)

    def explain(self, name: str) -> Explanation:
        """Return why a model is where it is, who holds it, and what those who wait wait for."""
        slot, now_s = self._find(name).slot, self.now_s()
        with self._guard:
            holders = [_stake(token, now_s) for token in slot.holders]
            waiting = [_stake(token, now_s) for token in slot.waiting]
            return explanation(self._core, slot, holders=holders, waiting=waiting, now_s=now_s)

    def acquire(self, claim: Claim, entry: Entry) -> bool:
        """Give the model if it is loaded. A lease's own way in; no loop, no plan, no load."""
        now_s = self.now_s()
        with self._guard:
            if not self._core.acquire(entry.slot, claim, now_s=now_s):
                return False
        claim.since_s = now_s
        return True

    def request(self, claim: Claim, entry: Entry) -> None:
        """Ask for the model; the outcome comes to ``claim.settle``. A lease's own."""
        claim.since_s = now_s = self.now_s()
        with self._guard:
            if not self._open:
                reason = (
                    "is not open" if self._core.drained else "drains, and gives out nothing new"
                )
                raise PoolClosed(name=entry.slot.name, reason=reason)
            effects = self._core.request(entry.slot, claim, now_s=now_s)
        self._carry_out(effects)

    def release(self, claim: Claim, entry: Entry) -> None:
        """Let go of the model. A lease's own."""
        slot, now_s = entry.slot, self.now_s()
        with self._guard:
            effects = self._core.release(slot, claim, now_s=now_s)
            keep_s = slot.keep_for_s
            sooner = keep_s is not None and now_s + keep_s < self._timer_at_s and slot.idle
        if effects:
            self._carry_out(effects)
        if sooner:
            self._set_timer()

    def abandon(self, claim: Claim, entry: Entry) -> None:
        """Give up waiting, or what came meanwhile. A lease's own."""
        with self._guard:
            effects = self._core.abandon(entry.slot, claim, now_s=self.now_s())
        self._carry_out(effects)
        self._set_timer()

    def withdraw(self, claim: Claim, entry: Entry) -> str | None:
        """Give up waiting and return what was in the way; None if the model is held by now."""
        slot = entry.slot
        with self._guard:
            if claim in slot.holders:
                return None
            obstacle = self._core.obstacle(slot)
            effects = self._core.abandon(slot, claim, now_s=self.now_s())
        self._carry_out(effects)
        return obstacle

    def is_loop_thread(self) -> bool:
        """Whether the caller is on the thread of the pool's event loop, while that runs."""
        return self._open and threading.get_ident() == self._loop_thread

    def _find(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            known = ", ".join(sorted(self._entries)) or "none"
            raise ModelUnknown(name=name, known=known)
        return entry

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        """Do what the scheduler decided, in order, without the lock."""
        todo = deque(effects)
        while todo:
            match todo.popleft():
                case StartLoad(name):
                    self._start_load(self._entries[name])
                case StartUnload(name):
                    todo.extend(self._unload(self._entries[name]))
                case Grant(name, token):
                    todo.extend(self._settle(self._entries[name], cast("Claim", token), None))
                case Refuse(token, error):
                    cast("Claim", token).settle(error)
                case Drained():
                    self._on_loop(self._drained.set)

    def _settle(self, entry: Entry, claim: Claim, error: SymphonyError | None) -> list[Effect]:
        if claim.settle(error):
            return []
        with self._guard:  # its loop was closed under it: nobody is left to let go of the model
            return self._core.abandon(entry.slot, claim, now_s=self.now_s())

    def _start_load(self, entry: Entry) -> None:
        def done(outcome: list[Any], error: BaseException | None) -> None:
            with self._guard:
                if error is None:
                    entry.value = outcome.pop()
                    effects = self._core.loaded(entry.slot, now_s=self.now_s())
                else:
                    effects = self._core.load_failed(entry.slot, error, now_s=self.now_s())
            self._carry_out(effects)
            self._set_timer()

        self._loaders.start(f"load {entry.model.name}", entry.model.load, [], done)

    def _unload(self, entry: Entry) -> list[Effect]:
        with self._guard:
            if not self._core.begin_unload(entry.slot):
                return []
            arguments = [entry.value]
            entry.value = None
        unload = entry.model.unload
        if unload is None:
            arguments.clear()  # the last reference goes here, outside the lock
            return self._unloaded(entry, None)

        def done(_: list[Any], error: BaseException | None) -> None:
            self._carry_out(self._unloaded(entry, error))

        self._loaders.start(f"unload {entry.model.name}", unload, arguments, done)
        return []

    def _unloaded(self, entry: Entry, error: BaseException | None) -> list[Effect]:
        trouble = f"unload raised {type(error).__name__}: {error}" if error is not None else ""
        with self._guard:
            return self._core.unloaded(entry.slot, now_s=self.now_s(), trouble=trouble)

    def _set_timer(self) -> None:
        """See to it that what is kept for a time goes in time."""
        with self._guard:
            at_s = self._core.next_expiry_s()
            if at_s >= self._timer_at_s:
                return
            self._timer_at_s = at_s
        self._on_loop(self._start_timer)

    def _start_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(self._timer_at_s - self.now_s(), 0.0)
        self._timer = None if delay_s == math.inf else self._loop.call_later(delay_s, self._tick)

    def _tick(self) -> None:
        with self._guard:
            self._timer_at_s = math.inf
            effects = self._core.tick(now_s=self.now_s())
        self._carry_out(effects)
        self._set_timer()

    def _on_loop(self, callback: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # closed with the pool still open: there is nobody left to tell
            return

    def _left(self) -> str:
        with self._guard:
            slots = [slot for slot in self._core.slots.values() if slot.life.state in _LEFT]
            return ", ".join(
                f"{slot.name} ({slot.life.state}"
                + (f", held by {', '.join(sorted(map(str, slot.holders)))}" if slot.holders else "")
                + ")"
                for slot in slots
            )

    def __repr__(self) -> str:
        with self._guard:
            loaded = [
                slot.name for slot in self._core.slots.values() if slot.life.state is State.HOT
            ]
            state = "open" if self._open else "draining" if not self._core.drained else "closed"
            names = ", ".join(loaded) or "nothing"
            return f"<ModelPool {state}: {names} loaded, {self._core.ledger!r}>"


_LEFT = (State.WARMING, State.HOT, State.COOLING)


def _stake(token: Any, now_s: float) -> Stake:
    return Stake(str(token), now_s - cast("Claim", token).since_s)
