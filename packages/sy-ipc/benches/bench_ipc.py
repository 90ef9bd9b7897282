"""The bus in one process, beside what asyncio itself takes for the same hand-over."""

from __future__ import annotations

import asyncio
import time

import attrs
import msgspec

from house.measuring import Case, at_least, at_most
from sy_ipc import Bus
from sy_ipc._core.router import Router
from sy_ipc._wire.envelope import Envelope, Kind, decode_envelope, encode_envelope

REQUESTS = 2_000
EVENTS = 20_000


@attrs.frozen
class Add:
    a: int
    b: int


class Plain(msgspec.Struct):
    """The fields of an envelope in msgspec's own kind of class."""

    kind: int
    id: int
    subject: str
    payload: msgspec.Raw
    timeout_s: float | None = None
    headers: dict[str, str] | None = None


def cases() -> list[Case]:
    return [_requests(), _connected_requests(), _events(), _routing(), _envelope()]


async def _ask(asker: Bus) -> list[float]:
    taken = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        await asker.request("math.add", Add(1, 2), int)
        taken.append(time.perf_counter() - start)
    return taken


def _math() -> Bus:
    bus = Bus("math")

    @bus.on("math.add")
    async def add(request: Add) -> int:
        return request.a + request.b

    return bus


async def _bare_requests() -> list[float]:
    """A future, a task that fulfils it, and the wait: what any request in asyncio takes."""
    loop = asyncio.get_running_loop()

    async def answer(future: asyncio.Future[int]) -> None:
        future.set_result(3)

    taken = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        future: asyncio.Future[int] = loop.create_future()
        task = loop.create_task(answer(future))
        await future
        taken.append(time.perf_counter() - start)
        await task
    return taken


def _requests() -> Case:
    async def ours() -> list[float]:
        async with _math() as bus:
            return await _ask(bus)

    return Case(
        name="request, one bus alone",
        ours=ours,
        peers={"bare future and task": _bare_requests},
        budgets=[at_most(15e-6), at_most(4.0, peer="bare future and task")],
    )


def _connected_requests() -> Case:
    async def ours() -> list[float]:
        async with _math() as bus, bus.serve("inproc://bench"), Bus.connect("inproc://bench") as it:
            return await _ask(it)

    return Case(
        name="request over inproc://",
        ours=ours,
        peers={"bare future and task": _bare_requests},
        budgets=[at_most(15e-6), at_most(4.0, peer="bare future and task")],
    )


def _events() -> Case:
    event = {"kind": "node_done", "run": "42", "node": "brief", "at": 1.5, "data": {"n": 1}}

    async def ours() -> float:
        async with Bus() as bus, bus.subscribe("run.>") as events:

            async def publish() -> None:
                for _ in range(EVENTS):
                    await bus.publish("run.42.node_done", event)

            start = time.perf_counter()
            publishing = asyncio.create_task(publish())
            for _ in range(EVENTS):
                await anext(events)
            elapsed_s = time.perf_counter() - start
            await publishing
            return EVENTS / elapsed_s

    return Case(
        name="events to one subscriber, block", ours=ours, budgets=[at_least(50_000)], unit="/s"
    )


def _routing() -> Case:
    many: Router[int] = Router()
    for number in range(1_000):
        many.add(f"run.{number % 100}.node.{number}.*", number)
    many.add("run.5.>", 0)
    one: Router[int] = Router()
    one.add("run.5.>", 0)
    subjects = [f"run.5.done.{number}" for number in range(200)]

    def route(router: Router[int]) -> None:
        for _ in range(50):
            for subject in subjects:
                router.match(subject)

    return Case(
        name="routing among 1,000 patterns",
        ours=lambda: route(many),
        peers={"one pattern": lambda: route(one)},
        budgets=[at_most(1.5, peer="one pattern")],
        operations=10_000,
    )


def _envelope() -> Case:
    payload = msgspec.Raw(msgspec.msgpack.encode({"a": 1, "b": "x" * 100}))
    encoder, decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Plain)
    ours = Envelope(Kind.REQUEST, 7, "math.add", payload, 1.0)
    theirs = Plain(1, 7, "math.add", payload, 1.0)

    def we() -> None:
        for _ in range(5_000):
            decode_envelope(encode_envelope(ours))

    def they() -> None:
        for _ in range(5_000):
            decoder.decode(encoder.encode(theirs))

    return Case(
        name="envelope, encode and decode",
        ours=we,
        peers={"msgspec Struct": they},
        budgets=[at_most(2.5, peer="msgspec Struct")],
        operations=5_000,
    )
