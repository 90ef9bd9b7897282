"""What belongs to a bus itself, whatever it is connected by."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sy_ipc import (
    AddressInUse,
    AddressInvalid,
    Bus,
    BusClosed,
    BusUnready,
    Disconnected,
    HandlerConflict,
    HandlerUnfit,
    LateHandler,
    NoResponder,
    NothingServed,
    RequestTimedOut,
    SchemeUnsupported,
    SubjectInvalid,
    WrongLoop,
)
from sy_ipc import _exchange as exchange_module


class Unusual:
    async def answer(self, request: int) -> int:
        return request + 1


@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("nats://host", SchemeUnsupported, "nats.*inproc://"),
        ("unix", AddressInvalid, "no scheme"),
        ("inproc://", AddressInvalid, "nothing follows"),
        (7, AddressInvalid, "no scheme"),
    ],
)
def test_an_address_that_cannot_be_served_is_refused_before_anything_runs(
    address: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Bus.connect(address)
    with pytest.raises(error, match=words):
        Bus().serve(address)


async def test_connecting_to_nobody_suggests_who_is_there() -> None:
    async with Bus("math") as bus, bus.serve("inproc://mathematics"):
        with pytest.raises(NothingServed, match="did you mean 'inproc://mathematics'"):
            async with Bus.connect("inproc://mathematic"):
                pass


async def test_an_address_is_served_once_and_free_again_afterwards() -> None:
    async with Bus("one") as one, Bus("two") as two:
        async with one.serve("inproc://shared"):
            with pytest.raises(AddressInUse, match="'one'"):
                await two.serve("inproc://shared").__aenter__()
        async with two.serve("inproc://shared"):
            assert repr(two) == "Bus('two', open, at inproc://shared)"


async def test_leaving_serve_disconnects_and_the_bus_goes_on() -> None:
    async with Bus("hub") as hub:
        async with hub.serve("inproc://leaving"):
            guest = await Bus.connect("inproc://leaving").__aenter__()
            assert hub.stats().connections == 1
        await guest.wait_closed()
        with pytest.raises(Disconnected):
            await guest.publish("a", 1)
        assert hub.stats().connections == 0
        await hub.publish("a", 1)
        with pytest.raises(NothingServed):
            await Bus.connect("inproc://leaving").__aenter__()


async def test_a_bus_serves_at_several_addresses() -> None:
    async with (
        Bus("hub") as hub,
        hub.serve("inproc://first"),
        hub.serve("inproc://second"),
        Bus.connect("inproc://first") as one,
        Bus.connect("inproc://second") as two,
        one.subscribe("a") as events,
    ):
        await two.publish("a", 1)
        assert await anext(events) == 1


async def test_a_connected_bus_does_not_serve_and_takes_no_late_handler() -> None:
    async with (
        Bus("hub") as hub,
        hub.serve("inproc://late"),
        Bus.connect("inproc://late") as guest,
    ):
        with pytest.raises(TypeError, match="does not serve"):
            guest.serve("inproc://other")
        with pytest.raises(LateHandler):
            guest.on("a")(Unusual().answer)


async def test_a_bus_to_be_connected_is_not_ready_before_it_is_entered() -> None:
    guest = Bus.connect("inproc://unentered")
    with pytest.raises(BusUnready, match="inproc://unentered"):
        await guest.publish("a", 1)
    await guest.close()
    with pytest.raises(BusClosed):
        await guest.publish("a", 1)


def two(first: int, second: int) -> None: ...
async def takes_two(first: int, second: int) -> None: ...
async def keyword(first: int, *, needed: int) -> None: ...
async def unresolved(first: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - on purpose
async def stream(first: int) -> Any:
    yield first


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (two, "not an async def"),
        (stream, "not an async def"),
        (takes_two, "more than one argument"),
        (keyword, "more than one argument"),
        (unresolved, "Missing"),
    ],
)
def test_a_function_that_cannot_answer_is_refused_when_registered(
    function: Any, problem: str
) -> None:
    with pytest.raises(HandlerUnfit, match=problem):
        Bus().on("a")(function)


async def test_a_method_answers_like_a_function() -> None:
    async with Bus() as bus:
        bus.on("next")(Unusual().answer)
        assert await bus.request("next", 1) == 2


def test_a_subject_has_one_handler_and_follows_the_grammar() -> None:
    bus = Bus()
    bus.on("a")(Unusual().answer)
    with pytest.raises(HandlerConflict, match=r"Unusual\.answer"):
        bus.on("a")(Unusual().answer)
    with pytest.raises(SubjectInvalid):
        bus.on("a..b")
    with pytest.raises(SubjectInvalid):
        bus.on("$BUS.hello")


def test_a_subscription_has_room_for_at_least_one_and_a_known_policy() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Bus().subscribe("a", maxsize=0)
    with pytest.raises(ValueError, match="sometimes"):
        Bus().subscribe("a", on_overflow="sometimes")  # type: ignore[call-overload]  # on purpose


async def test_stats_and_repr_tell_what_is_going_on() -> None:
    bus = Bus("hub")
    bus.on("next")(Unusual().answer)
    assert repr(bus) == "Bus('hub', idle)"
    async with bus, bus.subscribe("a.>", on_overflow="drop_newest", maxsize=1) as events:
        await bus.request("next", 1)
        await bus.publish("a.b", 1)
        await bus.publish("a.b", 2)
        stats = bus.stats()
        assert (stats.state, stats.handlers, stats.subscriptions) == ("open", 1, 1)
        assert (stats.published, stats.dropped, stats.outcomes["replied"]) == (2, 1, 1)
        assert events.stats().offered == 2
        assert repr(events) == (
            "Subscription('a.>', open, on_overflow='drop_newest', 1/1 waiting, 1 dropped)"
        )
        assert repr(bus) == "Bus('hub', open)"
    assert repr(bus) == "Bus('hub', closed)"
    assert repr(events).startswith("Subscription('a.>', closed")
    assert bus.stats().dropped == 1


async def test_closing_twice_at_once_and_again_is_fine() -> None:
    bus = Bus()
    async with bus:
        await asyncio.gather(bus.close(), bus.close(), bus.wait_closed())
        await bus.close()
    for call in (bus.request("a"), bus.publish("a", 1), bus.subscribe("a").__aenter__()):
        with pytest.raises(BusClosed):
            await call


async def test_a_bus_never_used_closes_too() -> None:
    bus = Bus()
    await bus.close()
    await bus.wait_closed()
    with pytest.raises(BusClosed):
        await bus.__aenter__()


async def test_a_cancelled_close_closes_all_the_same(until: Callable[..., Any]) -> None:
    bus = Bus()
    begun, release = asyncio.Event(), asyncio.Event()

    @bus.on("slow")
    async def slow() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()  # takes its time to stop

    async with bus:
        call = asyncio.create_task(bus.request("slow"))
        await begun.wait()
        closing = asyncio.create_task(bus.close())
        with pytest.raises(BusClosed):
            await call
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert bus.stats().handlers_running == 1
        release.set()
        await bus.wait_closed()
        assert bus.stats().handlers_running == 0


async def test_a_handler_that_ignores_being_cancelled_holds_closing_up_for_the_grace_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exchange_module, "CLOSE_GRACE_S", 0.02)
    release = asyncio.Event()
    bus = Bus()

    @bus.on("stubborn")
    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    call = asyncio.create_task(bus.request("stubborn"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await bus.close()
    with pytest.raises(BusClosed):
        await call
    assert bus.stats().handlers_running == 1
    release.set()


async def test_another_event_loop_is_refused() -> None:
    async with Bus("mine") as bus, bus.serve("inproc://loops"):
        bus.on("next")(Unusual().answer)

        def elsewhere() -> list[Exception]:
            async def attempt() -> list[Exception]:
                async def connect() -> None:
                    async with Bus.connect("inproc://loops"):
                        pass

                found = await asyncio.gather(
                    bus.request("next", 1), bus.publish("a", 1), connect(), return_exceptions=True
                )
                return [each for each in found if isinstance(each, Exception)]

            return asyncio.run(attempt())

        errors = await asyncio.to_thread(elsewhere)
        assert [type(error) for error in errors] == [WrongLoop] * 3


async def test_publishing_from_threads_waits_like_publish() -> None:
    async with Bus() as bus, bus.subscribe("thread.*", maxsize=2) as events:

        def publish(thread: int) -> None:
            for number in range(50):
                bus.publish_threadsafe(f"thread.{thread}", number)

        workers = [asyncio.create_task(asyncio.to_thread(publish, n)) for n in range(3)]
        seen: dict[str, list[int]] = {}
        for _ in range(150):
            number = await anext(events)
            seen.setdefault(events.subject, []).append(number)
        await asyncio.gather(*workers)
        assert seen == {f"thread.{n}": list(range(50)) for n in range(3)}


async def test_publishing_from_a_thread_ends_when_the_bus_closes(until: Any) -> None:
    async with Bus() as bus, bus.subscribe("a", maxsize=1) as events:
        await bus.publish("a", 1)
        worker = asyncio.create_task(asyncio.to_thread(bus.publish_threadsafe, "a", 2))
        await until(lambda: events.stats().parked == 1)
        await bus.close()
        with pytest.raises(BusClosed):
            await worker
        with pytest.raises(BusClosed):
            await asyncio.to_thread(bus.publish_threadsafe, "a", 3)


async def test_publishing_from_a_thread_gives_up_in_time_and_takes_the_event_back() -> None:
    async with Bus() as bus, bus.subscribe("a", maxsize=1) as events:
        await bus.publish("a", 1)
        with pytest.raises(TimeoutError, match=r"0\.02 s"):
            await asyncio.to_thread(bus.publish_threadsafe, "a", 2, timeout_s=0.02)
        assert await anext(events) == 1
        await bus.publish("a", 3)
        assert await anext(events) == 3


async def test_publish_threadsafe_refuses_the_loops_own_thread() -> None:
    async with Bus() as bus:
        with pytest.raises(WrongLoop):
            bus.publish_threadsafe("a", 1)


def test_publishing_from_a_thread_notices_that_the_loop_has_stopped() -> None:
    bus = Bus()
    blocked, published = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def publish() -> None:
        try:
            bus.publish_threadsafe("a", 2, timeout_s=None)
        except BaseException as error:
            errors.append(error)
        published.set()

    async def main() -> None:
        events = bus.subscribe("a", maxsize=1)
        await events.__aenter__()
        await bus.publish("a", 1)
        threading.Thread(target=publish).start()
        while not events.stats().parked:  # noqa: ASYNC110 - a thread parks it, and tells nobody
            await asyncio.sleep(0)
        blocked.set()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())  # and then the loop stands still, the bus still open
    assert blocked.is_set()
    assert published.wait(10)
    assert [type(error) for error in errors] == [BusClosed]
    loop.run_until_complete(bus.close())
    loop.close()


async def test_a_timeout_of_zero_is_over_before_anything_is_sent() -> None:
    async with Bus() as bus:
        bus.on("next")(Unusual().answer)
        with pytest.raises(RequestTimedOut, match="within 0 s"):
            await bus.request("next", 1, timeout_s=0)
        assert bus.stats().handlers_running == 0


async def test_an_error_that_meets_a_cancelled_caller_is_not_reported_as_unseen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reply and the cancellation come in the same turn of the loop."""
    bus = Bus()
    callers: list[asyncio.Task[Any]] = []

    @bus.on("fail")
    async def fail() -> None:
        asyncio.get_running_loop().call_soon(callers[0].cancel)
        raise NoResponder(subject="x", close="")

    async with bus:
        callers.append(asyncio.create_task(bus.request("fail")))
        with pytest.raises((asyncio.CancelledError, NoResponder)):
            await callers[0]
    assert not caplog.records
