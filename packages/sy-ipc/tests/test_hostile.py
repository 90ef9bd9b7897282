"""A peer that keeps no rule: it harms its own calls, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sy_commons import SerializationError
from sy_ipc import Bus, Disconnected
from sy_ipc._io import inproc
from sy_ipc._link import ACK, CREDIT, HELLO, PUBLISH_WINDOW, SUBSCRIBE, UNSUBSCRIBE
from sy_ipc._wire.envelope import Envelope, Kind


class Peer:
    """One end of a connection, by hand."""

    def __init__(self) -> None:
        self.received: list[Envelope] = []
        self.transport: Any = None

    def receive(self, envelope: Envelope) -> None:
        self.received.append(envelope)

    def disconnected(self, reason: str, *, clean: bool) -> None:
        self.received.append(Envelope(Kind.CANCEL, -1))

    async def connect(self, address: str) -> "Peer":
        self.transport = await inproc.connect(address, lambda _, __: self, bus="peer")
        return self

    def send(self, kind: Kind, number: int, subject: str = "", value: object = None) -> None:
        payload = msgspec.Raw(msgspec.msgpack.encode(value))
        self.transport.send(Envelope(kind, number, subject, payload))

    def error(self, number: int) -> dict[str, Any]:
        (found,) = [each for each in self.received if each.id == number]
        assert found.kind is Kind.ERROR
        return msgspec.msgpack.decode(found.payload)


@pytest.fixture
async def hub() -> AsyncIterator[Bus]:
    bus = Bus("hub")

    @bus.on("stuck")
    async def stuck() -> None:
        await asyncio.Event().wait()

    @bus.on("ping")
    async def ping() -> str:
        return "pong"

    async with bus, bus.serve("inproc://hostile"):
        yield bus


@pytest.fixture
async def peer(hub: Bus) -> Peer:
    return await Peer().connect("inproc://hostile")


@pytest.mark.parametrize(
    ("subject", "value", "code"),
    [
        ("$BUS.novel", None, "ipc.control_unknown"),
        ("$BUS.hello", {"name": 7}, "ipc.payload_mismatch"),
        ("$BUS.hello", {"name": "x", "offers": ["a..b"]}, "ipc.subject_invalid"),
        ("$BUS.hello", {"name": "x", "offers": ["ping"]}, "ipc.handler_conflict"),
        ("$BUS.subscribe", {"number": 0, "pattern": "a"}, "ipc.control_unknown"),
        ("$BUS.subscribe", {"number": 1, "pattern": "a", "credit": -1}, "ipc.control_unknown"),
        ("$BUS.subscribe", {"number": 1, "pattern": "$BUS.>"}, "ipc.subject_invalid"),
        ("no..subject", None, "ipc.no_responder"),
    ],
)
async def test_a_bad_request_is_answered_with_the_reason(
    hub: Bus, peer: Peer, subject: str, value: object, code: str
) -> None:
    peer.send(Kind.REQUEST, 1, subject, value)
    assert peer.error(1)["code"] == code
    assert await hub.request("ping") == "pong"


async def test_a_number_in_use_ends_neither_request(hub: Bus, peer: Peer) -> None:
    peer.send(Kind.REQUEST, 1, "stuck")
    peer.send(Kind.REQUEST, 1, "ping")
    peer.send(Kind.CANCEL, 7)
    assert peer.received == []
    assert hub.stats().refused == 1
    assert hub.stats().handlers_running == 1


async def test_answers_to_nothing_are_passed_over(hub: Bus, peer: Peer) -> None:
    peer.send(Kind.REPLY, 99)
    peer.send(Kind.ERROR, 99, value={"v": 1, "text": "x"})
    assert await hub.request("ping") == "pong"


@pytest.mark.parametrize("value", [None, 7, {"v": 99}, {"v": 1}, {"v": 1, "text": 3}])
async def test_an_unreadable_error_still_ends_the_call(
    hub: Bus, peer: Peer, value: object, until: Any
) -> None:
    peer.send(Kind.REQUEST, 1, HELLO, {"name": "peer", "offers": ["mine"]})
    call = asyncio.create_task(hub.request("mine", timeout_s=None))
    await until(lambda: any(each.kind is Kind.REQUEST for each in peer.received))
    peer.send(Kind.ERROR, peer.received[-1].id, value=value)
    with pytest.raises(SerializationError, match="on the wire has"):
        await call


async def test_notices_without_sense_are_counted(hub: Bus, peer: Peer) -> None:
    for subject, value in [
        (CREDIT, {"number": 5, "count": 1}),
        (CREDIT, "x"),
        (UNSUBSCRIBE, 5),
        (ACK, "many"),
        ("$BUS.novel", 1),
        ("no..subject", 1),
    ]:
        peer.send(Kind.PUBLISH, 0, subject, value)
    assert hub.stats().refused == 6


async def test_room_that_nobody_had_taken_is_not_believed(hub: Bus, peer: Peer) -> None:
    peer.send(Kind.REQUEST, 1, SUBSCRIBE, {"number": 1, "pattern": "a", "credit": 1})
    peer.send(Kind.PUBLISH, 0, CREDIT, {"number": 1, "count": -(10**9)})
    peer.send(Kind.PUBLISH, 0, CREDIT, {"number": 1, "count": 10**9})
    await hub.publish("a", 1)
    task = asyncio.create_task(hub.publish("a", 2))
    await asyncio.sleep(0)
    assert not task.done()
    peer.send(Kind.PUBLISH, 0, UNSUBSCRIBE, 1)
    await task


async def test_a_hub_that_sends_more_than_there_was_room_for_ends_that_stream_alone() -> None:
    listener: list[Any] = []

    class Greedy(Peer):
        def receive(self, envelope: Envelope) -> None:
            if envelope.kind is Kind.REQUEST:
                value = {"name": "greedy"} if envelope.subject == HELLO else None
                self.send(Kind.REPLY, envelope.id, value=value)

    greedy = Greedy()

    def accept(transport: Any, _: str) -> Peer:
        greedy.transport = transport
        return greedy

    listener.append(await inproc.listen("inproc://greedy", accept, bus="greedy"))
    async with (
        Bus.connect("inproc://greedy") as guest,
        guest.subscribe("a", maxsize=2) as events,
        guest.subscribe("b") as others,
    ):
        for number in range(4):
            greedy.send(Kind.PUBLISH, 1, "a", number)
        greedy.send(Kind.PUBLISH, 2, "b", "fine")
        assert [await anext(events), await anext(events)] == [0, 1]
        with pytest.raises(Disconnected, match="more events"):
            await anext(events)
        assert await anext(others) == "fine"
    listener[0].close()


async def test_a_guest_that_floods_is_disconnected_and_what_it_sent_till_then_is_kept(
    hub: Bus, peer: Peer
) -> None:
    async with hub.subscribe("a", int, maxsize=1) as events:
        for number in range(1000):
            peer.send(Kind.PUBLISH, 0, "a", number)
        assert hub.stats().connections == 0
        kept = events.stats().parked
        assert kept == PUBLISH_WINDOW - 1
        assert [await anext(events) for _ in range(kept)] == list(range(kept))


subjects = st.sampled_from(
    ["ping", "a", "a..b", "", "$BUS.x", HELLO, SUBSCRIBE, UNSUBSCRIBE, CREDIT, ACK]
)
values = st.one_of(
    st.none(),
    st.integers(-3, 300),
    st.text(max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "number": st.integers(-1, 3),
            "count": st.integers(-2, 300),
            "pattern": st.sampled_from(["a", ">", "a.*", "", "$x"]),
            "credit": st.none() | st.integers(-1, 3),
            "name": st.text(max_size=3) | st.integers(-9, 9),
            "offers": st.lists(st.sampled_from(["mine", "ping", "", ">"]), max_size=2),
            "v": st.integers(0, 2),
            "text": st.text(max_size=3),
        },
    ),
)
messages = st.tuples(st.sampled_from(Kind), st.integers(-1, 4), subjects, values)


@settings(max_examples=150, deadline=None)
@given(st.lists(messages, max_size=25))
def test_no_sequence_of_messages_breaks_the_hub(sequence: list[tuple[Any, ...]]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        defects: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: defects.append(context))
        bus = Bus("hub")

        @bus.on("ping")
        async def ping() -> str:
            return "pong"

        async with bus, bus.serve("inproc://fuzz"), bus.subscribe("a", maxsize=2) as events:
            peer = await Peer().connect("inproc://fuzz")
            for message in sequence:
                peer.send(*message)
            await asyncio.sleep(0)
            async with Bus.connect("inproc://fuzz") as guest:
                assert await guest.request("ping", timeout_s=5) == "pong"
            peer.transport.close()
            own = asyncio.create_task(bus.publish("a", "own"))
            while await anext(events) != "own":
                pass
            await own
            assert bus.stats().connections == 0
        assert not defects

    asyncio.run(main())
