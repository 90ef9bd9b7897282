"""Leases of threads, beside those of the event loop."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sy_commons.testing import proof_count
from sy_pool import LeaseMisused, LeaseTimeout, LoadFailed, Model, ModelPool, PoolClosed

Workshop = Any  # of conftest, which cannot be imported
Thing = Any
PATIENCE_S = 10.0


async def test_a_thread_leases_what_is_loaded_and_what_is_not(workshop: Workshop) -> None:
    def use(pool: ModelPool) -> str:
        with pool.lease_blocking("a", timeout_s=PATIENCE_S) as thing:
            assert thing.alive
        with pool.lease_blocking("a", timeout_s=0) as again:
            return again.name

    async with workshop.pool(9, workshop.model("a")) as pool:
        assert await asyncio.to_thread(use, pool) == "a"
        assert not pool.explain("a").holders
    assert workshop.loads["a"] == 1


async def test_a_thread_gets_what_only_the_loop_can_load(workshop: Workshop) -> None:
    async def load() -> str:
        await asyncio.sleep(0)
        return "thing"

    def use(pool: ModelPool) -> str:
        with pool.lease_blocking("a", timeout_s=PATIENCE_S) as thing:
            return thing

    async with workshop.pool(9, Model("a", load=load, memory=1)) as pool:
        assert await asyncio.to_thread(use, pool) == "thing"


async def test_a_thread_is_told_what_went_wrong(workshop: Workshop) -> None:
    workshop.failures["a"] = [OSError("no disk")]

    def use(pool: ModelPool, timeout_s: float) -> None:
        with pool.lease_blocking("a", timeout_s=timeout_s):
            pass

    pool = workshop.pool(9, workshop.model("a"), workshop.model("b", 9))
    with pytest.raises(PoolClosed):
        await asyncio.to_thread(use, pool, 0)
    async with pool:
        with pytest.raises(LoadFailed, match="no disk"):
            await asyncio.to_thread(use, pool, PATIENCE_S)
        async with pool.lease("b", client="ann"):
            with pytest.raises(LeaseTimeout, match="held by ann"):
                await asyncio.to_thread(use, pool, 0)
            assert not pool.explain("a").waiting


async def test_a_thread_that_waits_is_woken_by_a_drain(workshop: Workshop) -> None:
    def use(pool: ModelPool) -> None:
        with pool.lease_blocking("a"):
            pass

    async with workshop.pool(9, workshop.model("a", held=True)) as pool:
        waiting = asyncio.create_task(asyncio.to_thread(use, pool))
        await workshop.until_waiting(pool, "a")
        drain = asyncio.create_task(pool.drain())
        with pytest.raises(PoolClosed):
            await waiting
        workshop.go["a"].set()
        await drain


async def test_the_loops_own_thread_does_not_wait_for_itself(workshop: Workshop) -> None:
    async with workshop.pool(9, workshop.model("a")) as pool:
        with pytest.raises(LeaseMisused, match="would block the event loop"):
            pool.lease_blocking("a").__enter__()
        async with pool.lease("a"):
            pass
        with pool.lease_blocking("a") as thing:
            assert thing.alive


async def test_a_wait_that_is_interrupted_gives_up_its_place(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def use(pool: ModelPool) -> None:
        def wait(self: threading.Event, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

        lease = pool.lease_blocking("a")
        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", wait)
            lease.__enter__()

    pool = workshop.pool(9, workshop.model("a", 6), workshop.model("b", 6))
    async with pool, pool.lease("b"):
        with ThreadPoolExecutor(1) as threads:
            future = threads.submit(use, pool)
            await workshop.turn_until(future.done)
        assert isinstance(future.exception(), KeyboardInterrupt)
        assert not pool.explain("a").waiting


@pytest.mark.integration
async def test_another_event_loop_leases_from_the_same_pool(workshop: Workshop) -> None:
    async def use(pool: ModelPool) -> str:
        async with pool.lease("a", timeout_s=PATIENCE_S) as thing:
            return thing.name

    async with workshop.pool(9, workshop.model("a", held=True)) as pool:
        other = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(use(pool))))
        await workshop.until_waiting(pool, "a")
        workshop.go["a"].set()
        assert await other == "a"


@pytest.mark.proof
@pytest.mark.timeout(300)
async def test_threads_and_tasks_together_keep_every_promise(workshop: Workshop) -> None:
    """Nobody sees an unloaded model, and what is loaded never exceeds the budget."""
    loaded: set[str] = set()
    guard = threading.Lock()
    sizes = {"a": 3, "b": 3, "c": 4, "d": 6, "e": 9}
    most = 0

    def model(name: str, size: int) -> Model:
        def load() -> Thing:
            nonlocal most
            with guard:
                assert name not in loaded
                loaded.add(name)
                most = max(most, sum(sizes[one] for one in loaded))
            return workshop.thing(name)

        def unload(thing: Thing) -> None:
            thing.alive = False
            with guard:
                loaded.remove(name)

        keep_for_s = {"a": 0, "b": 0.001}.get(name)
        return Model(name, load=load, memory=size, unload=unload, keep_for_s=keep_for_s)

    rounds = proof_count(150, 5000)
    pool = workshop.pool(10, *(model(name, size) for name, size in sizes.items()))

    def in_thread(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(rounds):
            with pool.lease_blocking(dice.choice("abcde"), timeout_s=60) as thing:
                assert thing.alive

    async def in_task(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(rounds):
            patience = dice.choice([60, 60, 0.001])
            try:
                async with pool.lease(dice.choice("abcde"), timeout_s=patience) as thing:
                    await asyncio.sleep(0)
                    assert thing.alive
            except LeaseTimeout:
                assert patience < 1

    async with pool:
        await asyncio.gather(
            *(asyncio.to_thread(in_thread, seed) for seed in range(3)),
            *(in_task(seed) for seed in range(5)),
        )
    assert not loaded
    assert 0 < most <= 10
