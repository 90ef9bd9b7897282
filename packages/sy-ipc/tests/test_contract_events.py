"""What events promise, in every place: alone in one bus, and over each transport."""

import asyncio
from typing import Any

import attrs
import pytest

from sy_ipc import (
    BusClosed,
    Disconnected,
    Gap,
    PayloadMismatch,
    PayloadTooLarge,
    SubscriptionBusy,
    SubscriptionOverflow,
    SubscriptionUnentered,
    current_request,
)


@attrs.frozen
class Done:
    node: str


async def collect(events: Any, count: int) -> list:
    found = []
    async for event in events:
        found.append(event)
        if len(found) == count:
            break
    return found


async def drain(events: Any) -> list:
    return [event async for event in events]


@pytest.fixture(params=["hub to hub", "hub to guest", "guest to hub", "guest to guest", "self"])
async def ends(request: pytest.FixtureRequest, place: Any) -> Any:
    """A publisher and a subscriber, on every pair of sides."""
    if request.param == "self":
        guest = await place.guest()
        return guest, guest
    first, second = request.param.split(" to ")
    return (
        place.hub if first == "hub" else await place.guest(name="publisher"),
        place.hub if second == "hub" else await place.guest(name="subscriber"),
    )


async def test_matching_events_arrive_typed_in_order_with_their_subjects(ends: Any) -> None:
    publisher, subscriber = ends
    async with subscriber.subscribe("run.*.node.>", Done) as events:
        await publisher.publish("run.1.state", "not for us")
        for number in range(20):
            await publisher.publish(f"run.{number}.node.done", Done(str(number)))
        for number in range(20):
            assert await anext(events) == Done(str(number))
            assert events.subject == f"run.{number}.node.done"


async def test_only_what_is_published_inside_the_block_is_seen(ends: Any) -> None:
    publisher, subscriber = ends
    await publisher.publish("a", 1)
    async with subscriber.subscribe("a") as events:
        await publisher.publish("a", 2)
        assert await collect(events, 1) == [2]
    await publisher.publish("a", 3)
    assert await drain(events) == []
    assert subscriber.stats().subscriptions == 0


async def test_every_subscriber_has_its_own_copy(ends: Any) -> None:
    publisher, subscriber = ends
    async with subscriber.subscribe("a") as one, subscriber.subscribe(">") as two:
        event = {"list": [1, 2]}
        await publisher.publish("a", event)
        event["list"].append("changed after publishing")
        (first,) = await collect(one, 1)
        first["list"].append("changed by the other subscriber")
        assert await collect(two, 1) == [{"list": [1, 2]}]


async def test_headers_travel_with_events_and_are_inherited_from_the_request(place: Any) -> None:
    guest = await place.guest()

    @place.hub.on("work")
    async def work() -> None:
        assert current_request() is not None
        await place.hub.publish("did", 1, headers={"own": "x"})

    async with guest.subscribe("did") as events:
        await guest.request("work", headers={"traceparent": "t"})
        assert await collect(events, 1) == [1]
        assert events.headers == {"traceparent": "t", "own": "x"}


async def test_a_publisher_waits_for_a_full_subscriber_and_nothing_is_lost(
    ends: Any, until: Any
) -> None:
    publisher, subscriber = ends
    total = 2_000

    async def publish() -> None:
        for number in range(total):
            await publisher.publish("a", number)

    async with subscriber.subscribe("a", int, on_overflow="block", maxsize=3) as events:
        task = asyncio.create_task(publish())
        await until(lambda: events.stats().waiting == 3)
        assert not task.done()
        assert await collect(events, total) == list(range(total))
        await task
        assert events.dropped == 0


@pytest.mark.parametrize("maxsize", [1, 2, 5])
async def test_drop_oldest_keeps_the_newest_behind_a_gap(
    ends: Any, until: Any, maxsize: Any
) -> None:
    publisher, subscriber = ends
    async with subscriber.subscribe("a", int, on_overflow="drop_oldest", maxsize=maxsize) as events:
        for number in range(8):
            await publisher.publish("a", number)
        await until(lambda: events.stats().offered == 8)
        kept = list(range(8 - maxsize, 8))
        assert await collect(events, 1 + maxsize) == [Gap(8 - maxsize), *kept]
        assert events.dropped == 8 - maxsize
        await publisher.publish("a", 8)
        assert await collect(events, 1) == [8]
    assert subscriber.stats().dropped == 8 - maxsize


