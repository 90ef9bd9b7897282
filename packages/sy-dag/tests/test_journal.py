"""The journal's bytes: torn, cut and flipped anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sy_dag import Engine, JournalDamaged, JournalUnknown, OutputNotStorable, Workflow, task
from sy_dag._run._codec import decode_value, encode_value
from sy_dag._run._facts import Began, Completed, Ended, Started
from sy_dag._run._journal import MAGIC, Durability, Header, Journal, Story, read


def write(path: Path, durability: Durability = Durability.PROCESS) -> tuple[Journal, list]:
    header = Header("r", 1.0, {"schema": 1}, b"\x80", {})
    journal = Journal.create(path, header, durability)
    facts = [
        Began(1.0),
        Started("a", None, 1, 1.5),
        Completed("a", None, 1, 1.5, 2.0),
        Ended("completed", 3.0),
    ]
    for fact in facts:
        journal.append(fact)
    journal.flush()
    return journal, facts


@pytest.mark.parametrize("durability", [Durability.PROCESS, Durability.POWER])
def test_what_is_flushed_is_read_back(tmp_path: Path, durability: Durability) -> None:
    journal, facts = write(tmp_path / "journal", durability)
    story = read(tmp_path / "journal")
    assert (story.header.run_id, story.records) == ("r", facts)
    assert story.size_bytes == journal.stats()["size_bytes"]
    journal.close()


def test_what_is_not_flushed_is_not_there(tmp_path: Path) -> None:
    journal, facts = write(tmp_path / "journal")
    journal.append(Began(9.0))
    assert read(tmp_path / "journal").records == facts
    journal.close()


def test_a_journal_cut_anywhere_tells_its_whole_facts_and_goes_on(tmp_path: Path) -> None:
    journal, facts = write(tmp_path / "journal")
    journal.close()
    data = (tmp_path / "journal").read_bytes()
    first = len(read_cut(tmp_path, data, len(data)).records)
    assert first == len(facts)
    told = set()
    for size in range(len(data)):
        try:
            story = read_cut(tmp_path, data, size)
        except (JournalDamaged, JournalUnknown):
            assert size < len(data) - 4 * 10  # the header itself is cut
            continue
        assert story.records == facts[: len(story.records)]
        told.add(len(story.records))
        again = Journal.reopen(tmp_path / "cut", story.size_bytes, Durability.PROCESS)
        again.append(Ended("failed", 9.0))
        again.flush()
        again.close()
        assert read(tmp_path / "cut").records == [*story.records, Ended("failed", 9.0)]
    assert told == {0, 1, 2, 3}


def read_cut(folder: Path, data: bytes, size: int) -> Story:
    (folder / "cut").write_bytes(data[:size])
    return read(folder / "cut")


def test_no_flipped_byte_goes_unseen(tmp_path: Path) -> None:
    """Either the journal is refused, or the last fact alone is dropped as torn."""
    journal, facts = write(tmp_path / "journal")
    journal.close()
    data = bytearray((tmp_path / "journal").read_bytes())
    for at in range(len(data)):
        for flip in (0x01, 0x80):
            data[at] ^= flip
            (tmp_path / "flipped").write_bytes(data)
            data[at] ^= flip
            try:
                records = read(tmp_path / "flipped").records
            except (JournalDamaged, JournalUnknown):
                continue
            assert records == facts[:-1], f"byte {at}"


def test_damage_is_told_with_its_place_and_repair_keeps_what_stands_before(tmp_path: Path) -> None:
    journal, facts = write(tmp_path / "journal")
    journal.close()
    data = bytearray((tmp_path / "journal").read_bytes())
    at = data.index(b"a", data.index(b"\xd7\x5e", len(MAGIC) + 40))
    data[at] ^= 0xFF
    (tmp_path / "journal").write_bytes(data)
    with pytest.raises(JournalDamaged) as caught:
        read(tmp_path / "journal")
    assert caught.value.path == str(tmp_path / "journal")
    assert len(MAGIC) < caught.value.offset <= at
    assert read(tmp_path / "journal", repair=True).records == facts[:1]


def test_a_full_disk_leaves_whole_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half way is taken back, and the journal can go on later."""
    journal, facts = write(tmp_path / "journal")
    journal.append(Completed("b", None, 1, 3.0, 4.0))
    real = os.write
    calls = []

    def torn(fd: int, data: memoryview) -> int:
        if calls:
            raise OSError(28, "No space left on device")
        calls.append(1)
        return real(fd, bytes(data[:7]))

    monkeypatch.setattr(os, "write", torn)
    with pytest.raises(OSError, match="No space"):
        journal.flush()
    monkeypatch.undo()
    assert read(tmp_path / "journal").records == facts
    journal.flush()
    assert len(read(tmp_path / "journal").records) == len(facts) + 1
    journal.close()


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda part: (
        st.lists(part) | st.dictionaries(st.text(), part) | st.tuples(part) | st.sets(st.integers())
    ),
)


@settings(deadline=None)
@given(PLAIN)
def test_a_value_comes_back_as_it_went_in(value: object) -> None:
    back = decode_value(encode_value(value, "n"))
    assert back == value
    assert shape(back) == shape(value)


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [shape(part) for part in value]
    return type(value)


def test_what_cannot_be_kept_is_told() -> None:
    with pytest.raises(OutputNotStorable) as caught:
        encode_value(lambda: None, "maker")
    assert caught.value.node == "maker"


@task
def text(size: int) -> str:
    return "x" * size


async def test_a_large_output_lies_beside_the_journal(tmp_path: Path) -> None:
    """The journal grows by a key, and the value is there again when the run is resumed."""
    with Workflow("large") as wf:
        wf.output("text", text(100_000))
    async with Engine(tmp_path) as engine:
        result = await (await engine.start(wf, run_id="r")).result()
        assert result.outputs["text"] == "x" * 100_000
        assert (tmp_path / "r" / "journal").stat().st_size < 2_000
        assert engine.open("r").outputs["text"] == "x" * 100_000
