"""The inside of a bus, whichever side of a connection it is on: what both sides share."""

from __future__ import annotations

import asyncio
import contextvars
from abc import ABC, abstractmethod
from functools import partial
from typing import Any

import msgspec

from sy_commons import SymphonyError, suggestion
from sy_ipc._core.flow import Ticket
from sy_ipc._core.router import Router
from sy_ipc._core.session import Outcome
from sy_ipc._endpoint import Handler, LocalEndpoint
from sy_ipc._errors import BusClosed, ControlUnknown, HandlerConflict, NoResponder, WrongLoop
from sy_ipc._io.loopback import Loopback
from sy_ipc._link import Job, Link
from sy_ipc._remote import RemoteEndpoint
from sy_ipc._subscription import Consumed, Subscription
from sy_ipc._wire.codec import Codec
from sy_ipc._wire.envelope import Envelope

CLOSE_GRACE_S = 5.0  # how long closing waits for handlers that do not heed being cancelled


class Exchange(ABC):
    """Endpoints, open requests and running handlers of one bus. Belongs to one event loop."""

    loop: asyncio.AbstractEventLoop  # this and the next are there once it is bound
    loopback: Link

    def __init__(self, name: str, codec: Codec) -> None:
        self.name = name
        self.codec = codec
        self.bound = False
        self.context = contextvars.copy_context()
        self.jobs: set[Job] = set()
        self.refused = 0
        self.published = 0
        self.outcomes = dict.fromkeys(Outcome, 0)
        self.endpoints: Router[LocalEndpoint | RemoteEndpoint] = Router()
        self.subscriptions: set[Subscription[Any]] = set()
        self.dropped_before = 0
        self.error: SymphonyError | None = None
        self.closed = asyncio.Event()
        self._parked: set[asyncio.Future[None]] = set()
        self._closing: asyncio.Task[None] | None = None

    def bind(self) -> None:
        """Raise unless the running loop is the bus's own and the bus is open."""
        loop = asyncio.get_running_loop()
        if not self.bound:
            self._take_loop(loop)
        elif self.loop is not loop:
            raise WrongLoop(bus=self.name)
        if self.error is not None:
            raise self.error

    def _take_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        transport = Loopback()
        self.loopback = Link(self, transport, self.name)
        transport.receive = self.loopback.receive
        self.bound = True

    def handle(self, subject: str, function: Handler) -> None:
        """Let *function* answer *subject*."""
        holder = self.endpoints.exact(subject)
        if holder is not None:
            raise HandlerConflict(subject=subject, holder=repr(holder))
        self.endpoints.add(subject, LocalEndpoint(subject, function, self.codec))

    def find_endpoint(self, subject: str) -> LocalEndpoint | RemoteEndpoint:
        """Return who answers *subject* most specifically; raise where nobody does."""
        endpoint = self.endpoints.best(subject)
        if endpoint is None:
            close = suggestion(subject, self.endpoints.patterns())
            raise NoResponder(subject=subject, close=close)
        return endpoint

    def find_link(self, subject: str) -> Link:
        """Return the connection on which requests for *subject* are answered."""
        endpoint = self.find_endpoint(subject)
        return endpoint.link if isinstance(endpoint, RemoteEndpoint) else self.loopback

    @property
    def dropped(self) -> int:
        """How many events were dropped, by all subscriptions so far."""
        return self.dropped_before + sum(each.dropped for each in self.subscriptions)

    @abstractmethod
    def links(self) -> list[Link]:
        """Return the connections to other buses."""

    @abstractmethod
    async def publish(self, event: Envelope) -> None:
        """Hand *event* to everybody who listens, or to who does so."""

    @abstractmethod
    async def attach(self, subscription: Subscription[Any]) -> Consumed | None:
        """Let events flow to *subscription*."""

    @abstractmethod
    def detach(self, subscription: Subscription[Any]) -> None:
        """Let no more events flow to *subscription*."""

    @abstractmethod
    def accept_event(self, link: Link, envelope: Envelope) -> None:
        """Take an event, or a notice about the connection, from the other side."""

    @abstractmethod
    def lose(self, link: Link, reason: str, *, clean: bool) -> None:
        """Hear that the other side of *link* has gone."""

    def control(self, link: Link, subject: str, payload: msgspec.Raw) -> Any:  # noqa: ARG002 - the contract's
        """Do what the other side asks of the connection itself: here, nothing."""
        raise ControlUnknown(subject=subject)

    async def wait_parked(self, ticket: Ticket) -> None:
        """Return when *ticket* is through; a caller who leaves takes the event back."""
        future: asyncio.Future[None] = self.loop.create_future()
        ticket.done = partial(_resolve, future)
        self._parked.add(future)
        ticket.release()
        try:
            await future
        except asyncio.CancelledError:
            ticket.withdrawn = True
            raise
        finally:
            self._parked.discard(future)

    async def close(self) -> None:
        """End everything, and return when it has ended. A cancelled call ends it all the same."""
        self.shut(BusClosed(bus=self.name), None)
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def shut(self, error: SymphonyError, stream_error: SymphonyError | None) -> None:
        """End everything now: callers get *error*, streams *stream_error* or a clean end."""
        if self.error is not None:
            return
        self.error = error
        for future in self._parked:
            if not future.done():
                future.set_exception(error)
        for subscription in list(self.subscriptions):
            self.forget_subscription(subscription)
            subscription.finish(stream_error)
        if not self.bound:  # never used: nothing runs
            self.closed.set()
            return
        for link in [*self.links(), self.loopback]:
            link.end(error)
        self._closing = self.loop.create_task(self._await_jobs())

    def forget_subscription(self, subscription: Subscription[Any]) -> None:
        """Count what *subscription* dropped, and let it go."""
        if subscription in self.subscriptions:
            self.subscriptions.discard(subscription)
            self.dropped_before += subscription.dropped

    async def _await_jobs(self) -> None:
        if self.jobs:
            await asyncio.wait(self.jobs, timeout=CLOSE_GRACE_S)
        self.closed.set()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
