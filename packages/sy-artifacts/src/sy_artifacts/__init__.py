"""An embedded, content-addressed store for what programs make.

>>> from sy_artifacts import ArtifactStore
>>> with ArtifactStore.memory() as store:        # ArtifactStore.open("artifacts") on disk
...     notes = store.put(b"- conductor", name="notes.md", tags={"raw"})
...     brief = store.put(
...         b"# Brief", name="brief.md", made_by="summarizer@1.2", derived_from=[notes.digest]
...     )
...     print(store.get("brief.md"), brief.ref, [a.ref for a in store.lineage("brief.md").sources])
b'# Brief' brief.md@1 ['notes.md@1']
"""

from sy_artifacts._artifact import Artifact, CheckReport, Problem, StoreStats
from sy_artifacts._async import AsyncArtifactStore, Results
from sy_artifacts._errors import (
    AmbiguousDigest,
    ArtifactCorrupt,
    ArtifactMissing,
    InvalidName,
    InvalidPut,
    InvalidRef,
    NotAStore,
    StoreClosed,
    StoreFull,
    StoreMissing,
    StoreWriteFailed,
)
from sy_artifacts._lineage import Lineage
from sy_artifacts._names import quote_name
from sy_artifacts._store import ArtifactStore

__all__ = [
    "AmbiguousDigest",
    "Artifact",
    "ArtifactCorrupt",
    "ArtifactMissing",
    "ArtifactStore",
    "AsyncArtifactStore",
    "CheckReport",
    "InvalidName",
    "InvalidPut",
    "InvalidRef",
    "Lineage",
    "NotAStore",
    "Problem",
    "Results",
    "StoreClosed",
    "StoreFull",
    "StoreMissing",
    "StoreStats",
    "StoreWriteFailed",
    "quote_name",
]
