from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sy_artifacts import (
    Artifact,
    ArtifactMissing,
    ArtifactStore,
    AsyncArtifactStore,
    InvalidName,
    StoreClosed,
    StoreFull,
    StoreMissing,
    _core,
)
from sy_commons import DatabaseFull


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[AsyncArtifactStore]:
    async with AsyncArtifactStore.open(path) as opened:
        yield opened


class Gate:
    """Holds the writer's thread before its next transaction, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        writing = _core.Core.writing

        def held(core: _core.Core) -> object:
            self.reached.set()
            self.open.wait()
            return writing(core)

        monkeypatch.setattr(_core.Core, "writing", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


async def test_the_verbs_are_the_stores(store: AsyncArtifactStore, path: Path) -> None:
    large = os.urandom(100_000)
    source = await store.put(b"# Source", name="src.md", tags={"t"})
    brief = await store.put(
        large, name="brief.md", made_by="m@1", derived_from=[source], parameters={"n": 1}
    )
    assert await store.get("brief.md") == await store.get(brief) == large
    assert await store.stat("src.md") == source
    assert await store.exists("src.md@1")
    assert not await store.exists("src.md@2")
    assert await store.versions("brief.md") == [brief]
    assert await store.list(tags={"t"}) == [source]
    lineage = await store.lineage("brief.md")
    assert lineage.ancestors == (source,)
    assert (await store.stats()).versions == 2
    assert (await store.check()).ok
    assert (await store.scrub()).ok
    assert await store.sweep() == 0
    assert store.path == path


async def test_a_lineage_needs_the_loop_no_more(store: AsyncArtifactStore) -> None:
    """Both directions are looked up in a thread, before it is handed out."""
    await store.put(b"a", name="a")
    await store.put(b"b", name="b", derived_from=["a"])
    lineage = await store.lineage("b")
    await store.aclose()
    assert [a.ref for a in lineage.ancestors] == ["a@1"]
    assert lineage.tree() == "b@1\n└─ a@1"
    assert lineage.to_dict()["sources"] == ["a@1"]


async def test_puts_at_once_share_few_transactions_and_each_is_there(
    path: Path, gate: Gate
) -> None:
    async with AsyncArtifactStore.open(path) as store:
        puts = [
            asyncio.ensure_future(store.put(b"%d" % number, name=f"n/{number}"))
            for number in range(100)
        ]
        await asyncio.to_thread(gate.reached.wait)
        gate.open.set()
        artifacts = await asyncio.gather(*puts)
        assert [a.name for a in artifacts] == [f"n/{number}" for number in range(100)]
        assert "100 puts in 2 groups" in repr(store) or "100 puts in 1 groups" in repr(store)
    with ArtifactStore.open(path) as again:
        assert [again.get(f"n/{number}") for number in range(100)] == [
            b"%d" % number for number in range(100)
        ]


async def test_a_put_is_durable_when_it_returns(path: Path) -> None:
    async with AsyncArtifactStore.open(path) as store:
        await store.put(b"x", name="a")
        with ArtifactStore.open(path) as other:
            assert other.get("a") == b"x"


async def test_puts_of_a_name_take_effect_in_the_order_of_the_calls(
    store: AsyncArtifactStore,
) -> None:
    puts = [store.put(b"%d" % number, name="a") for number in range(20)]
    assert [a.version for a in await asyncio.gather(*puts)] == list(range(1, 21))
    assert await store.get("a") == b"19"


async def test_a_put_that_is_refused_takes_no_other_with_it(
    store: AsyncArtifactStore,
) -> None:
    outcomes = await asyncio.gather(
        store.put(b"1", name="a"),
        store.put(b"2", name="../b"),
        store.put(b"3", name="c", derived_from=["nobody"]),
        store.put(os.urandom(50_000), name="d", derived_from=["nobody"]),
        store.put(b"5", name="e"),
        return_exceptions=True,
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [Artifact, InvalidName, ArtifactMissing, ArtifactMissing, Artifact]
    assert [a.name for a in await store.list()] == ["a", "e"]
    assert (await store.check()).unreferenced == 0


async def test_a_full_disk_is_told_to_every_put_of_the_group(
    store: AsyncArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise DatabaseFull(path="x", reason="made up")

    with monkeypatch.context() as broken:
        broken.setattr("sy_artifacts._index.add_version", full)
        outcomes = await asyncio.gather(
            *(store.put(b"%d" % n, name=f"n/{n}") for n in range(5)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [StoreFull] * 5
    assert await store.list() == []
    assert (await store.put(b"x", name="a")).version == 1


async def test_a_put_cancelled_before_its_turn_never_happens(path: Path, gate: Gate) -> None:
    async with AsyncArtifactStore.open(path) as store:
        first = asyncio.ensure_future(store.put(b"1", name="first"))
        await asyncio.to_thread(gate.reached.wait)
        waiting = [asyncio.ensure_future(store.put(b"2", name=name)) for name in ("gone", "stays")]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        gate.open.set()
        assert (await first).ref == "first@1"
        assert (await waiting[1]).ref == "stays@1"
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        assert [a.name for a in await store.list()] == ["first", "stays"]


async def test_a_put_cancelled_in_its_turn_happens_and_others_are_untouched(
    path: Path, gate: Gate
) -> None:
    async with AsyncArtifactStore.open(path) as store:
        under_way = asyncio.ensure_future(store.put(b"1", name="under-way"))
        await asyncio.to_thread(gate.reached.wait)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        gate.open.set()
        await store.put(b"2", name="other")
        assert [a.name for a in await store.list()] == ["other", "under-way"]
        assert (await store.scrub()).ok


async def test_puts_cancelled_at_any_moment_have_happened_or_not(path: Path) -> None:
    async with AsyncArtifactStore.open(path) as store:
        data = [b"%d " % n * (20_000 if n % 3 == 0 else 1) for n in range(60)]
        puts = [asyncio.ensure_future(store.put(d, name=f"n/{n}")) for n, d in enumerate(data)]
        for number, put in enumerate(puts):
            if number % 2:
                put.cancel()
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            if number % 2 == 0:
                assert isinstance(outcome, Artifact)
            if await store.exists(f"n/{number}"):
                assert await store.get(f"n/{number}") == data[number]
            else:
                assert isinstance(outcome, asyncio.CancelledError)
    with ArtifactStore.open(path) as again:
        report = again.scrub()
        assert (report.ok, report.unreferenced) == (True, 0)
        assert list((path / "temp").iterdir()) == []


async def test_close_makes_durable_what_was_put_and_then_refuses(path: Path, gate: Gate) -> None:
    store = await AsyncArtifactStore.open(path)
    first = asyncio.ensure_future(store.put(b"first"))
    await asyncio.to_thread(gate.reached.wait)
    puts = [asyncio.ensure_future(store.put(b"%d" % n, name=f"n/{n}")) for n in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.aclose())
    await asyncio.sleep(0)
    with pytest.raises(StoreClosed):
        await store.put(b"late")
    gate.open.set()
    await closing
    await store.aclose()
    await first
    assert [a.ref for a in await asyncio.gather(*puts)] == [f"n/{n}@1" for n in range(5)]
    for use in (store.get("n/1"), store.list(), store.__aenter__()):
        with pytest.raises(StoreClosed):
            await use
    assert "closed" in repr(store)


async def test_a_close_that_is_cancelled_still_closes(path: Path) -> None:
    store = await AsyncArtifactStore.open(path)
    await store.put(b"x")
    closing = asyncio.ensure_future(store.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert not [t for t in threading.enumerate() if t.name.startswith("sy-artifacts")]


async def test_an_opening_that_fails_tells_and_leaves_no_threads(path: Path) -> None:
    with pytest.raises(StoreMissing):
        await AsyncArtifactStore.open(path, create=False)
    assert not [t for t in threading.enumerate() if t.name.startswith("sy-artifacts")]
    unopened = AsyncArtifactStore.open(path)
    with pytest.raises(StoreClosed):
        await unopened.put(b"x")
    assert "not opened" in repr(unopened)
    assert unopened.path is None


async def test_results_are_bytes_by_digest(store: AsyncArtifactStore) -> None:
    results = store.results(tags={"result"})
    key = await results.put(b"42")
    assert key.startswith("sha256:")
    assert await results.get(key) == b"42"
    assert (await store.stat(key)).tags == {"result"}
    with pytest.raises(ArtifactMissing):
        await results.get("sha256:" + "0" * 64)
    assert "Results" in repr(results)