async def test_drop_newest_keeps_the_oldest_before_a_gap(ends: Any, until: Any) -> None:
    publisher, subscriber = ends
    async with subscriber.subscribe("a", int, on_overflow="drop_newest", maxsize=3) as events:
        for number in range(8):
            await publisher.publish("a", number)
        await until(lambda: events.stats().offered == 8)
        assert await collect(events, 4) == [0, 1, 2, Gap(5)]
        assert events.dropped == 5


async def test_fail_gives_what_had_arrived_and_then_the_reason(ends: Any, until: Any) -> None:
    publisher, subscriber = ends
    async with subscriber.subscribe("a", int, on_overflow="fail", maxsize=2) as events:
        for number in range(3):
            await publisher.publish("a", number)
        await until(lambda: events.dropped == 1)
        assert await collect(events, 2) == [0, 1]
        with pytest.raises(SubscriptionOverflow, match="'a' overflowed at 2"):
            await anext(events)
        await publisher.publish("a", 3)  # to nobody


async def test_a_slow_subscriber_that_drops_does_not_slow_another(ends: Any) -> None:
    publisher, subscriber = ends
    async with (
        subscriber.subscribe("a", int, on_overflow="drop_oldest", maxsize=1) as slow,
        subscriber.subscribe("a", int) as good,
    ):
        for number in range(100):
            await publisher.publish("a", number)
        assert await collect(good, 100) == list(range(100))
        assert (await collect(slow, 2))[1] == 99
        assert slow.dropped == 99


async def test_a_subscriber_that_keeps_up_is_given_a_turn_before_anything_is_dropped(
    place: Any,
) -> None:
    async with place.hub.subscribe("a", int, on_overflow="drop_oldest", maxsize=2) as events:
        task = asyncio.create_task(collect(events, 1000))
        for number in range(1000):
            await place.hub.publish("a", number)
        assert await task == list(range(1000))
        assert events.dropped == 0


async def test_leaving_releases_the_publisher_who_waits(ends: Any, until: Any) -> None:
    publisher, subscriber = ends

    async def publish() -> None:
        for number in range(600):
            await publisher.publish("a", number)

    async with subscriber.subscribe("a", maxsize=1) as events:
        task = asyncio.create_task(publish())
        await until(lambda: events.stats().waiting == 1)
        assert not task.done()
    await task


