from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import pytest

from sy_commons import Conflict, VirtualClock
from sy_pool import (
    DrainIncomplete,
    LeaseMisused,
    LeaseTimeout,
    LoadFailed,
    Model,
    ModelRegistered,
    ModelTooBig,
    ModelUnknown,
    PoolClosed,
    Resident,
    State,
    Victim,
)
from sy_pool._lease import Claim

Workshop = Any  # of conftest, which cannot be imported
Thing = Any
PATIENCE_S = 10.0


async def test_a_model_is_loaded_when_it_is_first_wanted_and_stays(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a")) as pool:
        assert workshop.loads["a"] == 0
        async with pool.lease("a") as first:
            assert first.name == "a"
        async with pool.lease("a") as second:
            assert second is first
        assert workshop.loads["a"] == 1
    assert workshop.unloaded == [first]


async def test_however_many_ask_it_is_loaded_once(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a", held=True)) as pool:

        async def use() -> Thing:
            async with pool.lease("a") as thing:
                return thing

        users = [asyncio.create_task(use()) for _ in range(100)]
        await workshop.until_waiting(pool, "a", 100)
        workshop.go["a"].set()
        assert len(set(await asyncio.gather(*users))) == 1
    assert workshop.loads["a"] == 1


async def test_a_cancelled_waiter_does_not_cancel_a_shared_load(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a", held=True)) as pool:
        first = asyncio.create_task(pool.lease("a").__aenter__())
        second_lease = pool.lease("a")
        second = asyncio.create_task(second_lease.__aenter__())
        await workshop.until_waiting(pool, "a", 2)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        workshop.go["a"].set()
        assert (await second).alive
        await second_lease.__aexit__()
    assert workshop.loads["a"] == 1


async def test_a_load_all_waiters_left_is_there_for_the_next(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a", held=True)) as pool:
        waiter = asyncio.create_task(pool.lease("a").__aenter__())
        await workshop.load_began("a")
        waiter.cancel()
        await asyncio.wait([waiter])
        workshop.go["a"].set()
        await workshop.until(pool, "a", State.HOT)
        async with pool.lease("a", timeout_s=0):
            assert workshop.loads["a"] == 1


async def test_a_shared_asynchronous_load_outlives_the_waiter_that_began_it(
    workshop: Workshop,
) -> None:
    go = asyncio.Event()
    loads = []

    async def load() -> str:
        loads.append(1)
        await go.wait()
        return "thing"

    async with workshop.pool(9, Model("a", load=load, memory=1)) as pool:
        waiter = asyncio.create_task(pool.lease("a").__aenter__())
        await workshop.turn_until(lambda: loads)
        waiter.cancel()
        await asyncio.wait([waiter])
        go.set()
        async with pool.lease("a") as thing:
            assert thing == "thing"
    assert loads == [1]


async def test_cancelled_when_it_was_granted_already_the_model_is_let_go_of(
    workshop: Workshop,
) -> None:
    go = asyncio.Event()

    async def load() -> str:
        await go.wait()
        return "thing"

    async with workshop.pool(9, Model("a", load=load, memory=1)) as pool:
        waiter = asyncio.create_task(pool.lease("a").__aenter__())
        await workshop.until_waiting(pool, "a")
        go.set()
        await workshop.turn_until(lambda: pool.explain("a").holders)
        waiter.cancel()  # the grant is on its way to it
        await asyncio.wait([waiter])
        assert waiter.cancelled()
        assert not pool.explain("a").holders


async def test_what_comes_in_the_very_last_moment_is_taken(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a")) as pool:
        lease = pool.lease("a", timeout_s=0)
        pool.request(stand_in := Silent(pool, lease), lease._entry)
        await workshop.until(pool, "a", State.HOT)
        assert stand_in._overdue().alive
        pool.release(stand_in, lease._entry)


async def test_independent_loads_run_beside_each_other(workshop: Workshop) -> None:
    models = [workshop.model(name, held=True) for name in "abcdefgh"]
    async with workshop.pool(9, *models) as pool:
        users = [asyncio.create_task(pool.lease(model.name).__aenter__()) for model in models]
        for model in models:
            await workshop.load_began(model.name)
        for model in models:
            workshop.go[model.name].set()
        await asyncio.gather(*users)
        for model in models:
            claims = list(pool._entries[model.name].slot.holders)
            pool.release(claims[0], pool._entries[model.name])


async def test_a_hit_waits_for_nobody_elses_load(workshop: Workshop) -> None:
    """The loaded one is there without a single turn of the loop."""
    async with workshop.pool(9, workshop.model("a"), workshop.model("slow", held=True)) as pool:
        async with pool.lease("a"):
            pass
        slow = asyncio.create_task(pool.lease("slow").__aenter__())
        await workshop.load_began("slow")
        entering = pool.lease("a").__aenter__()
        with pytest.raises(StopIteration):
            entering.send(None)
        slow.cancel()
        for claim in list(pool._entries["a"].slot.holders):
            pool.release(claim, pool._entries["a"])
        workshop.go["slow"].set()


async def test_a_leased_model_is_not_unloaded_and_who_waits_gets_it_after(
    workshop: Workshop,
) -> None:
    async with workshop.pool(
        "10 MiB", workshop.model("a", "6 MiB"), workshop.model("b", "6 MiB")
    ) as pool:
        async with pool.lease("a", client="ann") as a:
            waiter = asyncio.create_task(pool.lease("b").__aenter__())
            await workshop.until_waiting(pool, "b")
            assert a.alive
            assert workshop.loads["b"] == 0
        await waiter
        assert not a.alive
        pool.release(*_held(pool, "b"))
        assert pool.stats().evictions == 1


async def test_who_waits_too_long_is_told_who_holds_what(workshop: Workshop) -> None:
    async with workshop.pool(
        "10 MiB", workshop.model("a", "6 MiB"), workshop.model("b", "6 MiB")
    ) as pool:
        async with pool.lease("a", client="ann"), pool.lease("a"):
            with pytest.raises(LeaseTimeout) as caught:
                await pool.lease("b", timeout_s=0.01).__aenter__()
            assert str(caught.value).endswith(
                "for model 'b': it needs 6 MiB, 4 MiB are free, "
                "the rest has a (6 MiB, held by ann, somebody unnamed)"
            )
            assert caught.value.waited_s >= 0.01
            assert not pool.explain("b").waiting
        async with pool.lease("b", timeout_s=PATIENCE_S):
            pass


async def test_a_slow_load_that_timed_out_is_there_for_the_next(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a", held=True)) as pool:
        with pytest.raises(LeaseTimeout, match="it is being loaded"):
            await pool.lease("a", timeout_s=0).__aenter__()
        workshop.go["a"].set()
        async with pool.lease("a", timeout_s=PATIENCE_S):
            assert workshop.loads["a"] == 1


async def test_a_failing_load_tells_all_who_wait_and_poisons_nothing(workshop: Workshop) -> None:
    workshop.failures["a"] = [OSError("no disk")]
    async with workshop.pool(9, workshop.model("a", held=True)) as pool:
        users = [asyncio.create_task(pool.lease("a").__aenter__()) for _ in range(5)]
        await workshop.until_waiting(pool, "a", 5)
        workshop.go["a"].set()
        results = await asyncio.gather(*users, return_exceptions=True)
        assert all(isinstance(result, LoadFailed) for result in results)
        assert len({id(result) for result in results}) == 5, "each its own, with its own traceback"
        assert str(results[0]) == "model 'a' did not load: OSError: no disk"
        assert isinstance(results[0].__cause__, OSError)
        assert pool.explain("a").state is State.FAILED
        assert pool.stats().reserved_bytes == 0
        async with pool.lease("a") as thing:
            assert thing.alive
        assert pool.stats().models[0].failed_loads == 1


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
async def test_whatever_a_load_raises_those_who_wait_are_told(
    workshop: Workshop, error: BaseException
) -> None:
    workshop.failures["a"] = [error]
    async with workshop.pool(9, workshop.model("a")) as pool:
        with pytest.raises(LoadFailed, match=type(error).__name__):
            await pool.lease("a").__aenter__()


async def test_an_asynchronous_load_that_is_cancelled_tells_those_who_wait(
    workshop: Workshop,
) -> None:
    async def load() -> None:
        raise asyncio.CancelledError

    async with workshop.pool(9, Model("a", load=load, memory=1)) as pool:
        with pytest.raises(LoadFailed, match="CancelledError"):
            await pool.lease("a").__aenter__()


async def test_no_more_threads_is_a_failed_load(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with workshop.pool(9, workshop.model("a")) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            with pytest.raises(LoadFailed, match="can't start new thread"):
                await pool.lease("a").__aenter__()
        async with pool.lease("a"):
            pass


async def test_a_plain_load_runs_beside_the_loop_and_a_coroutine_on_it(workshop: Workshop) -> None:
    here = threading.get_ident()

    async def load() -> int:
        return threading.get_ident()

    class Loader:
        async def __call__(self) -> int:
            return threading.get_ident()

    models = {
        "plain": threading.get_ident,
        "coroutine": load,
        "object": Loader(),
        "lambda": lambda: load(),  # noqa: PLW0108 - a plain function that returns a coroutine
    }
    async with workshop.pool(
        9, *(Model(name, load=function, memory=1) for name, function in models.items())
    ) as pool:
        for name in models:
            async with pool.lease(name) as ident:
                assert (ident == here) == (name != "plain")


async def test_an_asynchronous_unload_is_awaited_before_the_next_load(workshop: Workshop) -> None:
    log: list[str] = []

    async def unload(thing: str) -> None:
        log.append(f"unload {thing}")
        await asyncio.sleep(0)
        log.append("unloaded")

    def load() -> str:
        log.append("load b")
        return "b"

    first = Model("a", load=lambda: "a", memory=6, unload=unload)
    async with workshop.pool(9, first, Model("b", load=load, memory=6)) as pool:
        async with pool.lease("a"):
            pass
        async with pool.lease("b"):
            pass
    assert log == ["unload a", "unloaded", "load b"]


async def test_an_unload_that_raises_is_told_and_stops_nothing(workshop: Workshop) -> None:
    def unload(thing: Thing) -> None:
        raise OSError("stuck")

    async with workshop.pool(
        9, workshop.model("a", 6, unload=unload), workshop.model("b", 6)
    ) as pool:
        async with pool.lease("a"):
            pass
        async with pool.lease("b", timeout_s=PATIENCE_S):
            pass
        assert "unload raised OSError: stuck" in str(pool.explain("a"))


@pytest.mark.parametrize("unload", [None, lambda thing: None])
async def test_the_old_model_is_gone_before_the_new_one_is_loaded(
    workshop: Workshop, unload: Any
) -> None:
    """What is counted as free is free: nothing of the pool's holds the old one any more."""
    things: list[weakref.ref[Thing]] = []
    old_was_there: list[bool] = []

    def load() -> Thing:
        old_was_there.extend(thing() is not None for thing in things)
        thing = workshop.thing("x")
        things.append(weakref.ref(thing))
        return thing

    models = [Model(name, load=load, memory=6, unload=unload) for name in "ab"]
    async with workshop.pool(9, *models) as pool:
        for name in "abab":
            async with pool.lease(name, timeout_s=PATIENCE_S):
                pass
    assert len(things) == 4
    assert not any(old_was_there)
    gc.collect()
    assert [thing() for thing in things] == [None] * 4


async def test_a_model_bigger_than_the_budget_is_refused_at_once(workshop: Workshop) -> None:
    with pytest.raises(ModelTooBig, match="needs 2 GiB, and the whole budget is 1 GiB"):
        workshop.pool("1 GiB", workshop.model("a", "2 GiB"))


async def test_names_are_checked_at_once(workshop: Workshop) -> None:
    pool = workshop.pool(9, workshop.model("a"))
    with pytest.raises(ModelRegistered):
        pool.register(workshop.model("a"))
    with pytest.raises(ModelUnknown, match="no model 'b' is registered; known: a"):
        pool.lease("b")
    with pytest.raises(ModelUnknown):
        pool.lease_blocking("b")
    with pytest.raises(ModelUnknown):
        pool.explain("b")


async def test_a_lease_is_used_once(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a")) as pool:
        lease = pool.lease("a")
        async with lease:
            with pytest.raises(LeaseMisused, match="was used already"):
                await lease.__aenter__()
            assert len(pool.explain("a").holders) == 1
        with pytest.raises(LeaseMisused):
            await lease.__aenter__()


async def test_a_pool_that_is_not_open_gives_nothing(workshop: Workshop) -> None:
    pool = workshop.pool(9, workshop.model("a"))
    with pytest.raises(PoolClosed, match="is not open"):
        await pool.lease("a").__aenter__()
    await pool.drain()
    async with pool:
        with pytest.raises(Conflict, match="open already"):
            await pool.__aenter__()
        async with pool.lease("a"):
            pass
    with pytest.raises(PoolClosed, match="is not open"):
        await pool.lease("a").__aenter__()
    async with pool, pool.lease("a"):
        assert workshop.loads["a"] == 2


async def test_a_drain_refuses_who_waits_and_who_comes_and_waits_for_leases(
    workshop: Workshop,
) -> None:
    async with workshop.pool(9, workshop.model("a", 6), workshop.model("b", 6)) as pool:
        async with pool.lease("a") as a:
            waiter = asyncio.create_task(pool.lease("b").__aenter__())
            await workshop.until_waiting(pool, "b")
            drains = [asyncio.create_task(pool.drain()) for _ in range(2)]
            with pytest.raises(PoolClosed, match="drains"):
                await waiter
            with pytest.raises(PoolClosed, match="drains"):
                await pool.lease("a").__aenter__()
            assert a.alive
            assert not any(drain.done() for drain in drains)
        await asyncio.gather(*drains)
        assert not a.alive
        assert workshop.loads["b"] == 0


async def test_a_drain_waits_for_a_load_and_unloads_what_it_brings(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a", held=True)) as pool:
        waiter = asyncio.create_task(pool.lease("a").__aenter__())
        await workshop.load_began("a")
        drain = asyncio.create_task(pool.drain())
        with pytest.raises(PoolClosed):
            await waiter
        workshop.go["a"].set()
        await drain
    assert [thing.alive for thing in workshop.unloaded] == [False]


async def test_a_drain_ends_in_time_and_says_what_is_left(workshop: Workshop) -> None:
    pool = workshop.pool(9, workshop.model("a"), workshop.model("slow", held=True))
    async with pool:
        slow = asyncio.create_task(pool.lease("slow").__aenter__())
        async with pool.lease("a", client="ann") as a:
            await workshop.load_began("slow")
            with pytest.raises(DrainIncomplete) as caught:
                await pool.drain(timeout_s=0.01)
            assert caught.value.left == "a (hot, held by ann), slow (warming)"
            assert a.alive, "not even then is it unloaded under somebody's hands"
        with pytest.raises(PoolClosed):
            await slow
        with pytest.raises(Conflict, match="not yet drained"):
            await pool.__aenter__()
        workshop.go["slow"].set()
        await workshop.until(pool, "slow", State.COLD)
        await workshop.until(pool, "a", State.COLD)
    assert not a.alive


async def test_a_load_that_hangs_on_the_loop_is_cancelled_by_the_drain(workshop: Workshop) -> None:
    began = asyncio.Event()

    async def load() -> None:
        began.set()
        await asyncio.Event().wait()

    async with workshop.pool(9, Model("a", load=load, memory=1), drain_timeout_s=0.01) as pool:
        waiter = asyncio.create_task(pool.lease("a").__aenter__())
        await began.wait()
        waiter.cancel()
        await asyncio.wait([waiter])
    assert pool.explain("a").state is State.FAILED


async def test_an_error_inside_is_the_story_and_an_unfinished_drain_a_note_to_it(
    workshop: Workshop,
) -> None:
    pool = workshop.pool(9, workshop.model("a"), drain_timeout_s=0)

    async def main() -> None:
        async with pool:
            await pool.lease("a").__aenter__()
            raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        await main()
    assert "there is still a (hot" in caught.value.__notes__[0]
    pool.release(*_held(pool, "a"))
    await workshop.until(pool, "a", State.COLD)


async def test_what_is_kept_for_a_time_goes_by_itself(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a", keep_for_s=0.01)) as pool:
        for turn in (1, 2):
            async with pool.lease("a"):
                pass
            await workshop.until(pool, "a", State.COLD)
            assert len(workshop.unloaded) == turn


async def test_a_sooner_end_is_not_missed_for_a_later_one(workshop: Workshop) -> None:
    models = [workshop.model("long", keep_for_s=3600), workshop.model("short", keep_for_s=0.01)]
    async with workshop.pool(9, *models) as pool:
        for model in models:
            async with pool.lease(model.name):
                pass
        await workshop.until(pool, "short", State.COLD)
        assert pool.explain("long").state is State.HOT


async def test_what_nobody_waited_for_is_not_kept_for_ever(workshop: Workshop) -> None:
    """All who wanted it gave up, so no lease will ever end to start the time."""
    async with workshop.pool(9, workshop.model("a", held=True, keep_for_s=0.01)) as pool:
        waiter = asyncio.create_task(pool.lease("a").__aenter__())
        await workshop.load_began("a")
        waiter.cancel()
        workshop.go["a"].set()
        await asyncio.wait([waiter])
        await workshop.until(pool, "a", State.COLD)
        assert len(workshop.unloaded) == 1


async def test_one_after_the_other_goes_when_its_time_is_over(workshop: Workshop) -> None:
    models = [workshop.model("long", keep_for_s=0.05), workshop.model("short", keep_for_s=0.01)]
    async with workshop.pool(9, *models) as pool:
        for model in reversed(models):
            async with pool.lease(model.name):
                pass
        for model in models:
            await workshop.until(pool, model.name, State.COLD)


def test_a_pool_opened_again_on_another_loop_keeps_time_again(workshop: Workshop) -> None:
    pool = workshop.pool(9, workshop.model("a", keep_for_s=0.01))

    async def use(*, to_the_end: bool) -> None:
        async with pool:
            async with pool.lease("a"):
                pass
            if to_the_end:
                await workshop.until(pool, "a", State.COLD)

    asyncio.run(use(to_the_end=False))
    asyncio.run(use(to_the_end=True))
    assert len(workshop.unloaded) == 2


async def test_time_is_the_clocks(workshop: Workshop) -> None:
    clock = VirtualClock()
    async with workshop.pool(9, workshop.model("a", keep_for_s=60), clock=clock) as pool:
        async with pool.lease("a", client="ann"):
            clock.advance(90)
            assert str(pool.explain("a").holders[0]) == "ann for 1m 30s"
        clock.advance(59)
        pool._tick()
        assert pool.explain("a").state is State.HOT
        clock.advance(1)
        pool._tick()
        await workshop.until(pool, "a", State.COLD)


async def test_a_policy_from_outside_decides_who_goes(workshop: Workshop) -> None:
    class BiggestFirst:
        def rank(self, residents: Sequence[Resident], *, now_s: float) -> Sequence[Victim]:
            ordered = sorted(residents, key=lambda resident: -resident.size_bytes)
            return [Victim(resident.name, "the biggest") for resident in ordered]

    models = [workshop.model("small", 3), workshop.model("big", 6), workshop.model("next", 3)]
    async with workshop.pool(9, *models, policy=BiggestFirst()) as pool:
        for model in models:
            async with pool.lease(model.name, timeout_s=PATIENCE_S):
                pass
        assert [thing.name for thing in workshop.unloaded] == ["big"]
        assert "evicted for next: the biggest" in str(pool.explain("big"))


async def test_explain_tells_the_story(workshop: Workshop) -> None:
    clock = VirtualClock()
    models = [workshop.model("a", "6 MiB"), workshop.model("b", "6 MiB")]
    pool = workshop.pool("10 MiB", *models, clock=clock)
    async with pool, pool.lease("a", client="ann"):
        clock.advance(2)
        waiter = asyncio.create_task(pool.lease("b", client="bob").__aenter__())
        await workshop.until_waiting(pool, "b")
        clock.advance(1)
        assert str(pool.explain("b")) == (
            "b (6 MiB) is cold\n"
            "  wanted by bob for 1s\n"
            "  waiting because it needs 6 MiB, 4 MiB are free, "
            "the rest has a (6 MiB, held by ann)"
        )
        assert str(pool.explain("a")) == (
            "a (6 MiB) is hot\n"
            "  held by ann for 3s\n"
            "  3s ago warming → hot: loaded in 0s\n"
            "  3s ago cold → warming: 1 asked for it"
        )
        waiter.cancel()
        await asyncio.wait([waiter])


async def test_the_numbers_are_those_of_one_moment(workshop: Workshop) -> None:
    models = [workshop.model("a", 6), workshop.model("b", 2, held=True)]
    async with workshop.pool(9, *models) as pool:
        async with pool.lease("a"):
            pass
        async with pool.lease("a"):
            waiter = asyncio.create_task(pool.lease("b").__aenter__())
            await workshop.load_began("b")
            stats = pool.stats()
            assert (stats.budget_bytes, stats.resident_bytes, stats.reserved_bytes) == (9, 6, 2)
            a, b = stats.models
            assert (a.uses, a.hits, a.loads, a.holders, a.state) == (2, 1, 1, 1, State.HOT)
            assert (b.uses, b.waiting, b.state) == (0, 1, State.WARMING)
            assert stats.hit_rate == 0.5
            assert repr(pool) == "<ModelPool open: a loaded, <Ledger 8 B of 9 B>>"
            waiter.cancel()
            workshop.go["b"].set()
    assert repr(pool) == "<ModelPool closed: nothing loaded, <Ledger 0 B of 9 B>>"


class Silent:
    """Stands in for a lease whose event loop was closed while it waited."""

    def __init__(self, pool: Any, lease: Any, *, there: bool = True) -> None:
        self.there = there
        self.since_s = 0.0
        self._error = None
        self._pool, self._entry, self.name = pool, lease._entry, lease.name

    def settle(self, error: Any) -> bool:
        return self.there

    _overdue = Claim._overdue
    _outcome = Claim._outcome


async def test_a_lease_whose_event_loop_is_closed_takes_nothing(workshop: Workshop) -> None:
    lease = workshop.pool(9, workshop.model("a")).lease("a")
    loop = asyncio.new_event_loop()
    lease._future = loop.create_future()
    loop.close()
    assert not lease.settle(None)


async def test_a_grant_that_reaches_nobody_is_given_back(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a")) as pool:
        lease = pool.lease("a")
        pool.request(Silent(pool, lease, there=False), lease._entry)  # type: ignore[arg-type]  # stand-in
        await workshop.until(pool, "a", State.HOT)
        await workshop.turn_until(lambda: not pool.explain("a").holders)


def _held(pool: Any, name: str) -> tuple[Any, Any]:
    entry = pool._entries[name]
    (claim,) = entry.slot.holders
    return claim, entry
