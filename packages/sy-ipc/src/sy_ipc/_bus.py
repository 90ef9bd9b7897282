"""The bus as its users see it."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import attrs
import cattrs

from sy_ipc._client import Client
from sy_ipc._context import inherit
from sy_ipc._core.flow import Gap, Overflow
from sy_ipc._endpoint import Handler
from sy_ipc._errors import BusClosed, WrongLoop
from sy_ipc._exchange import Exchange
from sy_ipc._hub import Hub
from sy_ipc._io.transport import find_scheme
from sy_ipc._subscription import Subscription
from sy_ipc._wire.codec import MAX_PAYLOAD_BYTES, Codec
from sy_ipc._wire.envelope import Envelope, Kind
from sy_ipc._wire.subject import check_pattern, check_subject

R = TypeVar("R")
H = TypeVar("H", bound=Handler)

OnOverflow = Literal["block", "drop_oldest", "drop_newest", "fail"]

_LOOK_EVERY_S = 0.5  # how often a waiting thread looks whether the loop is still there


@attrs.frozen
class BusStats:
    """What a bus is doing, and has done so far."""

    name: str
    state: str
    connections: int
    handlers: int
    subscriptions: int
    requests_pending: int
    handlers_running: int
    outcomes: dict[str, int]
    published: int
    dropped: int
    refused: int


class Bus:
    """Requests and events, between the parts of a program and between programs.

    On its own it joins whatever holds it in one process; :meth:`serve` lets others connect, and
    :meth:`connect` makes a bus that is connected to a serving one. Requests go to the handler
    with the most specific pattern, this bus's own before the other side's; events go to every
    subscription on the serving bus and on all that are connected to it.

    It may be made anywhere, belongs to the event loop that uses it first, and is not safe
    between threads, :meth:`publish_threadsafe` apart. Values are encoded and decoded even
    within one process: nobody can change what another one received. Handlers run as tasks in a
    context of their own; the request they answer is :func:`current_request`.

    >>> async def main():
    ...     async with Bus(name="math") as bus:
    ...         @bus.on("math.double")
    ...         async def double(number: int) -> int:
    ...             return 2 * number
    ...         return await bus.request("math.double", 21, int)
    >>> asyncio.run(main())
    42
    """

    def __init__(
        self,
        name: str = "bus",
        *,
        converter: cattrs.Converter | None = None,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
    ) -> None:
        codec = Codec(converter=converter, max_size_bytes=max_payload_bytes)
        self._exchange: Exchange = Hub(name, codec)

    @classmethod
    def connect(
        cls,
        address: str,
        *,
        name: str = "client",
        converter: cattrs.Converter | None = None,
        max_payload_bytes: int = MAX_PAYLOAD_BYTES,
    ) -> Self:
        """Return a bus that connects to whoever serves at *address* when it is entered.

        Handlers registered before that are offered to the other side. When the connection is
        lost the bus closes, and everything pending raises :class:`Disconnected`.

        >>> Bus.connect("inproc://math", name="shell")
        Bus('shell', idle, to inproc://math)
        """
        find_scheme(address)
        bus = cls(name, converter=converter, max_payload_bytes=max_payload_bytes)
        bus._exchange = Client(name, bus._exchange.codec, address)
        return bus

    @property
    def name(self) -> str:
        """What the bus is called in messages of errors."""
        return self._exchange.name

    def on(self, subject: str) -> Callable[[H], H]:
        """Return a decorator that lets an ``async def`` function answer requests on *subject*.

        The function takes the request, as the type its parameter is annotated with (plain data
        without), or nothing; what it returns is the reply. *subject* may be a pattern.

        >>> bus = Bus()
        >>> @bus.on("math.add")
        ... async def add(numbers: list[int]) -> int:
        ...     return sum(numbers)
        """
        check_pattern(subject)

        def register(function: H) -> H:
            self._exchange.handle(subject, function)
            return function

        return register

    def serve(self, address: str) -> Serving:
        """Return a block in which others can connect at *address*; leaving it disconnects them.

        >>> Bus("math").serve("inproc://math")
        Serving('inproc://math', bus='math')
        """
        find_scheme(address)
        if not isinstance(self._exchange, Hub):
            raise TypeError("a connected bus does not serve: make one with Bus(...)")
        return Serving(self._exchange, address)

    @overload
    async def request(
        self,
        subject: str,
        value: object = None,
        reply_type: None = None,
        *,
        timeout_s: float | None = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> Any: ...

    @overload
    async def request(
        self,
        subject: str,
        value: object,
        reply_type: type[R],
        *,
        timeout_s: float | None = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> R: ...

    async def request(
        self,
        subject: str,
        value: object = None,
        reply_type: Any = None,
        *,
        timeout_s: float | None = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the reply to *value*, as a *reply_type* (plain data without one).

        Ends exactly once: with the reply, with the handler's error (a :class:`SymphonyError`
        as its own type, anything else as :class:`RemoteError`, the remote traceback last in the
        chain of causes), at once with :class:`NoResponder`, after *timeout_s* with
        :class:`RequestTimedOut` (None: never), or with :class:`Disconnected` or
        :class:`BusClosed`. Cancelling the call, and the timeout, cancel the handler. Within a
        handler, the time it has left itself is the most there is.
        """
        check_subject(subject)
        exchange = self._exchange
        exchange.bind()
        payload = exchange.codec.encode(value)
        timeout_s, own_headers = inherit(timeout_s, headers)
        link = exchange.find_link(subject)
        reply = await link.request(subject, payload, timeout_s, own_headers)
        return exchange.codec.decode(reply, reply_type)

    async def publish(
        self, subject: str, event: object, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Hand *event* to every subscription that matches *subject*; nobody listening is fine.

        Returns when each has taken it or dropped it by its policy, and so waits for those with
        ``on_overflow="block"``; on a connected bus it returns up to 256 events earlier. One
        task's events arrive in order. Cancelled while waiting, the event may have reached some.
        """
        check_subject(subject)
        exchange = self._exchange
        exchange.bind()
        payload = exchange.codec.encode(event)
        _, own_headers = inherit(None, headers)
        await exchange.publish(Envelope(Kind.PUBLISH, 0, subject, payload, None, own_headers))

    def publish_threadsafe(
        self, subject: str, event: object, *, timeout_s: float | None = 30.0
    ) -> None:
        """Publish from a thread that runs no event loop, and return when :meth:`publish` would.

        Raises what it raises; ``TimeoutError`` after *timeout_s*, the event then taken back as
        on cancellation; :class:`BusClosed` where the bus's loop is not running (any more), and
        :class:`WrongLoop` in a thread with an event loop, which it would block.
        """
        if _has_loop():
            raise WrongLoop(bus=self.name)
        if not self._exchange.bound or not self._exchange.loop.is_running():
            raise BusClosed(bus=self.name)
        work = self.publish(subject, event)
        _run_from_thread(work, self._exchange.loop, timeout_s, self.name)

    @overload
    def subscribe(
        self,
        pattern: str,
        expected: None = None,
        *,
        on_overflow: OnOverflow = "block",
        maxsize: int = 1024,
    ) -> Subscription[Any]: ...

    @overload
    def subscribe(
        self,
        pattern: str,
        expected: type[R],
        *,
        on_overflow: OnOverflow = "block",
        maxsize: int = 1024,
    ) -> Subscription[R | Gap]: ...

    def subscribe(
        self,
        pattern: str,
        expected: Any = None,
        *,
        on_overflow: OnOverflow = "block",
        maxsize: int = 1024,
    ) -> Subscription[Any]:
        """Return the events whose subjects match *pattern*, each as an *expected*.

        Enter it with ``async with``: what is published after that is seen. At most *maxsize*
        events wait; for one more the publisher waits (``block``), or an event is dropped and a
        :class:`Gap` stands in its place (``drop_oldest``, ``drop_newest``), or the stream ends
        with :class:`SubscriptionOverflow` (``fail``).
        """
        check_pattern(pattern)
        if maxsize < 1:
            raise ValueError(f"maxsize is at least 1, not {maxsize}")
        return Subscription(self._exchange, pattern, expected, Overflow(on_overflow), maxsize)

    def stats(self) -> BusStats:
        """Return what the bus is doing, and has done so far."""
        exchange = self._exchange
        links = exchange.links()
        every = [*links, exchange.loopback] if exchange.bound else links
        return BusStats(
            name=exchange.name,
            state=_state(exchange),
            connections=len(links),
            handlers=len(exchange.endpoints),
            subscriptions=len(exchange.subscriptions),
            requests_pending=sum(link.session.asked for link in every),
            handlers_running=len(exchange.jobs),
            outcomes={outcome.value: count for outcome, count in exchange.outcomes.items()},
            published=exchange.published,
            dropped=exchange.dropped,
            refused=exchange.refused,
        )

    async def close(self) -> None:
        """End everything pending with :class:`BusClosed`, every stream, every handler; return then.

        Handlers are cancelled, and awaited for five seconds at most. Idempotent, and safe to
        call from a handler, which it then cancels too.
        """
        await self._exchange.close()

    async def wait_closed(self) -> None:
        """Return when the bus is closed, by whomever, or its connection lost."""
        await self._exchange.closed.wait()

    async def __aenter__(self) -> Self:
        if not isinstance(self._exchange, Client):
            self._exchange.bind()
            return self
        try:
            await self._exchange.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        exchange = self._exchange
        where = f", to {exchange.address}" if isinstance(exchange, Client) else ""
        if isinstance(exchange, Hub) and exchange.listeners:
            where = f", at {', '.join(exchange.listeners)}"
        return f"Bus({exchange.name!r}, {_state(exchange)}{where})"


class Serving:
    """A block in which a bus serves at an address."""

    __slots__ = ("_hub", "address")

    def __init__(self, hub: Hub, address: str) -> None:
        self._hub = hub
        self.address = address

    async def __aenter__(self) -> Self:
        await self._hub.listen(self.address)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hub.stop_listening(self.address)

    def __repr__(self) -> str:
        return f"Serving({self.address!r}, bus={self._hub.name!r})"


def _state(exchange: Exchange) -> str:
    if exchange.error is not None:
        return "closed"
    return "open" if exchange.bound else "idle"


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_from_thread(
    work: Coroutine[Any, Any, None],
    loop: asyncio.AbstractEventLoop,
    timeout_s: float | None,
    name: str,
) -> None:
    """Run the coroutine *work* in *loop*, and notice when the loop has stopped for good."""
    future = asyncio.run_coroutine_threadsafe(work, loop)
    left = timeout_s
    while True:
        step = _LOOK_EVERY_S if left is None else min(left, _LOOK_EVERY_S)
        try:
            return future.result(step)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
        if loop.is_closed() or not loop.is_running():
            raise BusClosed(bus=name)
        if left is not None:
            left -= step
            if left <= 0:
                future.cancel()
                raise TimeoutError(f"the event was not placed within {timeout_s:g} s")
