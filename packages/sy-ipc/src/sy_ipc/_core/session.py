"""One connection's requests in both directions: each ends exactly once, whoever is first.

Asked: requests that we sent, by the number we gave them. Served: requests that the other side
sent, by theirs. The shell keeps with each whatever it needs to end it (a future, a task).
"""

from __future__ import annotations

from enum import StrEnum
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

import attrs

_SLACK = 256  # deadlines of ended requests kept before they are cleared out

A = TypeVar("A")
S = TypeVar("S")


class Outcome(StrEnum):
    """How a request ended."""

    REPLIED = "replied"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    DISCONNECTED = "disconnected"


@attrs.define
class Asked(Generic[A]):
    """A request of ours that has not ended."""

    subject: str
    slot: A
    timeout_s: float | None = None


class Session(Generic[A, S]):
    """Knows which requests are open; says who may end one, and only to the first who asks.

    >>> session = Session()
    >>> number = session.ask("math.add", "the caller")
    >>> session.settle(number, Outcome.REPLIED), session.settle(number, Outcome.TIMED_OUT)
    (Asked(subject='math.add', slot='the caller', timeout_s=None), None)
    """

    __slots__ = ("_asked", "_deadlines", "_sequence", "_served", "outcomes")

    def __init__(self, outcomes: dict[Outcome, int] | None = None) -> None:
        self._sequence = 0
        self._asked: dict[int, Asked[A]] = {}
        self._served: dict[int, S] = {}
        self._deadlines: list[tuple[float, int]] = []  # a heap; requests that ended are still in
        self.outcomes = dict.fromkeys(Outcome, 0) if outcomes is None else outcomes

    @property
    def asked(self) -> int:
        """How many of our requests are open."""
        return len(self._asked)

    @property
    def served(self) -> int:
        """How many of the other side's requests are open."""
        return len(self._served)

    def ask(self, subject: str, slot: A) -> int:
        """Open a request of ours and return its number."""
        self._sequence += 1
        self._asked[self._sequence] = Asked(subject, slot)
        return self._sequence

    def limit(self, number: int, now: float, timeout_s: float) -> float:
        """Give an open request *timeout_s* from *now*; returns when :meth:`expire` is due next."""
        self._asked[number].timeout_s = timeout_s
        if len(self._deadlines) > _SLACK + 2 * len(self._asked):
            self._deadlines = [each for each in self._deadlines if each[1] in self._asked]
            heapify(self._deadlines)
        heappush(self._deadlines, (now + timeout_s, number))
        return self._deadlines[0][0]

    def expire(self, now: float) -> tuple[list[tuple[int, Asked[A]]], float | None]:
        """End the requests whose time is over; also returns when this is due again, if it is."""
        late = []
        while self._deadlines and (
            self._deadlines[0][0] <= now or self._deadlines[0][1] not in self._asked
        ):
            _, number = heappop(self._deadlines)
            asked = self.settle(number, Outcome.TIMED_OUT)
            if asked is not None:
                late.append((number, asked))
        return late, self._deadlines[0][0] if self._deadlines else None

    def settle(self, number: int, outcome: Outcome) -> Asked[A] | None:
        """End a request of ours; None where it had ended already, or never was."""
        asked = self._asked.pop(number, None)
        if asked is not None:
            self.outcomes[outcome] += 1
        return asked

    def serve(self, number: int, job: S) -> bool:
        """Open a request of theirs; False for a number that is open already."""
        if number in self._served:
            return False
        self._served[number] = job
        return True

    def serves(self, number: int) -> bool:
        """Return whether their request *number* is open."""
        return number in self._served

    def answer(self, number: int) -> bool:
        """End a request of theirs; False where nobody waits for the answer any more."""
        return self._served.pop(number, None) is not None

    def call_off(self, number: int) -> S | None:
        """End a request of theirs because they cancelled it; returns the job to stop."""
        return self._served.pop(number, None)

    def end(self) -> tuple[list[Asked[A]], list[S]]:
        """End everything; returns whom to tell and what to stop."""
        asked, jobs = list(self._asked.values()), list(self._served.values())
        self.outcomes[Outcome.DISCONNECTED] += len(asked)
        self._asked.clear()
        self._served.clear()
        self._deadlines.clear()
        return asked, jobs

    def __repr__(self) -> str:
        return f"Session({self.asked} asked, {self.served} served)"
