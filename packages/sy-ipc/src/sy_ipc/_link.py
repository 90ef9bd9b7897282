"""One connection at work: requests both ways, events, and an end that everybody hears of."""

from __future__ import annotations

import asyncio
import time
from contextvars import Context
from typing import Any, Protocol

import msgspec

from sy_commons import SymphonyError
from sy_ipc._context import RequestContext, enter_request
from sy_ipc._core.flow import Gate
from sy_ipc._core.session import Outcome, Session
from sy_ipc._errors import RequestCancelled, RequestTimedOut
from sy_ipc._io.transport import Transport
from sy_ipc._wire.codec import Codec
from sy_ipc._wire.envelope import Envelope, Kind
from sy_ipc._wire.failure import describe_failure, revive_failure
from sy_ipc._wire.subject import RESERVED

PUBLISH_WINDOW = 256  # events on their way to the other side that it has not made room for yet
_ACK_EVERY = PUBLISH_WINDOW // 4

# What connections say about themselves; the first two are requests.
HELLO, SUBSCRIBE = "$BUS.hello", "$BUS.subscribe"
UNSUBSCRIBE, CREDIT, ACK = "$BUS.unsubscribe", "$BUS.credit", "$BUS.ack"

Reply = asyncio.Future[msgspec.Raw]
Job = asyncio.Task[None]


class Endpoint(Protocol):
    """Whatever answers requests on a subject."""

    async def answer(self, payload: msgspec.Raw, context: RequestContext) -> msgspec.Raw:
        """Return the encoded reply to an encoded request."""
        ...


class Host(Protocol):
    """What a link needs from the bus it belongs to."""

    name: str
    codec: Codec
    loop: asyncio.AbstractEventLoop
    context: Context
    jobs: set[Job]
    refused: int
    outcomes: dict[Outcome, int]

    def find_endpoint(self, subject: str) -> Endpoint:
        """Return who answers *subject*; raise where nobody does."""
        ...

    def control(self, link: Link, subject: str, payload: msgspec.Raw) -> Any:
        """Do what the other side asks of the connection itself."""
        ...

    def accept_event(self, link: Link, envelope: Envelope) -> None:
        """Take an event from the other side."""
        ...

    def lose(self, link: Link, reason: str, *, clean: bool) -> None:
        """Hear that the other side has gone."""
        ...


