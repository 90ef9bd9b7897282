"""The store against a model of it in a few dictionaries."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sy_artifacts import ArtifactMissing, ArtifactStore
from sy_commons.testing import proof_count

NAMES = st.sampled_from(["a", "b", "dir/a", "dir/b", "dir/é"])
TAGS = st.frozensets(st.sampled_from(["t", "u", "v"]), max_size=2)
# Few different bytes, so that equal ones meet; on both sides of the line to files.


def bytes_of(size: int) -> bytes:
    return b"x" * size


BYTES = st.sampled_from([0, 1, 2, 1_000, 40_000, 40_001]).map(bytes_of)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sy-artifacts-"))
        self.store = ArtifactStore.open(self.folder / "store")
        self.versions: dict[str, list[bytes]] = {}
        self.tags: dict[tuple[str | None, object], frozenset[str]] = {}
        self.blobs: set[bytes] = set()

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(name=st.none() | NAMES, data=BYTES, tags=TAGS)
    def put(self, name: str | None, data: bytes, tags: frozenset[str]) -> None:
        artifact = self.store.put(data, name=name, tags=tags)
        assert artifact.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._expect(name, data, tags)
        assert artifact.tags == self.tags[self._key(name, data)]
        if name is not None:
            assert artifact.version == len(self.versions[name])

    @rule(puts=st.lists(st.tuples(NAMES, BYTES), max_size=3))
    def put_a_batch(self, puts: list[tuple[str, bytes]]) -> None:
        with self.store.batch():
            for name, data in puts:
                self.store.put(data, name=name)
                self._expect(name, data, frozenset())

    @rule(puts=st.lists(st.tuples(NAMES, BYTES), max_size=3))
    def break_a_batch(self, puts: list[tuple[str, bytes]]) -> None:
        with pytest.raises(ZeroDivisionError):
            self._break(puts)

    def _break(self, puts: list[tuple[str, bytes]]) -> None:
        with self.store.batch():
            for name, data in puts:
                self.store.put(data, name=name)
            raise ZeroDivisionError

    @rule(name=NAMES, number=st.integers(1, 5))
    def get_a_version(self, name: str, number: int) -> None:
        known = self.versions.get(name, [])
        if number <= len(known):
            assert self.store.get(f"{name}@{number}") == known[number - 1]
        else:
            with pytest.raises(ArtifactMissing):
                self.store.get(f"{name}@{number}")

    @rule(data=BYTES)
    def get_by_digest(self, data: bytes) -> None:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert self.store.exists(digest) == (data in self.blobs)
        if data in self.blobs:
            assert self.store.get(digest) == data

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = ArtifactStore.open(self.folder / "store", create=False)

    @rule()
    def sweep(self) -> None:
        assert self.store.sweep() == 0

    @precondition(lambda self: self.versions)
    @rule()
    def look_into_the_histories(self) -> None:
        for name, known in self.versions.items():
            found = self.store.versions(name)
            assert [self.store.get(version) for version in found] == known
            assert [v.tags for v in found] == [
                self.tags.get((name, number), frozenset()) for number in range(1, len(known) + 1)
            ]

    @invariant()
    def the_store_equals_its_model(self) -> None:
        heads = {artifact.name: artifact.version for artifact in self.store.list()}
        assert heads == {name: len(known) for name, known in self.versions.items()}
        for name, known in self.versions.items():
            assert self.store.get(name) == known[-1]
        stats = self.store.stats()
        assert stats.blobs == len(self.blobs)
        assert stats.stored_bytes == sum(map(len, self.blobs))
        report = self.store.check()
        assert (report.ok, report.unreferenced) == (True, 0)

    def _key(self, name: str | None, data: bytes) -> tuple[str | None, object]:
        return (name, data) if name is None else (name, len(self.versions[name]))

    def _expect(self, name: str | None, data: bytes, tags: frozenset[str]) -> None:
        self.blobs.add(data)
        if name is not None:
            known = self.versions.setdefault(name, [])
            if not known or known[-1] != data:
                known.append(data)
        key = self._key(name, data)
        self.tags[key] = self.tags.get(key, frozenset()) | tags


TestStoreMachine = pytest.mark.proof(pytest.mark.timeout(600)(StoreMachine.TestCase))
TestStoreMachine.settings = settings(
    max_examples=proof_count(25, 500), stateful_step_count=25, deadline=None
)
