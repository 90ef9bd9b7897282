"""The connecting side of a bus: the bus it is connected to routes for it."""

from __future__ import annotations

import asyncio
from typing import Any

from sy_commons import SymphonyError
from sy_ipc._control import Credit, Hello, Subscribe, Welcome
from sy_ipc._core.flow import Overflow, Ticket
from sy_ipc._endpoint import Handler
from sy_ipc._errors import BusUnready, Disconnected, LateHandler
from sy_ipc._exchange import Exchange
from sy_ipc._io.transport import Transport, find_scheme
from sy_ipc._link import ACK, CREDIT, HELLO, SUBSCRIBE, UNSUBSCRIBE, Link
from sy_ipc._subscription import Consumed, Subscription
from sy_ipc._wire.codec import Codec
from sy_ipc._wire.envelope import Envelope

CONNECT_TIMEOUT_S = 10.0
_TURN_EVERY = 32  # events sent at a stretch: subscribers in the same loop get a turn in between


class Client(Exchange):
    """Sends what it cannot answer itself to the other side, and takes the events it asked for."""

    def __init__(self, name: str, codec: Codec, address: str) -> None:
        super().__init__(name, codec)
        self.address = address
        self.upstream: Link | None = None
        self._inbox: dict[int, Subscription[Any]] = {}
        self._numbers: dict[Subscription[Any], int] = {}
        self._sequence = 0
        self._stretch = 0

    def links(self) -> list[Link]:
        """Return the one connection, once it is there."""
        return [] if self.upstream is None else [self.upstream]

    def bind(self) -> None:
        """Raise unless the bus is connected, in this loop."""
        super().bind()
        if self.upstream is None:
            raise BusUnready(bus=self.name, address=self.address)

    async def connect(self) -> None:
        """Connect, and tell the other side what this one answers."""
        super().bind()
        scheme = find_scheme(self.address)
        await scheme.connect(self.address, self._accept, bus=self.name)
        hello = self.codec.encode(Hello(self.name, self.endpoints.patterns()))
        link = self._connection()
        welcome = self.codec.decode(
            await link.request(HELLO, hello, CONNECT_TIMEOUT_S, None), Welcome
        )
        link.peer = welcome.name

    def handle(self, subject: str, function: Handler) -> None:
        """Let *function* answer *subject*; only before the other side is told what is answered."""
        if self.upstream is not None:
            raise LateHandler(bus=self.name, subject=subject)
        super().handle(subject, function)

    def find_link(self, subject: str) -> Link:
        """Return the bus's own end for what it answers itself, else the connection."""
        return self._connection() if self.endpoints.best(subject) is None else self.loopback

    async def publish(self, event: Envelope) -> None:
        """Send *event*; waits while the other side has too many that it could not place."""
        self.published += 1
        gate = self._connection().gate
        if not gate.offer(event):
            ticket = Ticket()
            gate.park(event, ticket)
            await self.wait_parked(ticket)
        self._stretch += 1
        if self._stretch >= _TURN_EVERY:
            self._stretch = 0
            await asyncio.sleep(0)

    async def attach(self, subscription: Subscription[Any]) -> Consumed | None:
        """Let events flow to *subscription*; returns when the other side knows of it."""
        self.bind()
        self._sequence += 1
        number = self._numbers[subscription] = self._sequence
        self._inbox[number] = subscription
        self.subscriptions.add(subscription)
        blocking = subscription.overflow is Overflow.BLOCK
        credit = subscription.maxsize if blocking else None
        wanted = self.codec.encode(Subscribe(number, subscription.pattern, credit))
        await self._connection().request(SUBSCRIBE, wanted, CONNECT_TIMEOUT_S, None)
        return _Refill(self, number, subscription.maxsize) if blocking else None

    def detach(self, subscription: Subscription[Any]) -> None:
        """Let no more events flow to *subscription*."""
        self.forget_subscription(subscription)
        number = self._numbers.pop(subscription, 0)
        if self._inbox.pop(number, None) is not None and self.error is None:
            self._connection().tell(UNSUBSCRIBE, self.codec.encode(number))

    def accept_event(self, link: Link, envelope: Envelope) -> None:
        """Take an event for one of the subscriptions, or room for events of our own."""
        subscription = self._inbox.get(envelope.id)
        if subscription is not None:
            self._deliver(subscription, envelope)
        elif envelope.subject == ACK:
            self._take_ack(link, envelope)
        elif not 0 < envelope.id <= self._sequence:  # else: on its way when we unsubscribed
            self.refused += 1

    def lose(self, link: Link, reason: str, *, clean: bool) -> None:
        """End the bus, as nothing on it works without the connection."""
        error = Disconnected(peer=link.peer, reason=reason)
        self.shut(error, None if clean else error)

    def grant(self, number: int, count: int) -> None:
        """Ask for *count* more events of a subscription."""
        self._connection().tell(CREDIT, self.codec.encode(Credit(number, count)))

    def _accept(self, transport: Transport, peer: str) -> Link:
        self.upstream = Link(self, transport, peer)
        return self.upstream

    def _connection(self) -> Link:
        if self.upstream is None:
            raise BusUnready(bus=self.name, address=self.address)
        return self.upstream

    def _deliver(self, subscription: Subscription[Any], envelope: Envelope) -> None:
        if not subscription.offer(envelope):  # sent beyond the credit: a defect over there
            self.refused += 1
            error = Disconnected(peer=self.name, reason="more events than there was credit for")
            self.detach(subscription)
            subscription.finish(error)

    def _take_ack(self, link: Link, envelope: Envelope) -> None:
        try:
            link.grant(self.codec.decode(envelope.payload, int))
        except SymphonyError:
            self.refused += 1


class _Refill:
    """Gives credit back for events consumed, in batches smaller than what there is."""

    __slots__ = ("_batch", "_client", "_count", "_number")

    def __init__(self, client: Client, number: int, maxsize: int) -> None:
        self._client = client
        self._number = number
        self._batch = max(1, maxsize // 4)
        self._count = 0

    def __call__(self) -> None:
        self._count += 1
        if self._count >= self._batch:
            count, self._count = self._count, 0
            self._client.grant(self._number, count)
