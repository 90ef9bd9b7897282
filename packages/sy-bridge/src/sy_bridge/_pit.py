"""The Pit: pool, engine, artifacts, extensions and bus, opened and joined in this process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from sy_artifacts import AsyncArtifactStore
from sy_bridge._brains import Brain, RuleBrain
from sy_bridge._errors import PitClosed
from sy_bridge._runners import Instruments, Operators
from sy_commons.cli import home as default_home
from sy_dag import Engine
from sy_extensions import Discovered, Extension, ExtensionHost
from sy_ipc import Bus
from sy_pool import Budget, ModelPool

MEMORY = "2 GiB"


@attrs.frozen
class PitStats:
    """What the parts of a Pit hold at the moment."""

    home: Path
    pool: object
    extensions: object
    bus: object


class Pit:
    """The in-process infrastructure, from one folder: runs and artifacts live in it.

    Open it with :meth:`open` and use it within ``async with``; leaving it drains the pool, ends
    what runs and closes the store, in that order. It belongs to the event loop it was entered
    on. Several processes may have a Pit on one folder: each run belongs to one of them at a
    time, and the store is theirs together.
    """

    def __init__(
        self, home: Path, *, memory: str, brain: Brain, extra: dict[str, type[Extension]]
    ) -> None:
        self.home = home
        self.bus = Bus(name="pit")
        self.pool = ModelPool(Budget(memory=memory))
        self.extensions = ExtensionHost(extra=extra)
        self.instruments = Instruments(self, brain)
        self.operators = Operators(self)
        self.engine = Engine(home / "runs", operators=self.operators, instruments=self.instruments)
        self._artifacts: AsyncArtifactStore | None = None
        self._stack = AsyncExitStack()

    @classmethod
    def open(
        cls,
        home: str | Path | None = None,
        *,
        memory: str = MEMORY,
        brain: Brain | None = None,
        extensions: dict[str, type[Extension]] | None = None,
    ) -> Pit:
        """Return a Pit on the folder *home* (default: where ``sy`` keeps its state).

        *memory* is the pool's budget, *brain* chooses instruments, and *extensions* are classes
        by id that stand before the installed ones. Nothing is touched before it is entered.

        >>> Pit.open("music", memory="1 GiB")
        <Pit music: closed>
        """
        folder = Path(home) if home is not None else default_home()
        return cls(folder, memory=memory, brain=brain or RuleBrain(), extra=dict(extensions or {}))

    @property
    def artifacts(self) -> AsyncArtifactStore:
        """The artifact store; raises :class:`PitClosed` outside ``async with``."""
        if self._artifacts is None:
            raise PitClosed(home=str(self.home))
        return self._artifacts

    @property
    def store(self) -> Path:
        """The folder of the artifact store."""
        return self.home / "artifacts"

    @property
    def runs(self) -> Path:
        """The folder of the runs."""
        return self.home / "runs"

    @cached_property
    def catalogue(self) -> dict[str, Discovered]:
        """The installed extensions by id; nothing is imported for it."""
        return {found.id: found for found in self.extensions.list()}

    def stats(self) -> PitStats:
        """Return what the parts hold at the moment."""
        return PitStats(
            home=self.home,
            pool=self.pool.stats(),
            extensions=self.extensions.stats(),
            bus=self.bus.stats(),
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._artifacts = await stack.enter_async_context(AsyncArtifactStore.open(self.store))
            stack.callback(self._forget)
            await stack.enter_async_context(self.extensions)
            await stack.enter_async_context(self.pool)
            await stack.enter_async_context(self.bus)
            await stack.enter_async_context(self.engine)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(exc_type, exc, traceback)

    def _forget(self) -> None:
        self._artifacts = None

    def __repr__(self) -> str:
        return f"<Pit {self.home}: {'open' if self._artifacts is not None else 'closed'}>"