class Link:
    """A connection as its own bus sees it. Belongs to the event loop of that bus."""

    __slots__ = (
        "_host",
        "_owed",
        "_timer",
        "_unacked",
        "error",
        "gate",
        "peer",
        "session",
        "transport",
    )

    def __init__(self, host: Host, transport: Transport, peer: str) -> None:
        self._host = host
        self.transport = transport
        self.peer = peer
        self.session: Session[Reply, Job] = Session(host.outcomes)
        self.gate: Gate[Envelope] = Gate(PUBLISH_WINDOW, transport.send)
        self.error: SymphonyError | None = None
        self._owed = 0  # events of theirs that they have not been told we placed
        self._unacked = 0  # those of them that we did place
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        state = "open" if self.error is None else "ended"
        return f"Link(to {self.peer!r}, {state}, {self.session})"

    async def request(
        self,
        subject: str,
        payload: msgspec.Raw,
        timeout_s: float | None,
        headers: dict[str, str] | None,
    ) -> msgspec.Raw:
        """Return the encoded reply; ends exactly once, and a cancelled call stops the handler."""
        if self.error is not None:
            raise self.error
        if timeout_s is not None and timeout_s <= 0:
            raise RequestTimedOut(subject=subject, timeout_s=max(0.0, timeout_s))
        loop = self._host.loop
        future: Reply = loop.create_future()
        number = self.session.ask(subject, future)
        if timeout_s is not None:
            self._look_at(self.session.limit(number, loop.time(), timeout_s))
        try:
            self.transport.send(
                Envelope(Kind.REQUEST, number, subject, payload, timeout_s, headers)
            )
            return await future
        except asyncio.CancelledError:
            if self.session.settle(number, Outcome.CANCELLED) is not None:
                self.transport.send(Envelope(Kind.CANCEL, number))
            raise

    def tell(self, subject: str, payload: msgspec.Raw) -> None:
        """Send something about the connection itself that needs no answer."""
        self.transport.send(Envelope(Kind.PUBLISH, 0, subject, payload))

    def receive(self, envelope: Envelope) -> None:
        """Take one message of the other side's."""
        kind = envelope.kind
        if kind is Kind.PUBLISH:
            self._host.accept_event(self, envelope)
        elif kind is Kind.REQUEST:
            self._accept_request(envelope)
        elif kind is Kind.REPLY:
            self._accept_reply(envelope)
        elif kind is Kind.ERROR:
            self._accept_error(envelope)
        else:
            job = self.session.call_off(envelope.id)
            if job is not None:
                self._stop(job)

    def disconnected(self, reason: str, *, clean: bool) -> None:
        """Hear from the transport that the other side ended the connection."""
        self._host.lose(self, reason, clean=clean)

    def end(self, error: SymphonyError) -> None:
        """End everything on this connection: callers get *error*, handlers are cancelled."""
        if self.error is not None:
            return
        self.error = error
        if self._timer is not None:
            self._timer.cancel()
        asked, jobs = self.session.end()
        for request in asked:
            if not request.slot.done():
                request.slot.set_exception(error)
        for job in jobs:
            self._stop(job)
        self.gate.close()
        self.transport.close()

    def admit(self) -> bool:
        """Count an event of theirs; False when they were to wait with it."""
        self._owed += 1
        return self._owed <= PUBLISH_WINDOW

    def acknowledge(self) -> None:
        """Count an event of theirs as placed, and tell them now and then."""
        self._unacked += 1
        if self._unacked >= _ACK_EVERY and self.error is None:
            count, self._unacked = self._unacked, 0
            self._owed -= count
            self.tell(ACK, self._host.codec.encode(count))

    def grant(self, count: int) -> None:
        """Hear that the other side has placed *count* events of ours."""
        if 0 < count <= PUBLISH_WINDOW:
            self.gate.grant(count)

    def _accept_request(self, envelope: Envelope) -> None:
        number = envelope.id
        if self.error is not None or self.session.serves(number):
            self._host.refused += 1  # to answer would end the earlier request of that number
            return
        try:
            if envelope.subject.startswith(RESERVED):
                result = self._host.control(self, envelope.subject, envelope.payload)
                self._reply(number, self._host.codec.encode(result))
                return
            endpoint = self._host.find_endpoint(envelope.subject)
        except SymphonyError as error:
            self._reply_error(number, error)
            return
        job = self._host.loop.create_task(
            self._serve(endpoint, envelope), context=self._host.context.copy()
        )
        self._host.jobs.add(job)
        self.session.serve(number, job)

    async def _serve(self, endpoint: Endpoint, envelope: Envelope) -> None:
        left = envelope.timeout_s
        deadline = None if left is None else time.monotonic() + left
        context = RequestContext(envelope.subject, self.peer, deadline, envelope.headers or {})
        enter_request(context)
        try:
            payload = await endpoint.answer(envelope.payload, context)
        except asyncio.CancelledError:
            if self.session.answer(envelope.id):  # nobody called it off: it stopped by itself
                self._reply_error(envelope.id, RequestCancelled(subject=envelope.subject))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the caller is told
            if self.session.answer(envelope.id):
                self._reply_error(envelope.id, error)
        except BaseException as error:
            if self.session.answer(envelope.id):
                self._reply_error(envelope.id, error)
            raise
        else:
            if self.session.answer(envelope.id):
                self._reply(envelope.id, payload)
        finally:
            self._host.jobs.discard(asyncio.current_task())

    def _stop(self, job: Job) -> None:
        job.add_done_callback(self._host.jobs.discard)  # cancelled before it began, it never ran
        job.cancel()

    def _reply(self, number: int, payload: msgspec.Raw) -> None:
        self.transport.send(Envelope(Kind.REPLY, number, "", payload))

    def _reply_error(self, number: int, error: BaseException) -> None:
        try:
            payload = self._host.codec.encode(describe_failure(error, self._host.name))
        except SymphonyError as unsendable:  # facts too large or too deep for the limits
            payload = self._host.codec.encode(describe_failure(unsendable, self._host.name))
        self.transport.send(Envelope(Kind.ERROR, number, "", payload))

    def _accept_reply(self, envelope: Envelope) -> None:
        asked = self.session.settle(envelope.id, Outcome.REPLIED)
        if asked is not None and not asked.slot.done():
            asked.slot.set_result(envelope.payload)

    def _accept_error(self, envelope: Envelope) -> None:
        asked = self.session.settle(envelope.id, Outcome.FAILED)
        if asked is None or asked.slot.done():
            return
        try:
            wire = self._host.codec.decode(envelope.payload, None)
        except SymphonyError as unreadable:
            asked.slot.set_exception(unreadable)
        else:
            asked.slot.set_exception(revive_failure(wire, asked.subject))

    def _look_at(self, when: float) -> None:
        """See to it that requests whose time is over at *when* are told then."""
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._host.loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        late, due = self.session.expire(self._host.loop.time())
        for number, asked in late:
            self.transport.send(Envelope(Kind.CANCEL, number))
            if not asked.slot.done():
                error = RequestTimedOut(subject=asked.subject, timeout_s=asked.timeout_s or 0.0)
                asked.slot.set_exception(error)
        if due is not None:
            self._look_at(due)
