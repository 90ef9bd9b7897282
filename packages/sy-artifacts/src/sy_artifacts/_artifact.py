"""The values a store hands out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs


@attrs.frozen
class Artifact:
    """What the store knows of one stored thing, beside its bytes.

    Without a name it is known by its digest, and ``version`` is None too. Asked for by digest
    it stands for all that have these bytes: the newest name, everybody's tags and metadata.

    >>> from sy_artifacts import ArtifactStore
    >>> artifact = ArtifactStore.memory().put(b"# Brief", name="brief.md", tags={"draft"})
    >>> artifact.ref, artifact.size_bytes, artifact.content_type, sorted(artifact.tags)
    ('brief.md@1', 7, 'text/markdown', ['draft'])
    """

    digest: str
    name: str | None
    version: int | None
    size_bytes: int
    content_type: str
    tags: frozenset[str]
    created_at: datetime
    made_by: str | None = None
    metadata: dict[str, Any] = attrs.field(factory=dict, hash=False)

    @property
    def ref(self) -> str:
        """What finds exactly this one again: ``name@version``, or the digest."""
        return self.digest if self.name is None else f"{self.name}@{self.version}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        return {
            "digest": self.digest,
            "name": self.name,
            "version": self.version,
            "size_bytes": self.size_bytes,
            "content_type": self.content_type,
            "tags": sorted(self.tags),
            "created_at": self.created_at.isoformat(),
            "made_by": self.made_by,
            "metadata": self.metadata,
        }


@attrs.frozen
class StoreStats:
    """How much a store holds, and what deduplication saves.

    >>> from sy_artifacts import ArtifactStore
    >>> store = ArtifactStore.memory()
    >>> for name in ("a", "b", "c"):
    ...     _ = store.put(b"the same", name=name)
    >>> stats = store.stats()
    >>> stats.versions, stats.blobs, stats.stored_bytes, stats.dedup_ratio
    (3, 1, 8, 3.0)
    """

    path: str
    names: int
    versions: int
    blobs: int
    logical_bytes: int
    stored_bytes: int
    index_bytes: int

    @property
    def dedup_ratio(self) -> float:
        """How many times the stored bytes the versions would take one by one."""
        return self.logical_bytes / self.stored_bytes if self.stored_bytes else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        return {**attrs.asdict(self), "dedup_ratio": self.dedup_ratio}


@attrs.frozen
class Problem:
    """Something lost or damaged, which of the artifacts it concerns, and how to heal it.

    >>> Problem("sha256:0a1b2c", ("brief.md@1",), "its bytes are missing", "put it again").refs
    ('brief.md@1',)
    """

    digest: str
    refs: tuple[str, ...]
    reason: str
    repair: str


@attrs.frozen
class CheckReport:
    """What a check or a scrub has seen.

    ``ok`` is false for loss and damage alone: a file that no artifact refers to, left by a
    crash, is neither.

    >>> from sy_artifacts import ArtifactStore
    >>> report = ArtifactStore.memory().scrub()
    >>> report.ok, report.problems, report.blobs
    (True, (), 0)
    """

    problems: tuple[Problem, ...]
    blobs: int
    versions: int
    read_bytes: int
    unreferenced: int

    @property
    def ok(self) -> bool:
        """Whether nothing is lost or damaged."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        return {"ok": self.ok, **attrs.asdict(self)}
