"""What requests promise, in every place: alone in one bus, and over each transport."""

import asyncio
import contextlib
import contextvars
import traceback
from typing import Any

import attrs
import pytest

from sy_commons import ErrorCategory, SymphonyError
from sy_ipc import (
    Bus,
    BusClosed,
    Disconnected,
    HandlerConflict,
    NoResponder,
    PayloadMismatch,
    PayloadTooLarge,
    PayloadUnencodable,
    RemoteError,
    RemoteTraceback,
    RequestCancelled,
    RequestTimedOut,
    SubjectInvalid,
    current_request,
)


@attrs.frozen
class Add:
    a: int
    b: int


@attrs.frozen
class Sum:
    total: int


class ShelfFull(SymphonyError):
    """A package's own error, known to both sides."""

    code = "ipctest.shelf_full"
    category = ErrorCategory.RESOURCE
    message = "shelf {shelf} is full"
    hint = "take a book out"
    shelf: str


class Strange(Exception):
    """An exception that nobody registered."""


class Stuck:
    """A handler that never answers by itself, and says what happens to it."""

    def __init__(self, bus: Bus, subject: str = "stuck") -> None:
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.deadline_s: float | None = None
        bus.on(subject)(self.answer)

    async def answer(self) -> None:
        context = current_request()
        assert context is not None
        self.deadline_s = context.remaining_s()
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def chain(error: BaseException) -> list[BaseException]:
    found = [error]
    while found[-1].__cause__ is not None:
        found.append(found[-1].__cause__)
    return found


async def test_a_reply_comes_back_typed(place: Any) -> None:
    @place.hub.on("math.add")
    async def add(request: Add) -> Sum:
        return Sum(request.a + request.b)

    guest = await place.guest()
    assert await guest.request("math.add", Add(1, 2), Sum) == Sum(3)
    assert await guest.request("math.add", {"a": 1, "b": 2}) == {"total": 3}


async def test_a_handler_may_take_nothing_or_plain_data_and_a_pattern(place: Any) -> None:
    @place.hub.on("plain.*")
    async def plain(request: Any) -> Any:
        return [current_request().subject, request]

    @place.hub.on("plain.exact")
    async def exact() -> Any:
        return "exact"

    guest = await place.guest()
    assert await guest.request("plain.x", {"n": 1}) == ["plain.x", {"n": 1}]
    assert await guest.request("plain.exact", "ignored") == "exact"


async def test_a_registered_error_arrives_as_itself_with_facts_and_remote_traceback(
    place: Any,
) -> None:
    @place.hub.on("shelf.put")
    async def put() -> None:
        try:
            {}["A"]
        except KeyError as exc:
            raise ShelfFull(shelf="A") from exc

    guest = await place.guest()
    with pytest.raises(ShelfFull, match="shelf A is full") as caught:
        await guest.request("shelf.put")
    assert (caught.value.shelf, caught.value.hint) == ("A", "take a book out")
    causes = chain(caught.value)
    assert [type(cause) for cause in causes] == [ShelfFull, KeyError, RemoteTraceback]
    shown = "".join(traceback.format_exception(caught.value))
    assert "raise ShelfFull" in causes[-1].traceback
    assert "in bus 'hub'" in shown


async def test_any_other_exception_arrives_as_a_remote_error(place: Any) -> None:
    @place.hub.on("odd")
    async def odd(which: str) -> None:
        raise {"strange": Strange, "value": ValueError}[which](f"{which} happened")

    guest = await place.guest()
    for which, name in (("strange", "Strange"), ("value", "ValueError")):
        with pytest.raises(RemoteError, match=f"{which} happened") as caught:
            await guest.request("odd", which)
        assert caught.value.type_name.endswith(name)
        assert isinstance(chain(caught.value)[-1], RemoteTraceback)


async def test_the_same_error_raised_often_does_not_grow(place: Any) -> None:
    error = ShelfFull(shelf="A")

    @place.hub.on("shelf.put")
    async def put() -> None:
        raise error

    guest = await place.guest()
    lengths = []
    for _ in range(3):
        with pytest.raises(ShelfFull) as caught:
            await guest.request("shelf.put")
        lengths.append(len(chain(caught.value)))
    assert lengths == [2, 2, 2]
    assert error.__cause__ is None


async def test_a_secret_in_an_error_does_not_travel(place: Any) -> None:
    @place.hub.on("login")
    async def login() -> None:
        raise SymphonyError("refused password=hunter2seven")

    guest = await place.guest()
    with pytest.raises(SymphonyError) as caught:
        await guest.request("login")
    assert "hunter2seven" not in "".join(map(repr, chain(caught.value)))
    assert "hunter2seven" not in str(chain(caught.value)[-1]).replace(
        'raise SymphonyError("refused password=hunter2seven")', ""
    )


async def test_no_responder_is_told_at_once_with_the_closest_subject(place: Any) -> None:
    Stuck(place.hub, "math.add")
    guest = await place.guest()
    with pytest.raises(NoResponder, match=r"nobody answers 'math.ad'; did you mean 'math.add'"):
        await guest.request("math.ad", timeout_s=None)


