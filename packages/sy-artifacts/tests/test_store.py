from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sy_artifacts import (
    AmbiguousDigest,
    Artifact,
    ArtifactMissing,
    ArtifactStore,
    InvalidName,
    InvalidPut,
    InvalidRef,
    NotAStore,
    StoreClosed,
    StoreMissing,
    StoreWriteFailed,
)
from sy_artifacts._vault import INLINE_BYTES
from sy_commons import VirtualClock

SIZES = [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 3 << 20]


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArtifactStore]:
    """Every behaviour here holds on disk and in memory."""
    clock = VirtualClock(wall=1_000_000.25)
    if request.param == "memory":
        with ArtifactStore.memory(clock=clock) as opened:
            yield opened
        return
    with ArtifactStore.open(tmp_path / "store", clock=clock) as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


# -- bytes


@pytest.mark.parametrize("size", SIZES)
def test_bytes_of_every_size_come_back(store: ArtifactStore, size: int) -> None:
    data = os.urandom(size)
    artifact = store.put(data)
    assert artifact.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert artifact.size_bytes == size
    assert store.get(artifact.digest) == store.get(artifact.digest[:20]) == data


@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_stored_as_its_bytes_would_be(
    store: ArtifactStore, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    file = tmp_path / "source.bin"
    file.write_bytes(data)
    from_path, from_stream = store.put(file), store.put(io.BytesIO(data))
    assert from_path == from_stream == store.put(data)
    assert store.get(from_path) == data


def test_other_kinds_of_bytes_are_bytes(store: ArtifactStore) -> None:
    assert store.put(bytearray(b"x")) == store.put(memoryview(b"x")) == store.put(b"x")


def test_equal_bytes_are_kept_once(store: ArtifactStore) -> None:
    data = os.urandom(100_000)
    for name in ("a", "b", None):
        store.put(data, name=name)
    stats = store.stats()
    assert (stats.blobs, stats.versions, stats.names) == (1, 3, 2)
    assert (stats.logical_bytes, stats.stored_bytes, stats.dedup_ratio) == (300_000, 100_000, 3.0)


# -- names and versions


def test_a_name_has_versions_that_never_change(store: ArtifactStore) -> None:
    for text in (b"one", b"two", b"one"):
        store.put(text, name="notes/a.txt")
    assert [v.version for v in store.versions("notes/a.txt")] == [1, 2, 3]
    assert store.get("notes/a.txt") == b"one"
    assert [store.get(f"notes/a.txt@{n}") for n in (1, 2, 3)] == [b"one", b"two", b"one"]
    assert store.stat("notes/a.txt@2") == store.versions("notes/a.txt")[1]


def test_the_bytes_a_name_has_already_make_no_version_and_merge_what_is_said(
    store: ArtifactStore,
) -> None:
    first = store.put(b"x", name="a", tags={"t"}, metadata={"k": 1, "old": True}, made_by="one")
    again = store.put(b"x", name="a", tags={"u"}, metadata={"k": 2, "new": [None]})
    assert again.ref == first.ref == "a@1"
    assert again.tags == {"t", "u"}
    assert again.metadata == {"k": 2, "old": True, "new": [None]}
    assert again.made_by == "one"
    assert store.stat("a") == again


def test_without_a_name_equal_bytes_are_one_artifact_with_everybodys_metadata(
    store: ArtifactStore,
) -> None:
    store.put(b"x", tags={"t"}, metadata={"a": 1})
    artifact = store.put(b"x", tags={"u"}, metadata={"b": 2}, made_by="me@1")
    assert (artifact.name, artifact.version, artifact.ref) == (None, None, artifact.digest)
    assert (artifact.tags, artifact.metadata) == ({"t", "u"}, {"a": 1, "b": 2})


def test_a_digest_stands_for_all_who_have_these_bytes(store: ArtifactStore) -> None:
    digest = store.put(b"x", tags={"bare"}).digest
    store.put(b"x", name="a", tags={"t"}, metadata={"k": 1})
    store.put(b"x", name="b", tags={"u"}, metadata={"l": 2})
    found = store.stat(digest)
    assert (found.ref, found.tags, found.metadata) == (
        "b@1",
        {"bare", "t", "u"},
        {"k": 1, "l": 2},
    )
    assert store.stat("a").tags == {"t"}


def test_an_artifact_tells_its_whole_story(store: ArtifactStore) -> None:
    artifact = store.put(
        b"# Brief", name="brief.md", tags=["z", "a"], made_by="m@1", metadata={"k": {"n": 1.5}}
    )
    assert artifact == store.stat("brief.md")
    assert artifact.created_at == datetime.fromtimestamp(1_000_000.25, UTC)
    assert artifact.to_dict() == {
        "digest": artifact.digest,
        "name": "brief.md",
        "version": 1,
        "size_bytes": 7,
        "content_type": "text/markdown",
        "tags": ["a", "z"],
        "created_at": "1970-01-12T13:46:40.250000+00:00",
        "made_by": "m@1",
        "metadata": {"k": {"n": 1.5}},
    }
    assert hash(artifact) == hash(store.stat("brief.md"))


def test_a_type_that_is_said_is_the_type(store: ArtifactStore) -> None:
    assert store.put(b"x", name="a.md", content_type="text/x-brief").content_type == "text/x-brief"


def test_list_gives_the_newest_of_each_name_by_prefix_and_tags(store: ArtifactStore) -> None:
    for name, tags in {"b": {"t"}, "src/a": {"t", "u"}, "src/b": set(), "srd": {"u"}}.items():
        store.put(b"old", name=name)
        store.put(name.encode(), name=name, tags=tags)
    store.put(b"without a name")
    assert [a.ref for a in store.list()] == ["b@2", "src/a@2", "src/b@2", "srd@2"]
    assert [a.name for a in store.list("src/")] == ["src/a", "src/b"]
    assert [a.name for a in store.list(tags={"t"})] == ["b", "src/a"]
    assert [a.name for a in store.list("s", tags=["t", "u"])] == ["src/a"]
    assert store.list("x") == []


def test_exists_asks_the_index(store: ArtifactStore) -> None:
    artifact = store.put(b"x", name="a")
    for ref in ("a", "a@1", artifact, artifact.digest, artifact.digest[:13]):
        assert store.exists(ref)
    for ref in ("b", "a@2", "sha256:" + "0" * 64):
        assert not store.exists(ref)


# -- what is refused


@pytest.mark.parametrize("ref", ["nope", "a@7", "sha256:" + "0" * 64, "sha256:000000"])
def test_what_is_not_there_is_told_with_the_command_that_lists(
    store: ArtifactStore, ref: str
) -> None:
    store.put(b"x", name="a")
    for ask in (store.get, store.stat, store.lineage):
        with pytest.raises(ArtifactMissing, match=ref) as caught:
            ask(ref)
        assert "artifacts ls --store" in caught.value.hint


def test_a_missing_version_tells_which_there_are(store: ArtifactStore) -> None:
    for text in (b"1", b"2"):
        store.put(text, name="a")
    with pytest.raises(ArtifactMissing, match="versions 1 to 2"):
        store.get("a@3")
    with pytest.raises(ArtifactMissing):
        store.versions("b")


def test_the_beginning_of_two_digests_is_told(store: ArtifactStore) -> None:
    """The two numbers were searched for: their SHA-256 begin with the same 6 digits."""
    first, second = _alike()
    store.put(first)
    with store.batch():
        digest = store.put(second).digest
    with pytest.raises(AmbiguousDigest, match="2 digests"):
        store.get(digest[:13])
    assert store.get(digest) == second


def _alike() -> tuple[bytes, bytes]:
    seen: dict[str, bytes] = {}
    number = 0
    while True:
        data = b"%d" % number
        digits = hashlib.sha256(data).hexdigest()[:6]
        if digits in seen:
            return seen[digits], data
        seen[digits] = data
        number += 1


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"name": "../a"}, InvalidName),
        ({"name": "a\0"}, InvalidName),
        ({"tags": "draft"}, InvalidPut),
        ({"tags": [""]}, InvalidPut),
        ({"tags": ["x" * 300]}, InvalidPut),
        ({"tags": ["a\nb"]}, InvalidPut),
        ({"tags": ["\ud800"]}, InvalidPut),
        ({"tags": [1]}, InvalidPut),
        ({"made_by": ""}, InvalidPut),
        ({"content_type": "a\nb"}, InvalidPut),
        ({"metadata": {"k": object()}}, InvalidPut),
        ({"metadata": {"k": float("nan")}}, InvalidPut),
        ({"metadata": {1: "k"}}, InvalidPut),
        ({"metadata": {"k": (1, 2)}}, InvalidPut),
        ({"metadata": {"k": "\ud800"}}, InvalidPut),
        ({"parameters": ["not a mapping"]}, InvalidPut),
        ({"derived_from": "a.md"}, InvalidPut),
        ({"derived_from": ["nobody"]}, ArtifactMissing),
        ({"derived_from": ["../a"]}, InvalidRef),
    ],
)
def test_a_put_that_does_not_fit_is_refused_and_leaves_nothing(
    store: ArtifactStore, said: dict[str, Any], error: type[Exception]
) -> None:
    for data in (b"x", os.urandom(100_000)):
        with pytest.raises(error):
            store.put(data, **said)
    assert store.stats().blobs == 0
    assert store.sweep() == 0


