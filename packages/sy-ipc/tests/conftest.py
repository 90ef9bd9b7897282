"""Where the behaviour of a bus must be the same: a new transport is one more place."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from sy_ipc import Bus

TRANSPORTS = ["inproc"]

_numbers = itertools.count()


class Place:
    """A bus that serves, and those connected to it; alone, all of them are the same bus."""

    def __init__(self, scheme: str, stack: AsyncExitStack) -> None:
        self.scheme = scheme
        self.hub = Bus("hub", max_payload_bytes=100_000)
        self.address = f"{scheme}://place-{next(_numbers)}"
        self._stack = stack

    @property
    def alone(self) -> bool:
        return self.scheme == "alone"

    async def open(self) -> None:
        await self._stack.enter_async_context(self.hub)
        if not self.alone:
            await self._stack.enter_async_context(self.hub.serve(self.address))

    async def guest(
        self, prepare: Callable[[Bus], object] | None = None, name: str = "guest"
    ) -> Bus:
        """Return a connected bus, *prepare* called on it before it connects."""
        if self.alone:
            if prepare is not None:
                prepare(self.hub)
            return self.hub
        bus = Bus.connect(self.address, name=name, max_payload_bytes=100_000)
        if prepare is not None:
            prepare(bus)
        return await self._stack.enter_async_context(bus)


@pytest.fixture(params=["alone", *TRANSPORTS])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with _open(request.param) as place:
        yield place


@pytest.fixture(params=TRANSPORTS)
async def connected(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """A place for what needs two buses."""
    async with _open(request.param) as place:
        yield place


@asynccontextmanager
async def _open(scheme: str) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        place = Place(scheme, stack)
        await place.open()
        yield place


@pytest.fixture
async def until() -> Callable[[Callable[[], bool]], object]:
    """Give the loop turns until a condition holds; the test's own timeout is the limit."""

    async def wait(condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)

    return wait


@pytest.fixture
async def turns() -> Callable[[], object]:
    """Give the loop plenty of turns, for what must not happen to happen."""

    async def wait() -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    return wait