async def test_a_late_handler_is_cancelled_and_the_caller_told(place: Any) -> None:
    stuck = Stuck(place.hub)
    guest = await place.guest()
    with pytest.raises(RequestTimedOut, match=r"'stuck' within 0.05 s") as caught:
        await guest.request("stuck", timeout_s=0.05)
    assert caught.value.retryable
    await stuck.cancelled.wait()
    assert guest.stats().outcomes["timed_out"] == 1
    assert guest.stats().requests_pending == 0


async def test_timeouts_of_many_requests_are_each_their_own(place: Any) -> None:
    Stuck(place.hub)
    guest = await place.guest()
    ended: list[float] = []

    async def ask(timeout_s: float) -> None:
        with pytest.raises(RequestTimedOut):
            await guest.request("stuck", timeout_s=timeout_s)
        ended.append(timeout_s)

    await asyncio.gather(*(ask(t) for t in (0.09, 0.01, 0.05)))
    assert ended == [0.01, 0.05, 0.09]


async def test_a_short_timeout_does_not_wait_for_a_long_one(place: Any) -> None:
    stuck = Stuck(place.hub)
    guest = await place.guest()
    long = asyncio.create_task(guest.request("stuck", timeout_s=1000))
    await stuck.begun.wait()
    with pytest.raises(RequestTimedOut):
        await guest.request("stuck", timeout_s=0.01)
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long


async def test_a_deadline_reaches_the_handler_and_its_own_requests(place: Any) -> None:
    stuck = Stuck(place.hub)

    @place.hub.on("outer")
    async def outer() -> None:
        await place.hub.request("stuck", timeout_s=1000)

    guest = await place.guest()
    call = asyncio.create_task(guest.request("outer", timeout_s=5))
    await stuck.begun.wait()
    assert 0 < stuck.deadline_s <= 5
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await stuck.cancelled.wait()


async def test_headers_reach_the_handler_and_its_own_requests(place: Any) -> None:
    @place.hub.on("inner")
    async def inner() -> Any:
        return dict(current_request().headers)

    @place.hub.on("outer")
    async def outer() -> Any:
        return await place.hub.request("inner", headers={"step": "2"})

    guest = await place.guest()
    reply = await guest.request("outer", headers={"traceparent": "00-a-b-01"})
    assert reply == {"traceparent": "00-a-b-01", "step": "2"}
    assert current_request() is None


async def test_cancelling_the_caller_cancels_the_handler(place: Any, until: Any) -> None:
    stuck = Stuck(place.hub)
    guest = await place.guest()
    call = asyncio.create_task(guest.request("stuck"))
    await stuck.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await stuck.cancelled.wait()
    assert guest.stats().outcomes["cancelled"] == 1
    await until(lambda: place.hub.stats().handlers_running == 0)


async def test_cancelling_before_the_handler_began_leaves_nothing_behind(
    place: Any, until: Any
) -> None:
    stuck = Stuck(place.hub)
    guest = await place.guest()
    call = asyncio.create_task(guest.request("stuck"))
    await until(lambda: guest.stats().requests_pending == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: place.hub.stats().handlers_running == 0)
    assert not stuck.begun.is_set() or stuck.cancelled.is_set()


async def test_a_handler_that_will_not_stop_does_not_hold_the_caller(place: Any) -> None:
    release = asyncio.Event()

    @place.hub.on("stubborn")
    async def stubborn() -> str:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        return "late"

    guest = await place.guest()
    with pytest.raises(RequestTimedOut):
        await guest.request("stubborn", timeout_s=0.05)
    release.set()

    @place.hub.on("next")
    async def following() -> str:
        return "fine"

    assert await guest.request("next") == "fine"


async def test_a_handler_that_cancels_itself_is_told_as_data(place: Any) -> None:
    @place.hub.on("self")
    async def cancel_itself() -> None:
        raise asyncio.CancelledError

    guest = await place.guest()
    with pytest.raises(RequestCancelled, match="'self'"):
        await guest.request("self")


async def test_a_hundred_at_once_each_get_their_own_reply(place: Any) -> None:
    gate = asyncio.Event()
    waiting = 0

    @place.hub.on("echo")
    async def echo(number: int) -> int:
        nonlocal waiting
        waiting += 1
        if waiting == 100:
            gate.set()
        await gate.wait()
        return number

    guest = await place.guest()
    replies = await asyncio.gather(*(guest.request("echo", n, int) for n in range(100)))
    assert replies == list(range(100))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("x" * 200_000, PayloadTooLarge),
        (object(), PayloadUnencodable),
        ({"a": "one", "b": 2}, PayloadMismatch),
    ],
)
async def test_a_bad_message_fails_that_call_alone(place: Any, value: Any, error: Any) -> None:
    @place.hub.on("math.add")
    async def add(request: Add) -> int:
        return request.a + request.b

    guest = await place.guest()
    with pytest.raises(error):
        await guest.request("math.add", value)
    assert await guest.request("math.add", Add(1, 2)) == 3