@pytest.mark.parametrize("data", ["text", None, 7, Path("/nowhere/at/all"), Path("/")])
def test_what_is_not_bytes_is_refused(store: ArtifactStore, data: Any) -> None:
    with pytest.raises(InvalidPut):
        store.put(data)


# -- batches


def test_a_batch_is_kept_or_undone_as_a_whole(store: ArtifactStore) -> None:
    large = os.urandom(100_000)
    with store.batch():
        store.put(b"x", name="a")
        assert store.get("a") == b"x"
    with pytest.raises(ZeroDivisionError):
        _break_a_batch(store, large)
    assert not store.exists("b")
    assert store.stats().blobs == 1
    assert store.check().unreferenced == 0


def _break_a_batch(store: ArtifactStore, large: bytes) -> None:
    with store.batch():
        store.put(b"y", name="b")
        store.put(large, name="c")
        raise ZeroDivisionError


def test_a_batch_goes_on_after_a_put_that_was_refused(store: ArtifactStore) -> None:
    with store.batch():
        store.put(b"x", name="a")
        with pytest.raises(ArtifactMissing):
            store.put(os.urandom(50_000), name="b", derived_from=["nobody"])
        with pytest.raises(ZeroDivisionError):
            _break_a_batch(store, b"z" * 50_000)
        store.put(b"y", name="d")
    assert [a.name for a in store.list()] == ["a", "d"]
    assert store.check().unreferenced == 0


