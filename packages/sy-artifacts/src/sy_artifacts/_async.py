"""The store for asyncio: the same verbs, and concurrent puts share their fsync."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

from sy_artifacts._artifact import Artifact, CheckReport, StoreStats
from sy_artifacts._core import Core
from sy_artifacts._errors import StoreClosed
from sy_artifacts._groups import GroupWriter
from sy_artifacts._lineage import Lineage
from sy_artifacts._puts import Data, Notes
from sy_artifacts._store import ArtifactStore
from sy_artifacts._vault import INLINE_BYTES
from sy_commons import Clock

T = TypeVar("T")
_THREADS = 4


class AsyncArtifactStore:
    """An :class:`ArtifactStore` for asyncio; one event loop, any number of tasks.

    Nothing blocks the loop: reading and hashing run in a few threads, and one more thread
    records the puts, all that wait in one transaction with one fsync. Each ``put`` still
    returns only when durable. A cancelled put has either happened or not, and no other is
    touched. Open it by ``async with`` or ``await``.

    >>> async def remember() -> bytes:
    ...     async with AsyncArtifactStore.memory() as store:
    ...         await store.put(b"one", name="a")
    ...         return await store.get("a")
    >>> asyncio.run(remember())
    b'one'
    """

    def __init__(self, open_core: Callable[[], Core], name: str) -> None:
        self._open_core = open_core
        self._name = name
        self._opening = asyncio.Lock()
        self._store: ArtifactStore | None = None
        self._core: Core | None = None
        self._writer: GroupWriter | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        create: bool = True,
        busy_timeout_s: float = 30.0,
        clock: Clock | None = None,
    ) -> Self:
        """Return the store in the folder *path*, as :meth:`ArtifactStore.open` does.

        It is opened when it is awaited or entered.
        """
        return cls(
            lambda: Core.open(path, create=create, busy_timeout_s=busy_timeout_s, clock=clock),
            str(path),
        )

    @classmethod
    def memory(cls, *, clock: Clock | None = None) -> Self:
        """Return a store that lives in memory alone, for tests."""
        return cls(lambda: Core.memory(clock=clock), ":memory:")

    @property
    def path(self) -> Path | None:
        """The store's folder; None in memory."""
        return self._core.path if self._core is not None else None

    async def put(  # noqa: PLR0913 - what a put may say, by keyword
        self,
        data: Data,
        *,
        name: str | None = None,
        content_type: str | None = None,
        tags: Iterable[str] = (),
        made_by: str | None = None,
        derived_from: Iterable[str | Artifact] = (),
        metadata: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Artifact:
        """Store bytes or a file, durable on return: see :meth:`ArtifactStore.put`.

        Puts of one name take effect in the order of the calls, if their bytes are small or
        each was awaited before the next.
        """
        core, writer = self._opened()
        notes = Notes(name, content_type, tags, made_by, derived_from, metadata, parameters)
        if isinstance(data, bytes) and len(data) <= INLINE_BYTES:
            future = writer.submit(core.prepare(data, notes))  # microseconds, and no I/O
        else:
            future = await self._run(lambda: writer.submit(core.prepare(data, notes)))
        return await asyncio.wrap_future(future)

    async def get(self, ref: str | Artifact) -> bytes:
        """Return an artifact's bytes, verified: see :meth:`ArtifactStore.get`."""
        return await self._run(lambda: self._sync.get(ref))

    async def stat(self, ref: str | Artifact) -> Artifact:
        """Return what is known of an artifact: see :meth:`ArtifactStore.stat`."""
        return await self._run(lambda: self._sync.stat(ref))

    async def exists(self, ref: str | Artifact) -> bool:
        """Whether the store knows *ref*: see :meth:`ArtifactStore.exists`."""
        return await self._run(lambda: self._sync.exists(ref))

    async def versions(self, name: str) -> builtins.list[Artifact]:
        """Return every version of a name, the oldest first."""
        return await self._run(lambda: self._sync.versions(name))

    async def lineage(self, ref: str | Artifact) -> Lineage:
        """Return what an artifact comes from, and what came of it, both already looked up."""
        return await self._run(lambda: self._sync.lineage(ref).load())

    async def check(self) -> CheckReport:
        """Look whether everything is there: see :meth:`ArtifactStore.check`."""
        return await self._run(self._sync.check)

    async def scrub(self) -> CheckReport:
        """Check, and read every byte: see :meth:`ArtifactStore.scrub`."""
        return await self._run(self._sync.scrub)

    async def sweep(self) -> int:
        """Remove files that no artifact refers to: see :meth:`ArtifactStore.sweep`."""
        return await self._run(self._sync.sweep)

    async def stats(self) -> StoreStats:
        """Return how much there is, and how much of it is kept."""
        return await self._run(self._sync.stats)

    async def list(self, prefix: str = "", *, tags: Iterable[str] = ()) -> builtins.list[Artifact]:
        """Return the newest version of each name: see :meth:`ArtifactStore.list`."""
        return await self._run(lambda: self._sync.list(prefix, tags=tags))

    def results(self, **notes: Any) -> Results:
        """Return this store as a plain place for bytes by key, as caches of results want it.

        *notes* are what every ``put`` says of its bytes, such as ``tags={"result"}``.
        """
        return Results(self, notes)

    async def aclose(self) -> None:
        """Make durable what was put, and close. Again: no effect."""
        self._closed = True
        async with self._opening:
            core, writer, threads = self._core, self._writer, self._threads
            self._core = self._writer = self._threads = self._store = None
            if core is None or writer is None or threads is None:
                return
            closing = asyncio.ensure_future(asyncio.to_thread(_close, core, writer, threads))
            await _outlast(closing)

    async def __aenter__(self) -> Self:
        async with self._opening:
            if self._closed:
                raise StoreClosed(path=self._name)
            if self._core is None:
                core = await _outlast(asyncio.ensure_future(asyncio.to_thread(self._open_core)))
                self._threads = ThreadPoolExecutor(_THREADS, "sy-artifacts")
                self._writer = GroupWriter(core)
                self._store = ArtifactStore(core)
                self._core = core
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    def __repr__(self) -> str:
        state = "open" if self._core is not None else "closed" if self._closed else "not opened"
        writer = self._writer
        counted = f", {writer.puts} puts in {writer.groups} groups" if writer else ""
        return f"<AsyncArtifactStore {self._name} {state}{counted}>"

    @property
    def _sync(self) -> ArtifactStore:
        if self._store is None:
            raise StoreClosed(path=self._name)
        return self._store

    def _opened(self) -> tuple[Core, GroupWriter]:
        if self._core is None or self._writer is None:
            raise StoreClosed(path=self._name)
        return self._core, self._writer

    async def _run(self, call: Callable[[], T]) -> T:
        if self._threads is None:
            raise StoreClosed(path=self._name)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


class Results:
    """Bytes by key in an :class:`AsyncArtifactStore`: what a cache of results needs, and no more.

    >>> async def remember() -> bytes:
    ...     async with AsyncArtifactStore.memory() as store:
    ...         results = store.results(tags={"result"})
    ...         return await results.get(await results.put(b"42"))
    >>> asyncio.run(remember())
    b'42'
    """

    def __init__(self, store: AsyncArtifactStore, notes: Mapping[str, Any]) -> None:
        self._store = store
        self._notes = dict(notes)

    async def put(self, data: bytes) -> str:
        """Store *data*, durable on return, and return its digest."""
        return (await self._store.put(data, **self._notes)).digest

    async def get(self, key: str) -> bytes:
        """Return the bytes whose digest is *key*, verified."""
        return await self._store.get(key)

    def __repr__(self) -> str:
        return f"<Results in {self._store!r}>"


def _close(core: Core, writer: GroupWriter, threads: ThreadPoolExecutor) -> None:
    threads.shutdown()
    writer.close()
    core.close()


async def _outlast(work: asyncio.Future[T]) -> T:
    """Await *work* to its end even if cancelled meanwhile, and be cancelled then."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
