"""The serving side of a bus, and a bus on its own: it routes for itself and all who connect."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgspec

from sy_commons import SymphonyError
from sy_ipc._control import Credit, Hello, Subscribe, Welcome
from sy_ipc._core.flow import Ticket
from sy_ipc._core.router import Router
from sy_ipc._errors import ControlUnknown, Disconnected, HandlerConflict
from sy_ipc._exchange import Exchange
from sy_ipc._io.transport import Listener, Transport, find_scheme
from sy_ipc._link import ACK, CREDIT, HELLO, SUBSCRIBE, UNSUBSCRIBE, Link
from sy_ipc._remote import RemoteEndpoint, RemoteOutlet
from sy_ipc._subscription import Consumed, Subscription
from sy_ipc._wire.codec import Codec
from sy_ipc._wire.envelope import Envelope
from sy_ipc._wire.subject import RESERVED, check_pattern, check_subject

_MAX_CREDIT = 1 << 20


class _Guest:
    """What a connected bus listens to and answers."""

    __slots__ = ("address", "endpoint", "offers", "outlets")

    def __init__(self, link: Link, address: str) -> None:
        self.address = address
        self.endpoint = RemoteEndpoint(link)
        self.offers: list[str] = []
        self.outlets: dict[int, RemoteOutlet] = {}


class Hub(Exchange):
    """Fans events out, passes requests on, and keeps who listens and who answers."""

    def __init__(self, name: str, codec: Codec) -> None:
        super().__init__(name, codec)
        self.outlets: Router[Subscription[Any] | RemoteOutlet] = Router()
        self.listeners: dict[str, Listener] = {}
        self._guests: dict[Link, _Guest] = {}

    def links(self) -> list[Link]:
        """Return the connections that were accepted."""
        return list(self._guests)

    async def listen(self, address: str) -> None:
        """Accept connections at *address*."""
        self.bind()
        scheme = find_scheme(address)
        accept = partial(self._accept, address)
        self.listeners[address] = await scheme.listen(address, accept, bus=self.name)

    def stop_listening(self, address: str) -> None:
        """Accept nobody any more at *address*, and end the connections that came from there."""
        listener = self.listeners.pop(address, None)
        if listener is not None:
            listener.close()
        for link, guest in list(self._guests.items()):
            if guest.address == address:
                self.dismiss(link, Disconnected(peer=link.peer, reason="serving stopped"))

    def _accept(self, address: str, transport: Transport, peer: str) -> Link:
        link = Link(self, transport, peer)
        self._guests[link] = _Guest(link, address)
        return link

    async def publish(self, event: Envelope) -> None:
        """Hand *event* to every subscriber; waits for those who let publishers wait."""
        if any(outlet.crowded for outlet in self.outlets.match(event.subject)):
            await asyncio.sleep(0)  # before an event is dropped its subscriber gets a turn
            if self.error is not None:
                raise self.error
        self.published += 1
        ticket = self._fan_out(event)
        if ticket is not None:
            await self.wait_parked(ticket)

    async def attach(self, subscription: Subscription[Any]) -> Consumed | None:
        """Let events flow to *subscription*."""
        self.bind()
        self.subscriptions.add(subscription)
        self.outlets.add(subscription.pattern, subscription)
        return None

    def detach(self, subscription: Subscription[Any]) -> None:
        """Let no more events flow to *subscription*."""
        self.forget_subscription(subscription)
        self.outlets.remove(subscription.pattern, subscription)

    def accept_event(self, link: Link, envelope: Envelope) -> None:
        """Fan out an event of a guest's, and tell it when everybody had room."""
        if envelope.subject.startswith(RESERVED):
            self._heed(link, envelope)
        elif link.admit():
            self._place(link, envelope)
        else:
            reason = "it sent more events than there was room for"
            self.dismiss(link, Disconnected(peer=link.peer, reason=reason))

    def control(self, link: Link, subject: str, payload: msgspec.Raw) -> Any:
        """Greet a guest, or let it subscribe."""
        if subject == HELLO:
            return self._greet(link, self.codec.decode(payload, Hello))
        if subject == SUBSCRIBE:
            return self._subscribe(link, self.codec.decode(payload, Subscribe))
        raise ControlUnknown(subject=subject)

    def lose(self, link: Link, reason: str, *, clean: bool) -> None:  # noqa: ARG002 - the contract's
        """Forget a guest that has gone; who waits for its answers is told."""
        self.dismiss(link, Disconnected(peer=link.peer, reason=reason))

    def dismiss(self, link: Link, error: SymphonyError) -> None:
        """End a guest's connection, and take out what it listened to and answered."""
        guest = self._guests.pop(link, None)
        if guest is None:
            return
        for pattern in guest.offers:
            self.endpoints.remove(pattern, guest.endpoint)
        for outlet in guest.outlets.values():
            self.outlets.remove(outlet.pattern, outlet)
            outlet.close()
        link.end(error)

    def shut(self, error: SymphonyError, stream_error: SymphonyError | None) -> None:
        """End everything, the addresses served included."""
        for listener in self.listeners.values():
            listener.close()
        self.listeners.clear()
        super().shut(error, stream_error)
        for link in self.links():
            self.dismiss(link, error)

    def _fan_out(self, event: Envelope) -> Ticket | None:
        """Offer *event* to all; a ticket, yet to be released, where some have no room."""
        ticket = None
        for outlet in self.outlets.match(event.subject):
            if not outlet.offer(event):
                ticket = ticket or Ticket()
                outlet.park(event, ticket)
        return ticket

    def _place(self, link: Link, event: Envelope) -> None:
        try:
            check_subject(event.subject)
        except SymphonyError:
            self.refused += 1
            link.acknowledge()
            return
        self.published += 1
        ticket = self._fan_out(event)
        if ticket is None:
            link.acknowledge()
        else:
            ticket.done = link.acknowledge
            ticket.release()

    def _greet(self, link: Link, hello: Hello) -> Welcome:
        guest = self._guests[link]
        for pattern in hello.offers:
            check_pattern(pattern)
            holder = self.endpoints.exact(pattern)
            if holder is not None:
                raise HandlerConflict(subject=pattern, holder=repr(holder))
        link.peer = hello.name
        for pattern in hello.offers:
            self.endpoints.add(pattern, guest.endpoint)
            guest.offers.append(pattern)
        return Welcome(self.name)

    def _subscribe(self, link: Link, wanted: Subscribe) -> None:
        check_pattern(wanted.pattern)
        outlets = self._guests[link].outlets
        if wanted.number <= 0 or wanted.number in outlets or not _fair(wanted.credit):
            raise ControlUnknown(subject=SUBSCRIBE)
        outlet = RemoteOutlet(link, wanted.number, wanted.pattern, wanted.credit)
        outlets[wanted.number] = outlet
        self.outlets.add(wanted.pattern, outlet)

    def _heed(self, link: Link, notice: Envelope) -> None:
        """Act on what a guest says of its subscriptions; what makes no sense is only counted."""
        guest = self._guests.get(link)
        try:
            if guest is None:
                return
            if notice.subject == CREDIT:
                credit = self.codec.decode(notice.payload, Credit)
                guest.outlets[credit.number].grant(credit.count if _fair(credit.count) else 0)
            elif notice.subject == UNSUBSCRIBE:
                outlet = guest.outlets.pop(self.codec.decode(notice.payload, int))
                self.outlets.remove(outlet.pattern, outlet)
                outlet.close()
            elif notice.subject == ACK:
                link.grant(self.codec.decode(notice.payload, int))
            else:
                self.refused += 1
        except (SymphonyError, KeyError):
            self.refused += 1


def _fair(credit: int | None) -> bool:
    return credit is None or 0 < credit <= _MAX_CREDIT
