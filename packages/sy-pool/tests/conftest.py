from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sy_pool import Budget, Model, ModelPool, State

PATIENCE_S = 10.0


class Thing:
    """A loaded model; it knows whether it was unloaded."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True


class Workshop:
    """Makes models whose loads the test holds and lets go, and counts them."""

    def __init__(self) -> None:
        self.loads: dict[str, int] = {}
        self.unloaded: list[Thing] = []
        self.began: dict[str, threading.Event] = {}
        self.go: dict[str, threading.Event] = {}
        self.failures: dict[str, list[BaseException]] = {}

    def model(
        self, name: str, memory: str | int = 1, *, held: bool = False, **options: Any
    ) -> Model:
        """Return a model; *held* keeps its load waiting for ``go[name].set()``."""
        self.loads[name] = 0
        self.began[name], self.go[name] = threading.Event(), threading.Event()
        if not held:
            self.go[name].set()

        def load() -> Thing:
            self.loads[name] += 1
            self.began[name].set()
            assert self.go[name].wait(PATIENCE_S)
            if failures := self.failures.get(name):
                raise failures.pop(0)
            return Thing(name)

        def unload(thing: Thing) -> None:
            thing.alive = False
            self.unloaded.append(thing)

        return Model(name, load=load, memory=memory, **{"unload": unload, **options})

    async def load_began(self, name: str) -> None:
        assert await asyncio.to_thread(self.began[name].wait, PATIENCE_S)

    def thing(self, name: str) -> Thing:
        """Return something that may pass for a loaded model."""
        return Thing(name)

    def pool(self, budget: str | int, *models: Model, **options: Any) -> ModelPool:
        """Return a pool with these models registered."""
        pool = ModelPool(Budget(memory=budget), **options)
        for model in models:
            pool.register(model)
        return pool

    async def until(self, pool: ModelPool, name: str, state: State) -> None:
        """Let the loop turn until a model is in a state."""
        await self.turn_until(lambda: pool.explain(name).state is state)

    async def until_waiting(self, pool: ModelPool, name: str, count: int = 1) -> None:
        """Let the loop turn until so many wait for a model."""
        await self.turn_until(lambda: len(pool.explain(name).waiting) >= count)

    async def turn_until(self, condition: Callable[[], object]) -> None:
        """Let the loop turn until something is so that tells nobody of itself."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - what is looked at sets no event
                await asyncio.sleep(0)


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()
