"""Whatever is stopped, at whichever await: nothing is left behind and the bus goes on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sy_commons import SymphonyError
from sy_ipc import Bus, Gap

TURNS = 12


class Scene:
    """A hub and a guest, and the things a program does with them."""

    def __init__(self, hub: Bus, guest: Bus) -> None:
        self.hub = hub
        self.guest = guest

        @hub.on("relay")
        async def relay(number: int) -> int:
            await asyncio.sleep(0)
            await hub.publish("relayed", number)
            return await hub.request("double", number, int)

        @hub.on("double")
        async def double(number: int) -> int:
            await asyncio.sleep(0)
            return 2 * number

        @hub.on("fail")
        async def fail() -> None:
            await asyncio.sleep(0)
            raise ValueError("on purpose")

    async def request(self) -> None:
        assert await self.guest.request("relay", 4, int) == 8

    async def failing_request(self) -> None:
        with contextlib.suppress(SymphonyError):
            await self.guest.request("fail")

    async def publish_and_take(self) -> None:
        async with self.guest.subscribe("a", maxsize=1) as events, asyncio.TaskGroup() as group:
            group.create_task(self._publish("a", 3))
            for number in range(3):
                assert await anext(events) == number

    async def publish_to_nobody_reading(self) -> None:
        async with self.hub.subscribe("b", maxsize=1):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await self._publish("b", 300)

    async def connect(self) -> None:
        async with Bus.connect("inproc://every-await") as other:
            assert await other.request("double", 1) == 2

    async def serve(self) -> None:
        address = "inproc://every-await-too"
        async with self.hub.serve(address), Bus.connect(address) as other:
            await other.request("double", 1)

    async def _publish(self, subject: str, count: int) -> None:
        for number in range(count):
            await self.guest.publish(subject, number)


@contextlib.asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with (
        Bus("hub") as hub,
        hub.serve("inproc://every-await"),
        Bus.connect("inproc://every-await") as guest,
    ):
        yield Scene(hub, guest)


ACTS: list[Callable[[Scene], Awaitable[None]]] = [
    Scene.request,
    Scene.failing_request,
    Scene.publish_and_take,
    Scene.publish_to_nobody_reading,
    Scene.connect,
    Scene.serve,
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
@pytest.mark.parametrize("turns", range(TURNS))
async def test_a_cancelled_task_leaves_nothing_behind(
    act: Callable[[Scene], Any], turns: int, until: Any
) -> None:
    async with scene() as stage:
        task = asyncio.create_task(act(stage))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await until(lambda: stage.hub.stats().handlers_running == 0)
        for bus in (stage.hub, stage.guest):
            stats = bus.stats()
            assert (stats.requests_pending, stats.subscriptions, stats.connections) == (0, 0, 1)
        assert len(stage.hub._exchange.outlets) == 0
        assert not stage.guest._exchange._parked
        await asyncio.wait_for(act(stage), 5)


@pytest.mark.parametrize("closed", ["hub", "guest"])
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
@pytest.mark.parametrize("turns", range(TURNS))
async def test_closing_ends_whatever_is_going_on(
    act: Callable[[Scene], Any], turns: int, closed: str, until: Any
) -> None:
    """Each act finishes or raises; none hangs, and no handler outlives the close."""
    async with scene() as stage:
        task = asyncio.create_task(act(stage))
        for _ in range(turns):
            await asyncio.sleep(0)
        await getattr(stage, closed).close()
        with contextlib.suppress(SymphonyError, StopAsyncIteration, ExceptionGroup):
            await task
        await until(lambda: stage.hub.stats().handlers_running == 0)
        stats = getattr(stage, closed).stats()
        assert (stats.state, stats.requests_pending, stats.subscriptions) == ("closed", 0, 0)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(0, 1), st.integers(1, 6)),
        st.tuples(st.just("take"), st.integers(0, 2), st.integers(1, 6)),
    ),
    max_size=20,
)
policies = st.tuples(
    st.sampled_from(["block", "drop_oldest", "drop_newest"]), st.integers(1, 3), st.booleans()
)


class Crowd:
    """Publishers and subscribers on both sides of a connection, and what each of them saw."""

    def __init__(self, stage: Scene) -> None:
        self.buses = (stage.hub, stage.guest)
        self.streams: list[Any] = []
        self.seen: list[list[Any]] = []
        self.sent = [0, 0]
        self.task: asyncio.Task[None] | None = None

    async def subscribe(self, policy: Any, maxsize: int, remote: bool) -> Any:
        stream = self.buses[remote].subscribe("a.*", on_overflow=policy, maxsize=maxsize)
        self.streams.append(await stream.__aenter__())
        self.seen.append([])

    async def publish(self, who: int, count: int) -> None:
        if self.busy:
            return  # one publisher's order is the order of its one task
        first, self.sent[who] = self.sent[who], self.sent[who] + count
        self.task = asyncio.create_task(self._send(who, first, count))
        await asyncio.sleep(0)

    async def take(self, which: int, count: int) -> None:
        for _ in range(count):
            if self.streams[which]._mailbox.ready:
                self.seen[which].append(await anext(self.streams[which]))

    async def finish(self) -> None:
        while self.busy or any(stream._mailbox.ready for stream in self.streams):
            await asyncio.sleep(0)
            for which in range(len(self.streams)):
                await self.take(which, 1)

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()

    async def _send(self, who: int, first: int, count: int) -> None:
        for number in range(first, first + count):
            await self.buses[who].publish(f"a.{who}", [who, number])

    def check(self) -> None:
        for stream, events in zip(self.streams, self.seen, strict=True):
            gaps = sum(event.count for event in events if isinstance(event, Gap))
            given_out = [event for event in events if not isinstance(event, Gap)]
            assert gaps == stream.dropped
            assert len(given_out) + gaps == sum(self.sent)
            for publisher in (0, 1):
                own = [number for who, number in given_out if who == publisher]
                assert own == sorted(set(own))


@settings(max_examples=80, deadline=None)
@given(st.tuples(policies, policies, policies), actions)
def test_delivered_and_dropped_make_up_what_was_published(
    kinds: tuple[tuple[str, int, bool], ...], steps: list[tuple[str, int, int]]
) -> None:
    """Two publishers and three subscribers, on both sides of a connection, in any order."""

    async def main() -> None:
        async with scene() as stage:
            crowd = Crowd(stage)
            for kind in kinds:
                await crowd.subscribe(*kind)
            for what, who, count in steps:
                await getattr(crowd, what)(who, count)
            await crowd.finish()
            crowd.check()

    asyncio.run(main())
