"""Whatever is flipped, cut or lost: what was stored, or a clear error, and never anything else."""

from __future__ import annotations

import contextlib
import os
import random
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xxhash

from sy_artifacts import ArtifactCorrupt, ArtifactMissing, ArtifactStore
from sy_artifacts.cli import main
from sy_commons import SymphonyError
from sy_commons.testing import proof_count

SMALL, LARGE = b"a small thing", bytes(range(256)) * 400


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ArtifactStore]:
    with ArtifactStore.open(tmp_path / "store") as opened:
        opened.put(b"before", name="other")
        opened.put(SMALL, name="small")
        opened.put(LARGE, name="large")
        yield opened


def file_of(store: ArtifactStore) -> Path:
    assert store.path is not None
    (file,) = (store.path / "blobs").glob("*/*")
    return file


def sql(store: ArtifactStore, statement: str, *bindings: object) -> None:
    database = store._core.database
    with database.transaction():
        database.execute(statement, bindings)


def flip(store: ArtifactStore) -> None:
    content = bytearray(file_of(store).read_bytes())
    content[5000] ^= 4
    file_of(store).write_bytes(content)


def cut(store: ArtifactStore) -> None:
    os.truncate(file_of(store), len(LARGE) - 1)


def lose(store: ArtifactStore) -> None:
    file_of(store).unlink()


def make_a_folder(store: ArtifactStore) -> None:
    file = file_of(store)
    file.unlink()
    file.mkdir()


DAMAGE_TO_THE_FILE = [flip, cut, lose]
INLINE = (
    "(SELECT v.blob_id FROM versions v JOIN artifacts a ON a.id = artifact_id WHERE name = 'small')"
)
DAMAGE_TO_THE_ROWS = [
    f"UPDATE contents SET data = x'00' WHERE blob_id = {INLINE}",
    f"UPDATE contents SET data = CAST('b small thing' AS BLOB) WHERE blob_id = {INLINE}",
    f"DELETE FROM contents WHERE blob_id = {INLINE}",
    f"UPDATE blobs SET xxh3 = x'0011223344556677' WHERE id = {INLINE}",
    f"UPDATE blobs SET size_bytes = 12 WHERE id = {INLINE}",
    f"UPDATE blobs SET sha256 = zeroblob(32) WHERE id = {INLINE}",
    f"UPDATE versions SET blob_id = 1 WHERE blob_id = {INLINE}",
    f"UPDATE versions SET seal = zeroblob(8) WHERE blob_id = {INLINE}",
    "UPDATE artifacts SET seal = zeroblob(8) WHERE name = 'small'",
    "UPDATE artifacts SET name = 'smaln' WHERE name = 'small'",
]


@pytest.mark.parametrize("damage", [*DAMAGE_TO_THE_FILE, make_a_folder])
def test_a_damaged_file_is_told_with_the_command_that_heals_it(
    store: ArtifactStore, damage: Callable[[ArtifactStore], None], tmp_path: Path
) -> None:
    digest = store.stat("large").digest
    damage(store)
    for ref in ("large", "large@1", digest, store.stat("large")):
        with pytest.raises(ArtifactCorrupt, match=rf"artifact ({digest}|large(@1)?) is") as caught:
            store.get(ref)
        assert caught.value.digest == digest
        assert caught.value.repair in caught.value.hint
    assert store.get("small") == SMALL
    assert store.scrub().ok is False
    assert [problem.refs for problem in store.scrub().problems] == [("large@1",)]


@pytest.mark.parametrize("damage", DAMAGE_TO_THE_FILE)
def test_the_told_command_heals(
    store: ArtifactStore, damage: Callable[[ArtifactStore], None], tmp_path: Path
) -> None:
    damage(store)
    with pytest.raises(ArtifactCorrupt) as caught:
        store.get("large")
    original = tmp_path / "the original"
    original.write_bytes(LARGE)
    words = shlex.split(caught.value.repair.replace("FILE", shlex.quote(str(original))))
    assert words[1] == "artifacts"
    assert main(words[2:]) == 0
    assert store.get("large") == store.get("large@1") == LARGE
    assert store.scrub().ok


@pytest.mark.parametrize("statement", DAMAGE_TO_THE_ROWS)
def test_a_damaged_row_is_told_and_never_believed(store: ArtifactStore, statement: str) -> None:
    sql(store, statement)
    with pytest.raises((ArtifactCorrupt, ArtifactMissing)):
        store.get("small")
    assert store.get("large") == LARGE
    assert not store.scrub().ok


def test_a_newest_version_that_is_not_the_newest_is_told(store: ArtifactStore) -> None:
    store.put(b"newer", name="small")
    sql(store, "UPDATE artifacts SET head = 1 WHERE name = 'small'")
    with pytest.raises(ArtifactCorrupt, match="index"):
        store.get("small")
    assert not store.check().ok
    assert store.put(b"newest", name="small").version == 3
    assert store.get("small") == b"newest"


