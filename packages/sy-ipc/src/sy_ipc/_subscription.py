"""A subscriber's end: an asynchronous iterator that loses no event unsaid."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar, cast

import attrs

from sy_commons import SymphonyError
from sy_ipc._core.flow import Gap, Mailbox, Overflow, Ticket
from sy_ipc._errors import SubscriptionBusy, SubscriptionOverflow, SubscriptionUnentered
from sy_ipc._wire.codec import Codec
from sy_ipc._wire.envelope import Envelope

E_co = TypeVar("E_co", covariant=True)

Consumed = Callable[[], None]


@attrs.frozen
class SubscriptionStats:
    """What became of the events of a subscription: ``offered == delivered + dropped + waiting``.

    ``parked`` events are still with publishers that wait for room.
    """

    delivered: int
    dropped: int
    waiting: int
    parked: int

    @property
    def offered(self) -> int:
        """How many events have come so far, those with blocked publishers aside."""
        return self.delivered + self.dropped + self.waiting


class Source(Protocol):
    """Where a subscription gets its events from."""

    @property
    def codec(self) -> Codec:
        """What decodes them."""
        ...

    async def attach(self, subscription: Subscription[Any]) -> Consumed | None:
        """Let events flow.

        What is returned, if anything, is to be called after each event that was taken.
        """
        ...

    def detach(self, subscription: Subscription[Any]) -> None:
        """Let no more events flow."""
        ...


class Subscription(Generic[E_co]):
    """The events of a pattern, in order per subject and connection, from entry to exit.

    Iterate it inside its ``async with`` block, in one task at a time. Each item is an event,
    decoded to the type asked for, or a :class:`Gap` where events were dropped; ``subject`` and
    ``headers`` are those of the event given out last. Every subscriber decodes its own copy.
    An event that is not of the type raises :class:`PayloadMismatch` in its turn, and a new
    ``async for`` goes on behind it. Cancelling the wait loses nothing. When the bus closes,
    iteration gives what had arrived and ends; where a connection was lost it ends by raising
    :class:`Disconnected`, and under ``on_overflow="fail"`` :class:`SubscriptionOverflow`.
    """

    def __init__(
        self, source: Source, pattern: str, expected: Any, overflow: Overflow, maxsize: int
    ) -> None:
        self.pattern = pattern
        self.overflow = overflow
        self.subject = ""
        self.headers: Mapping[str, str] = {}
        self._source = source
        self._expected = expected
        self._mailbox: Mailbox[Envelope] = Mailbox(overflow, maxsize)
        self._consumed: Consumed | None = None
        self._open = False
        self._ended = False
        self._error: SymphonyError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def dropped(self) -> int:
        """How many events were dropped so far; the gaps in the stream add up to it."""
        return self._mailbox.dropped

    @property
    def crowded(self) -> bool:
        """Whether one more event would cost one."""
        return self._mailbox.crowded

    @property
    def maxsize(self) -> int:
        """How many events may wait."""
        return self._mailbox.maxsize

    def stats(self) -> SubscriptionStats:
        """Return how many events were delivered, dropped, and wait."""
        box = self._mailbox
        return SubscriptionStats(box.delivered, box.dropped, box.waiting, box.parked)

    def __repr__(self) -> str:
        state = "open" if self._open and not self._ended else "closed"
        box = self._mailbox
        return (
            f"Subscription({self.pattern!r}, {state}, on_overflow={self.overflow.value!r}, "
            f"{box.waiting}/{box.maxsize} waiting, {box.dropped} dropped)"
        )

    async def __aenter__(self) -> Self:
        if self._open or self._ended:
            raise SubscriptionBusy(pattern=self.pattern)
        self._open = True
        try:
            self._consumed = await self._source.attach(self)
        except BaseException:
            self._leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E_co:
        while not self._mailbox.ready:
            self._check_more()
            await self._wait()
        entry = self._mailbox.take()
        if isinstance(entry, Gap):
            return cast("E_co", entry)
        if self._consumed is not None and not self._ended:
            self._consumed()
        self.subject = entry.subject
        self.headers = entry.headers or {}
        return cast("E_co", self._source.codec.decode(entry.payload, self._expected))

    def offer(self, envelope: Envelope) -> bool:
        """Take an event in or drop by the policy; False when its sender must wait."""
        taken = self._mailbox.offer(envelope)
        if taken and self._waiter is not None:
            self._wake()
        if self._mailbox.failed:
            self._leave(SubscriptionOverflow(pattern=self.pattern, maxsize=self.maxsize))
        return taken

    def park(self, envelope: Envelope, ticket: Ticket) -> None:
        """Keep the event of a sender who waits."""
        self._mailbox.park(envelope, ticket)

    def finish(self, error: SymphonyError | None) -> None:
        """End the stream behind what has arrived, with *error* if there is one."""
        if self._ended:
            return
        self._ended, self._error = True, error
        self._mailbox.close()
        self._wake()

    def _leave(self, error: SymphonyError | None = None) -> None:
        if self._open and not self._ended:
            self._source.detach(self)
        self.finish(error)

    def _check_more(self) -> None:
        if not self._open:
            raise SubscriptionUnentered(pattern=self.pattern)
        if self._waiter is not None:
            raise SubscriptionBusy(pattern=self.pattern)
        if self._ended:
            if self._error is not None:
                raise self._error
            raise StopAsyncIteration

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
