"""The store beside a plain durable file, itself without a batch, and diskcache.

Everything lies in one temporary folder on the disk of the temporary files; the bytes are random,
10 KiB each, and made before the clock runs. diskcache verifies nothing and syncs no values.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from house.measuring import Case, at_most, optional
from sy_artifacts import ArtifactStore, AsyncArtifactStore

SIZE = 10 * 1024
PUTS, BATCH, READS = 200, 1_000, 2_000


class Bench:
    """The folder, the store and the peers' things, from the setup of a case to its teardown."""

    def setup(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bench-artifacts-"))
        self.store = ArtifactStore.open(self.folder / "store")
        self.rounds = 0

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def fresh(self, count: int) -> Callable[[], None]:
        """Return what makes new bytes, and a new folder for plain files, before each call."""

        def make() -> None:
            self.rounds += 1
            self.data = [os.urandom(SIZE) for _ in range(count)]
            self.plain = self.folder / f"plain-{self.rounds}"
            self.plain.mkdir()

        return make

    def put_each(self) -> list[float]:
        return [timed(self.store.put, data) for data in self.data]

    def put_files(self) -> list[float]:
        return [timed(self.put_file, data) for data in self.data]

    def put_file(self, data: bytes) -> None:
        """A file that survives power loss, as one would write it by hand."""
        name = os.urandom(8).hex()
        temp, final = f"{self.plain}/{name}.tmp", f"{self.plain}/{name}"
        handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temp, final)  # noqa: PTH104 - the bare call, as the floor
        handle = os.open(self.plain, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def put_batch(self) -> None:
        with self.store.batch():
            for data in self.data:
                self.store.put(data)


class Reading(Bench):
    """A thousand values, in the store and in diskcache, both opened anew after the writing."""

    def setup(self) -> None:
        super().setup()
        self.cache = self.open_cache()
        values = [os.urandom(SIZE) for _ in range(1_000)]
        with self.store.batch():
            self.digests = [self.store.put(value).digest for value in values]
        if self.cache is not None:
            for digest, value in zip(self.digests, values, strict=True):
                self.cache.set(digest, value)
            self.cache.close()
            self.cache = self.open_cache()
        self.store.close()
        self.store = ArtifactStore.open(self.folder / "store")

    def open_cache(self) -> Any:
        diskcache = optional("diskcache")
        return diskcache.Cache(str(self.folder / "cache")) if diskcache else None

    def teardown(self) -> None:
        if self.cache is not None:
            self.cache.close()
        super().teardown()

    def get_each(self) -> list[float]:
        return self.read(self.store.get)

    def get_cached(self) -> list[float]:
        return self.read(self.cache.get)

    def read(self, get: Callable[[str], Any]) -> list[float]:
        return [timed(get, self.digests[number * 7 % 1_000]) for number in range(READS)]


class Grouping(Bench):
    """The asyncio store: puts at once, and one after the other."""

    async def at_once(self) -> None:
        async with AsyncArtifactStore.open(self.folder / "store") as store:
            await asyncio.gather(*(store.put(data) for data in self.data))

    async def one_by_one(self) -> None:
        async with AsyncArtifactStore.open(self.folder / "store") as store:
            for data in self.data:
                await store.put(data)


def timed(call: Callable[[Any], object], argument: object) -> float:
    begun = time.perf_counter()
    call(argument)
    return time.perf_counter() - begun


def cases() -> list[Case]:
    single, batch, reading, grouping = Bench(), Bench(), Reading(), Grouping()
    at_once: Callable[[], Coroutine[Any, Any, None]] = grouping.at_once
    return [
        Case(
            name="durable put, 10 KiB",
            ours=single.put_each,
            peers={"plain file": single.put_files},
            budgets=[at_most(0.8, peer="plain file"), at_most(0.005, statistic="p95")],
            setup=single.setup,
            teardown=single.teardown,
            each_round=single.fresh(PUTS),
        ),
        Case(
            name="put in a batch of 1,000, each",
            ours=batch.put_batch,
            peers={"single put": batch.put_each},
            budgets=[at_most(0.25, peer="single put")],
            operations=BATCH,
            setup=batch.setup,
            teardown=batch.teardown,
            each_round=batch.fresh(BATCH),
        ),
        Case(
            name="get, 10 KiB, verified",
            ours=reading.get_each,
            peers={"diskcache": reading.get_cached if optional("diskcache") else None},
            budgets=[at_most(1.2, peer="diskcache"), at_most(0.002, statistic="p95")],
            setup=reading.setup,
            teardown=reading.teardown,
        ),
        Case(
            name="1,000 asyncio puts at once, each",
            ours=at_once,
            peers={"one by one": grouping.one_by_one},
            budgets=[at_most(0.5, peer="one by one")],
            operations=BATCH,
            setup=grouping.setup,
            teardown=grouping.teardown,
            each_round=grouping.fresh(BATCH),
        ),
    ]