@pytest.mark.parametrize("statement", DAMAGE_TO_THE_ROWS[:5])
def test_another_put_of_the_bytes_heals_them_where_they_are(
    store: ArtifactStore, statement: str
) -> None:
    """Else a put would acknowledge bytes that are not there."""
    sql(store, statement)
    store.put(SMALL)
    assert store.get("small") == SMALL
    assert store.scrub().ok


@pytest.mark.parametrize("damage", [flip, lose])
@pytest.mark.parametrize("kind", ["bytes", "path"])
def test_a_put_never_relies_on_a_damaged_copy(
    store: ArtifactStore, damage: Callable[[ArtifactStore], None], kind: str, tmp_path: Path
) -> None:
    damage(store)
    source = tmp_path / "large"
    source.write_bytes(LARGE)
    store.put(LARGE if kind == "bytes" else source, name="again")
    assert store.get("again") == store.get("large") == LARGE


def test_check_sees_what_is_missing_and_scrub_every_byte(store: ArtifactStore) -> None:
    flip(store)
    assert store.check().ok
    report = store.scrub()
    assert (report.ok, report.blobs, report.versions) == (False, 3, 3)
    assert report.read_bytes == len(b"before") + len(SMALL) + len(LARGE)
    lose(store)
    (problem,) = store.check().problems
    assert problem.refs == ("large@1",)
    assert "missing" in problem.reason
    assert "artifacts put" in problem.repair


def test_scrub_goes_by_the_sha256_alone(store: ArtifactStore) -> None:
    """Even where bytes and their quick checksum have been changed together."""
    changed = xxhash.xxh3_64_digest(b"b small thing")
    sql(store, f"UPDATE contents SET data = CAST('b small thing' AS BLOB) WHERE blob_id = {INLINE}")
    sql(store, f"UPDATE blobs SET xxh3 = ? WHERE id = {INLINE}", changed)
    (problem,) = store.scrub().problems
    assert problem.refs == ("small@1",)


def test_files_that_nobody_refers_to_are_no_damage_and_are_swept(store: ArtifactStore) -> None:
    orphan = file_of(store).parent / ("0" * 62)
    orphan.write_bytes(b"left by a crash")
    stranger = orphan.parent / "README"
    stranger.write_text("not ours")
    report = store.check()
    assert (report.ok, report.unreferenced) == (True, 1)
    assert store.sweep() == 1
    assert not orphan.exists()
    assert stranger.exists()
    assert store.check().unreferenced == 0
    assert store.get("large") == LARGE


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_every_flipped_bit_anywhere_is_harmless_or_told(tmp_path: Path) -> None:
    """Bits of the index's pages, of inline bytes and of files; never wrong data."""
    expected: dict[str, bytes] = {}
    randomness = random.Random(7)
    with ArtifactStore.open(tmp_path / "store") as store, store.batch():
        for number in range(20):
            data = randomness.randbytes(randomness.choice([10, 3_000, 40_000]))
            if number % 2:  # a text reads as bytes and as text: SQLite may mistake the one
                data = data.hex().encode()
            said = {"made_by": "m@1", "metadata": {"k": number}, "parameters": {"n": number}}
            ref = store.put(data, name=f"dir/{number % 15}", tags={"t"}, **said).ref
            expected[ref] = data
    heads = {ref.rpartition("@")[0]: ref for ref in expected}
    expected |= {name: expected[ref] for name, ref in heads.items()}
    files = [file for file in (tmp_path / "store").rglob("*") if file.is_file()]
    assert len(files) > 3
    told = 0
    for _ in range(proof_count(150, 2_000)):
        file = randomness.choice([files[0], *files]) if randomness.random() < 0.5 else _index(files)
        told += _flip_and_read(tmp_path / "store", file, randomness, expected)
    assert told > 0


def _index(files: list[Path]) -> Path:
    return next(file for file in files if file.name == "index.db")


def _flip_and_read(
    path: Path, file: Path, randomness: random.Random, expected: dict[str, bytes]
) -> int:
    """Flip one bit, read everything, put the bit back; return how many errors told of it."""
    whole = file.read_bytes()
    position, bit = randomness.randrange(len(whole)), 1 << randomness.randrange(8)
    file.write_bytes(whole[:position] + bytes([whole[position] ^ bit]) + whole[position + 1 :])
    told = 0
    try:
        with ArtifactStore.open(path, create=False) as store:
            for ref, data in expected.items():
                try:
                    assert store.get(ref) == data, (file.name, position, bit, ref)
                except SymphonyError:
                    told += 1
            for look in (store.list, store.stats, lambda: store.lineage("dir/1").to_dict()):
                with contextlib.suppress(SymphonyError):
                    look()
            try:
                ok = store.scrub().ok
            except SymphonyError:
                ok = False
            assert not (told and ok), (file.name, position, bit)
    except SymphonyError:
        told += 1
    for extra in (path / "index.db-wal", path / "index.db-shm"):
        extra.unlink(missing_ok=True)
    file.write_bytes(whole)
    return told