async def test_a_cancelled_publisher_takes_its_event_back(place: Any, until: Any) -> None:
    async with place.hub.subscribe("a", int, maxsize=1) as events:
        await place.hub.publish("a", 1)
        task = asyncio.create_task(place.hub.publish("a", 2))
        await until(lambda: events.stats().parked == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        following = asyncio.create_task(place.hub.publish("a", 3))
        assert await collect(events, 2) == [1, 3]
        await following


async def test_cancelling_the_wait_for_an_event_loses_none(ends: Any, turns: Any) -> None:
    publisher, subscriber = ends
    async with subscriber.subscribe("a", int) as events:
        waiting = asyncio.create_task(anext(events))
        await turns()
        waiting.cancel()
        await publisher.publish("a", 1)  # meets a wait that is being cancelled
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await collect(events, 1) == [1]


async def test_an_event_of_another_type_raises_in_its_turn_and_the_next_is_read(ends: Any) -> None:
    publisher, subscriber = ends
    async with subscriber.subscribe("a", Done) as events:
        await publisher.publish("a", Done("x"))
        await publisher.publish("a", {"wrong": 1})
        await publisher.publish("a", Done("y"))
        assert await anext(events) == Done("x")
        with pytest.raises(PayloadMismatch, match="Done"):
            await anext(events)
        assert await anext(events) == Done("y")


async def test_a_bad_event_fails_its_publisher_alone(ends: Any) -> None:
    publisher, subscriber = ends
    async with subscriber.subscribe("a") as events:
        with pytest.raises(PayloadTooLarge):
            await publisher.publish("a", "x" * 200_000)
        await publisher.publish("a", "fine")
        assert await collect(events, 1) == ["fine"]


async def test_a_second_task_that_waits_is_refused_and_the_first_goes_on(
    place: Any, turns: Any
) -> None:
    async with place.hub.subscribe("a") as events:
        first = asyncio.create_task(anext(events))
        await turns()
        with pytest.raises(SubscriptionBusy):
            await anext(events)
        await place.hub.publish("a", 1)
        assert await first == 1


async def test_a_subscription_is_read_inside_its_block_and_entered_once(place: Any) -> None:
    events = place.hub.subscribe("a")
    with pytest.raises(SubscriptionUnentered):
        await anext(events)
    async with events:
        with pytest.raises(SubscriptionBusy):
            await events.__aenter__()


async def test_closing_the_bus_ends_the_stream_behind_what_had_arrived(
    ends: Any, until: Any
) -> None:
    publisher, subscriber = ends
    events = subscriber.subscribe("a", int)
    await events.__aenter__()
    await publisher.publish("a", 1)
    await publisher.publish("a", 2)
    await until(lambda: events.stats().waiting == 2)
    await subscriber.close()
    assert await drain(events) == [1, 2]


async def test_closing_the_bus_ends_the_wait_for_an_event(place: Any, turns: Any) -> None:
    guest = await place.guest()
    async with guest.subscribe("a") as events:
        waiting = asyncio.create_task(drain(events))
        await turns()
        await guest.close()
        assert await waiting == []


async def test_the_hub_closing_in_good_order_ends_the_streams_of_its_guests(
    place: Any, until: Any
) -> None:
    guest = await place.guest()
    async with guest.subscribe("a") as events:
        await place.hub.publish("a", 1)
        await until(lambda: events.stats().waiting == 1)
        await place.hub.close()
        assert await drain(events) == [1]


async def test_closing_the_bus_ends_a_publisher_who_waits(ends: Any, until: Any) -> None:
    publisher, subscriber = ends

    async def publish() -> None:
        for number in range(600):
            await publisher.publish("a", number)

    async with subscriber.subscribe("a", maxsize=1) as events:
        task = asyncio.create_task(publish())
        await until(lambda: events.stats().waiting == 1)
        for _ in range(700):
            await asyncio.sleep(0)
        assert not task.done()
        await publisher.close()
        with pytest.raises(BusClosed):
            await task
        with pytest.raises(BusClosed):
            await publisher.publish("a", 0)


async def test_the_hub_closing_ends_a_guest_who_waits_to_publish(
    connected: Any, until: Any
) -> None:
    guest = await connected.guest()

    async def publish() -> None:
        for number in range(600):
            await guest.publish("a", number)

    async with connected.hub.subscribe("a", maxsize=1) as events:
        task = asyncio.create_task(publish())
        await until(lambda: events.stats().parked > 200)
        await connected.hub.close()
        with pytest.raises(Disconnected):
            await task


async def test_a_guest_that_left_holds_nobody_up(connected: Any, until: Any) -> None:
    guest = await connected.guest()
    events = guest.subscribe("a", maxsize=1)
    await events.__aenter__()
    await connected.hub.publish("a", 1)
    task = asyncio.create_task(connected.hub.publish("a", 2))
    await until(lambda: connected.hub._exchange._parked)
    assert not task.done()
    await guest.close()
    await task
    assert connected.hub.stats().connections == 0


async def test_two_publishers_each_keep_their_own_order(place: Any) -> None:
    one, two = await place.guest(name="one"), await place.guest(name="two")

    async def publish(bus: Any, tag: str) -> None:
        for number in range(300):
            await bus.publish("a", [tag, number])

    async with place.hub.subscribe("a", maxsize=4) as events:
        tasks = [asyncio.create_task(publish(one, "1")), asyncio.create_task(publish(two, "2"))]
        found = await collect(events, 600)
        await asyncio.gather(*tasks)
    for tag in "12":
        assert [n for t, n in found if t == tag] == list(range(300))


async def test_one_blocked_subject_does_not_block_requests(place: Any, until: Any) -> None:
    guest = await place.guest()

    @place.hub.on("ping")
    async def ping() -> str:
        return "pong"

    async with place.hub.subscribe("a", maxsize=1) as events:
        tasks = [asyncio.create_task(guest.publish("a", n)) for n in range(400)]
        await until(lambda: events.stats().parked > 100)
        assert await guest.request("ping", timeout_s=5) == "pong"
        assert await collect(events, 400) == list(range(400))
        await asyncio.gather(*tasks)
