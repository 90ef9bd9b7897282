"""What the bus at the other end of a link answers and listens to, as this one sees it."""

from __future__ import annotations

import msgspec

from sy_ipc._context import RequestContext
from sy_ipc._core.flow import Gate, Ticket
from sy_ipc._link import Link
from sy_ipc._wire.envelope import Envelope, Kind


class RemoteEndpoint:
    """Answers by asking the bus at the other end of a link."""

    __slots__ = ("link",)

    def __init__(self, link: Link) -> None:
        self.link = link

    async def answer(self, payload: msgspec.Raw, context: RequestContext) -> msgspec.Raw:
        """Pass the request on, with what is left of its time, and return the reply."""
        return await self.link.request(
            context.subject, payload, context.remaining_s(), dict(context.headers) or None
        )

    def __repr__(self) -> str:
        return f"RemoteEndpoint(bus {self.link.peer!r})"


class RemoteOutlet:
    """A subscription of the other side's: events go to it while it gives credit, if it does."""

    __slots__ = ("_gate", "_link", "_number", "pattern")

    def __init__(self, link: Link, number: int, pattern: str, credit: int | None) -> None:
        self._link = link
        self._number = number
        self.pattern = pattern
        self._gate: Gate[Envelope] | None = None if credit is None else Gate(credit, self._send)

    crowded = False  # what is dropped is dropped over there

    def offer(self, envelope: Envelope) -> bool:
        """Send the event; False when its sender must wait."""
        if self._gate is not None:
            return self._gate.offer(envelope)
        self._send(envelope)
        return True

    def park(self, envelope: Envelope, ticket: Ticket) -> None:
        """Keep the event of a sender who waits."""
        if self._gate is not None:
            self._gate.park(envelope, ticket)

    def grant(self, credit: int) -> None:
        """Send *credit* more events."""
        if self._gate is not None:
            self._gate.grant(credit)

    def close(self) -> None:
        """Release the senders who wait."""
        if self._gate is not None:
            self._gate.close()

    def _send(self, envelope: Envelope) -> None:
        event = Envelope(
            Kind.PUBLISH, self._number, envelope.subject, envelope.payload, None, envelope.headers
        )
        self._link.transport.send(event)

    def __repr__(self) -> str:
        return f"RemoteOutlet({self.pattern!r}, bus {self._link.peer!r})"