def test_threads_put_and_get_at_once(store: ArtifactStore) -> None:
    failed: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for number in range(8):
                data = b"%d %d " % (worker, number) * (10 if number % 2 else 10_000)
                store.put(data, name=f"{worker}/{number}")
                store.put(b"%d" % number, name="shared")
                assert store.get(f"{worker}/{number}") == data
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(store.list()) == 33
    numbers = [v.version for v in store.versions("shared")]
    assert numbers == list(range(1, len(numbers) + 1))
    assert store.scrub().ok


# -- opening and closing


def test_a_store_opens_again_as_it_was(path: Path) -> None:
    large = os.urandom(200_000)
    with ArtifactStore.open(path) as store:
        store.put(b"x", name="a", tags={"t"})
        store.put(large, name="b")
        before = store.list()
    with ArtifactStore.open(path, create=False) as store:
        assert store.list() == before
        assert (store.get("a"), store.get("b")) == (b"x", large)
        assert store.path == path
        assert repr(store) == f"<ArtifactStore {path}>"


def test_a_store_that_is_not_there_is_not_made_by_looking(path: Path) -> None:
    with pytest.raises(StoreMissing, match=str(path)):
        ArtifactStore.open(path, create=False)
    assert not path.exists()


def test_a_folder_of_other_things_is_refused_and_untouched(path: Path) -> None:
    (path / "temp" / ("0" * 32)).mkdir(parents=True)
    for create in (True, False):
        with pytest.raises(NotAStore):
            ArtifactStore.open(path, create=create)
    assert [entry.name for entry in path.iterdir()] == ["temp"]
    assert (path / "temp" / ("0" * 32)).is_dir()


def test_a_file_in_the_stores_place_is_refused(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(NotAStore):
        ArtifactStore.open(path)
    with pytest.raises((NotAStore, StoreWriteFailed)):
        ArtifactStore.open(path / "below")
    assert path.read_text() == "mine"


def test_after_close_every_use_is_refused(store: ArtifactStore) -> None:
    artifact = store.put(b"x")
    store.close()
    store.close()
    uses = [
        lambda: store.put(b"y"),
        lambda: store.get(artifact.digest),
        lambda: store.stat(artifact.digest),
        store.list,
        store.check,
        store.stats,
        store.sweep,
    ]
    for use in uses:
        with pytest.raises(StoreClosed):
            use()
    assert "closed" in repr(store)


def test_files_are_private_and_nothing_temporary_stays(path: Path) -> None:
    with ArtifactStore.open(path) as store:
        store.put(os.urandom(100_000))
        (file,) = (path / "blobs").glob("*/*")
        assert file.stat().st_mode & 0o777 == 0o600
        (own,) = (path / "temp").iterdir()
        assert list(own.iterdir()) == []
    assert list((path / "temp").iterdir()) == []


def test_an_artifact_points_at_its_own_version(store: ArtifactStore) -> None:
    first = store.put(b"one", name="a")
    store.put(b"two", name="a")
    assert isinstance(first, Artifact)
    assert store.get(first) == b"one"
