"""Back-pressure: who waits, what is dropped, and that every drop is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


class Overflow(StrEnum):
    """What happens to an event for which a subscription has no room."""

    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    FAIL = "fail"


@attrs.frozen
class Gap:
    """Stands in a stream where *count* events were dropped.

    >>> Gap(3)
    Gap(count=3)
    """

    count: int


class Ticket:
    """What a sender holds while its event waits for room, in one place or in several.

    ``pending`` starts at one, for the sender itself while it still hands out; when it reaches
    zero, ``done`` is called, once.
    """

    __slots__ = ("done", "pending", "withdrawn")

    def __init__(self, done: Callable[[], None] | None = None) -> None:
        self.pending = 1
        self.withdrawn = False
        self.done = done

    def release(self) -> None:
        """Count one place fewer to wait for."""
        self.pending -= 1
        if self.pending == 0 and not self.withdrawn and self.done is not None:
            self.done()


class Gate(Generic[T]):
    """Lets items through to *sink* while there is credit; parks the rest in order.

    >>> through = []
    >>> gate = Gate(1, through.append)
    >>> gate.offer("a"), gate.offer("b")
    (True, False)
    >>> ticket = Ticket(lambda: print("b is through"))
    >>> gate.park("b", ticket); ticket.release(); gate.grant(1)
    b is through
    >>> through
    ['a', 'b']
    """

    __slots__ = ("_credit", "_parked", "_sink")

    def __init__(self, credit: int, sink: Callable[[T], None]) -> None:
        self._credit = credit
        self._sink = sink
        self._parked: deque[tuple[T, Ticket]] = deque()

    @property
    def parked(self) -> int:
        """How many items wait."""
        return sum(not ticket.withdrawn for _, ticket in self._parked)

    @property
    def shut(self) -> bool:
        """Whether the next item would have to wait."""
        return self._credit <= 0 or bool(self._parked)

    def offer(self, item: T) -> bool:
        """Let *item* through, or return False: then park it, for order's sake before others."""
        if self._credit <= 0 or self._parked:
            return False
        self._credit -= 1
        self._sink(item)
        return True

    def park(self, item: T, ticket: Ticket) -> None:
        """Keep *item* until there is credit for it."""
        ticket.pending += 1
        self._parked.append((item, ticket))

    def grant(self, credit: int) -> None:
        """Give *credit*, and let through who waited longest for it."""
        self._credit += credit
        while self._credit > 0 and self._parked:
            item, ticket = self._parked.popleft()
            if ticket.withdrawn:
                continue
            self._credit -= 1
            self._sink(item)
            ticket.release()

    def close(self) -> int:
        """Release everybody who waits, nothing let through; returns how many there were."""
        count = 0
        while self._parked:
            _, ticket = self._parked.popleft()
            count += not ticket.withdrawn
            ticket.release()
        return count

    def __repr__(self) -> str:
        return f"Gate(credit={self._credit}, parked={self.parked})"


class Mailbox(Generic[T]):
    """The events that wait for one subscriber, at most *maxsize*, and what became of the others.

    ``offered == delivered + dropped + waiting`` at every moment, and the gaps taken so far plus
    those waiting add up to ``dropped``. What a blocked sender still holds is not yet offered.

    >>> box = Mailbox(Overflow.DROP_OLDEST, 2)
    >>> [box.offer(n) for n in range(5)]
    [True, True, True, True, True]
    >>> [box.take() for _ in range(3)], box.dropped
    ([Gap(count=3), 3, 4], 3)
    """

    __slots__ = ("_entries", "_gate", "delivered", "dropped", "failed", "maxsize", "policy")

    def __init__(self, policy: Overflow, maxsize: int) -> None:
        self.policy = policy
        self.maxsize = maxsize
        self.delivered = 0
        self.dropped = 0
        self.failed = False
        self._entries: deque[T | Gap] = deque()
        self._gate: Gate[T] = Gate(maxsize, self._entries.append)

    @property
    def ready(self) -> bool:
        """Whether there is something to take."""
        return bool(self._entries)

    @property
    def waiting(self) -> int:
        """How many events wait to be taken, gaps aside."""
        return sum(type(entry) is not Gap for entry in self._entries)

    @property
    def parked(self) -> int:
        """How many events their senders still hold."""
        return self._gate.parked

    @property
    def crowded(self) -> bool:
        """Whether one more event would cost one."""
        return self.policy is not Overflow.BLOCK and self._gate.shut

    def offer(self, item: T) -> bool:
        """Take *item* in or drop by the policy; False when its sender must wait."""
        if self._gate.offer(item):
            return True
        if self.policy is Overflow.BLOCK:
            return False
        self._overflow(item)
        return True

    def park(self, item: T, ticket: Ticket) -> None:
        """Keep the *item* of a sender who waits."""
        self._gate.park(item, ticket)

    def take(self) -> T | Gap:
        """Return the next event or gap; the place of an event becomes free."""
        entry = self._entries.popleft()
        if type(entry) is not Gap:
            self.delivered += 1
            self._gate.grant(1)
        return entry

    def close(self) -> int:
        """Release the senders who wait; what is inside may still be taken."""
        return self._gate.close()

    def _overflow(self, item: T) -> None:
        self.dropped += 1
        if self.policy is Overflow.FAIL:
            self.failed = True
        elif self.policy is Overflow.DROP_NEWEST:
            self._note_gap_last()
        else:
            self._drop_first()
            self._entries.append(item)

    def _note_gap_last(self) -> None:
        last = self._entries[-1] if self._entries else None
        if isinstance(last, Gap):
            self._entries[-1] = Gap(last.count + 1)
        else:
            self._entries.append(Gap(1))

    def _drop_first(self) -> None:
        first = self._entries.popleft()
        if isinstance(first, Gap):
            self._entries.popleft()  # a gap is followed by an event, or the box were not full
            self._entries.appendleft(Gap(first.count + 1))
        else:
            self._entries.appendleft(Gap(1))

    def __repr__(self) -> str:
        return (
            f"Mailbox({self.policy}, {self.waiting}/{self.maxsize} waiting, {self.dropped} dropped)"
        )