@pytest.mark.parametrize(
    ("reply", "error"),
    [("x" * 200_000, PayloadTooLarge), (object(), PayloadUnencodable), ("text", PayloadMismatch)],
)
async def test_a_bad_reply_fails_that_call_alone(place: Any, reply: Any, error: Any) -> None:
    @place.hub.on("get")
    async def get(bad: bool) -> Any:
        return reply if bad else 1

    guest = await place.guest()
    with pytest.raises(error):
        await guest.request("get", True, int)
    assert await guest.request("get", False, int) == 1


async def test_an_error_too_large_to_travel_is_replaced_by_one_that_says_so(place: Any) -> None:
    @place.hub.on("shelf.put")
    async def put() -> None:
        raise ShelfFull(shelf="A" * 200_000)

    guest = await place.guest()
    with pytest.raises(SymphonyError) as caught:
        await guest.request("shelf.put")
    assert isinstance(caught.value, PayloadTooLarge | ShelfFull)


async def test_reserved_and_malformed_subjects_are_refused_before_anything_is_sent(
    place: Any,
) -> None:
    guest = await place.guest()
    for subject in ("$BUS.hello", "a..b", "a.*"):
        with pytest.raises(SubjectInvalid):
            await guest.request(subject)


async def test_a_guest_answers_the_hub_and_other_guests(place: Any) -> None:
    def prepare(bus: Bus) -> None:
        @bus.on("render.*")
        async def render(what: str) -> str:
            if what == "bad":
                raise ShelfFull(shelf="R")
            return f"rendered {what} at {current_request().subject}"

    await place.guest(prepare, name="renderer")
    other = await place.guest()
    for caller in (place.hub, other):
        reply = await caller.request("render.page", "x", str, timeout_s=5)
        assert reply == "rendered x at render.page"
        with pytest.raises(ShelfFull) as caught:
            await caller.request("render.page", "bad", timeout_s=5)
        assert [type(cause) for cause in chain(caught.value)] == [ShelfFull, RemoteTraceback]


async def test_cancelling_reaches_a_handler_two_connections_away(place: Any) -> None:
    handlers: list[Stuck] = []
    await place.guest(lambda bus: handlers.append(Stuck(bus)), name="worker")
    other = await place.guest()
    call = asyncio.create_task(other.request("stuck"))
    await handlers[0].begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await handlers[0].cancelled.wait()


async def test_deadline_and_headers_reach_a_handler_two_connections_away(place: Any) -> None:
    def prepare(bus: Bus) -> None:
        @bus.on("look")
        async def look() -> Any:
            context = current_request()
            assert context is not None
            return [context.remaining_s(), dict(context.headers)]

    await place.guest(prepare, name="worker")
    other = await place.guest()
    left_s, headers = await other.request("look", headers={"traceparent": "t"}, timeout_s=7)
    assert 0 < left_s <= 7
    assert headers == {"traceparent": "t"}


async def test_two_handlers_of_one_subject_conflict(place: Any) -> None:
    Stuck(place.hub, "stuck")
    with pytest.raises(HandlerConflict):
        await place.guest(lambda bus: Stuck(bus, "stuck"))


async def test_closing_the_guest_ends_its_requests_and_their_handlers(place: Any) -> None:
    stuck = Stuck(place.hub)
    guest = await place.guest()
    call = asyncio.create_task(guest.request("stuck", timeout_s=None))
    await stuck.begun.wait()
    await guest.close()
    with pytest.raises(BusClosed):
        await call
    await stuck.cancelled.wait()
    with pytest.raises(BusClosed):
        await guest.request("stuck")


async def test_closing_the_hub_ends_the_requests_of_its_guests(place: Any) -> None:
    stuck = Stuck(place.hub)
    guest = await place.guest()
    call = asyncio.create_task(guest.request("stuck", timeout_s=None))
    await stuck.begun.wait()
    await place.hub.close()
    with pytest.raises(BusClosed if place.alone else Disconnected):
        await call
    assert stuck.cancelled.is_set()
    await guest.wait_closed()


async def test_a_guest_that_leaves_while_it_answers_is_told_to_the_caller(connected: Any) -> None:
    handlers: list[Stuck] = []
    worker = await connected.guest(lambda bus: handlers.append(Stuck(bus)), name="worker")
    call = asyncio.create_task(connected.hub.request("stuck", timeout_s=None))
    await handlers[0].begun.wait()
    await worker.close()
    with pytest.raises(Disconnected, match="worker"):
        await call
    with pytest.raises(NoResponder):
        await connected.hub.request("stuck")


async def test_a_handler_may_close_the_bus(place: Any) -> None:
    @place.hub.on("shutdown")
    async def shutdown() -> None:
        await place.hub.close()

    guest = await place.guest()
    with pytest.raises((BusClosed, Disconnected)):
        await guest.request("shutdown", timeout_s=None)
    await place.hub.wait_closed()
    assert place.hub.stats().handlers_running == 0


async def test_context_of_the_caller_does_not_leak_into_handlers(place: Any) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    @place.hub.on("look")
    async def look() -> str:
        return variable.get()

    guest = await place.guest()
    variable.set("set by the caller")
    assert await guest.request("look") == "unset"
