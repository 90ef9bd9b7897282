"""The store: the front door."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sy_artifacts import _index as index
from sy_artifacts._artifact import Artifact, CheckReport, StoreStats
from sy_artifacts._check import Checker
from sy_artifacts._core import Core
from sy_artifacts._errors import ArtifactMissing
from sy_artifacts._lineage import Lineage
from sy_artifacts._names import check_name
from sy_artifacts._puts import Data, Notes
from sy_commons import Clock


class ArtifactStore:
    """Everything that was made, by content: named, versioned, verified, with its lineage.

    ``put`` returns when the bytes and what is said of them survive power loss; ``get`` returns
    what was stored or raises :class:`ArtifactCorrupt`. Any number of threads and of processes
    on one machine use a store at once; a process forked off a user of it opens its own. Calls
    block: in asyncio, use :class:`AsyncArtifactStore`.

    >>> with ArtifactStore.memory() as store:
    ...     source = store.put(b"# Symphony", name="README.md")
    ...     brief = store.put(b"It is music.", name="brief.md", derived_from=[source.digest])
    ...     store.get("brief.md")
    ...     print(store.lineage("brief.md").tree())
    b'It is music.'
    brief.md@1
    └─ README.md@1
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        create: bool = True,
        busy_timeout_s: float = 30.0,
        clock: Clock | None = None,
    ) -> Self:
        """Return the store in the folder *path*, created if it is not there, brought up to date.

        Sweeps what writers that died have left half-written. Raises :class:`StoreMissing` if
        there is none and *create* is false, :class:`NotAStore` for a folder of other things,
        and what :meth:`sy_commons.Database.open` raises for a newer, foreign or damaged index
        or a network filesystem.
        """
        return cls(Core.open(path, create=create, busy_timeout_s=busy_timeout_s, clock=clock))

    @classmethod
    def memory(cls, *, clock: Clock | None = None) -> Self:
        """Return a store that lives in memory alone, with the same behaviour, for tests."""
        return cls(Core.memory(clock=clock))

    @property
    def path(self) -> Path | None:
        """The store's folder; None in memory."""
        return self._core.path

    def put(  # noqa: PLR0913 - what a put may say, by keyword
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
        """Store bytes, or what a :class:`~pathlib.Path` or binary file holds; durable on return.

        With a *name* it becomes the name's next version, unless its newest one has these very
        bytes: then, as for bytes without a name, tags, metadata and lineage are added to what
        is known. *made_by* made it with *parameters* from *derived_from*: names, digests or
        artifacts that the store holds. Equal bytes are kept once; a damaged copy that they
        meet is healed. Files are read piece by piece, in bounded memory.

        Raises :class:`InvalidName`, :class:`InvalidPut`, :class:`ArtifactMissing` for an unknown
        source, :class:`StoreFull` and :class:`StoreWriteFailed`; then nothing of it was kept.

        >>> store = ArtifactStore.memory()
        >>> store.put(b"one", name="notes/a.txt", tags={"draft"}).ref
        'notes/a.txt@1'
        >>> sorted(store.put(b"one", name="notes/a.txt", tags={"seen"}).tags)
        ['draft', 'seen']
        """
        notes = Notes(name, content_type, tags, made_by, derived_from, metadata, parameters)
        return self._core.record(self._core.prepare(data, notes))

    def get(self, ref: str | Artifact) -> bytes:
        """Return the bytes of a name, name@version, digest or unambiguous start of one, verified.

        Raises :class:`ArtifactMissing`, or :class:`ArtifactCorrupt` when the disk does not give
        what was stored.

        >>> store = ArtifactStore.memory()
        >>> digest = store.put(b"one", name="a").digest
        >>> store.get("a"), store.get("a@1"), store.get(digest), store.get(digest[:15])
        (b'one', b'one', b'one', b'one')
        """
        return self._core.read(ref)

    def stat(self, ref: str | Artifact) -> Artifact:
        """Return what is known of an artifact; by digest, of all that have these bytes.

        >>> store = ArtifactStore.memory()
        >>> store.put(b"one", name="a.md", tags={"x"}).content_type
        'text/markdown'
        >>> store.stat("a.md").size_bytes
        3
        """
        return self._core.finder.artifact(ref)

    def exists(self, ref: str | Artifact) -> bool:
        """Whether the store knows *ref*; its bytes are not looked at.

        >>> ArtifactStore.memory().exists("brief.md@3")
        False
        """
        try:
            self._core.finder.source(ref)
        except ArtifactMissing:
            return False
        return True

    def versions(self, name: str) -> builtins.list[Artifact]:
        """Return every version of a name, the oldest first.

        >>> store = ArtifactStore.memory()
        >>> for text in (b"one", b"two", b"two"):
        ...     _ = store.put(text, name="a")
        >>> [version.ref for version in store.versions("a")]
        ['a@1', 'a@2']
        """
        found = index.load_history(self._core.database, check_name(name))
        if not found:
            raise self._core.finder.missing(name)
        return found

    def lineage(self, ref: str | Artifact) -> Lineage:
        """Return what an artifact was derived from, and what was derived from it.

        >>> store = ArtifactStore.memory()
        >>> source = store.put(b"one", name="a")
        >>> _ = store.put(b"two", name="b", derived_from=[source])
        >>> [artifact.ref for artifact in store.lineage("a").descendants]
        ['b@1']
        """
        return Lineage(
            self._core.finder.artifact(ref),
            root=self._core.finder.source(ref),
            database=self._core.database,
            read=self.get,
        )

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make the puts of the block durable together, at its end: much faster for many.

        An exception undoes all of them. Others who write wait meanwhile; other threads see
        nothing of it before its end. Belongs to one thread: never ``await`` inside.

        >>> store = ArtifactStore.memory()
        >>> with store.batch():
        ...     for number in range(3):
        ...         _ = store.put(b"%d" % number)
        >>> store.stats().blobs
        3
        """
        with self._core.writing():
            yield

    def check(self) -> CheckReport:
        """Look whether everything is there: the index's structure, every row, every file's size.

        >>> ArtifactStore.memory().check().ok
        True
        """
        return Checker(self._core.database, self._core.vault, every_byte=False).run()

    def scrub(self) -> CheckReport:
        """Check, and read every byte and compare it with its SHA-256.

        >>> store = ArtifactStore.memory()
        >>> _ = store.put(b"four")
        >>> store.scrub().read_bytes
        4
        """
        return Checker(self._core.database, self._core.vault, every_byte=True).run()

    def sweep(self) -> int:
        """Remove files that no artifact refers to, left by crashes; return how many there were."""
        return self._core.vault.sweep()

    def stats(self) -> StoreStats:
        """Return how much there is, and how much of it is kept."""
        index_stats = self._core.database.stats()
        return StoreStats(
            path=self._core.name,
            **index.count(self._core.database),
            index_bytes=index_stats.size_bytes + index_stats.wal_bytes,
        )

    def list(self, prefix: str = "", *, tags: Iterable[str] = ()) -> builtins.list[Artifact]:
        """Return the newest version of each name that begins with *prefix* and has all *tags*.

        >>> store = ArtifactStore.memory()
        >>> for name in ("b", "src/a.py", "src/b.py"):
        ...     _ = store.put(name.encode(), name=name)
        >>> [artifact.name for artifact in store.list("src/")]
        ['src/a.py', 'src/b.py']
        """
        return index.load_heads(self._core.database, prefix, tags)

    def close(self) -> None:
        """Close it; calls still running in other threads finish first. Again: no effect."""
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ArtifactStore {self._core.name}{' closed' if self._core.closed else ''}>"
