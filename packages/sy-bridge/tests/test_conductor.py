"""Melodies performed on a Pit in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sy_bridge import (
    Candidate,
    Choice,
    Conductor,
    InputMissing,
    InstrumentUnknown,
    MelodyMissing,
    OutputUnknown,
    Pit,
    PitClosed,
    RuleBrain,
)
from sy_commons import StorageError, SymphonyError
from sy_dag import Workflow
from sy_extensions import Instrument, Operator
from sy_pool import ModelTooBig

pytestmark = pytest.mark.integration  # a real store: every test syncs to the disk

MELODY = """
[melody]
name = "shout"
version = "2.0"
[inputs.words]
type = "list"
[nodes.loud]
operator = "test.loud"
map = { word = "$inputs.words" }
on_error = { then = "skip" }
[nodes.voice]
instrument = "sing"
with = { words = "$loud.ok" }
[outputs.song]
value = "$voice"
artifact = "song.txt"
[outputs.count]
value = "$loud.ok"
"""


class Loud(Operator):
    """Makes a word loud."""

    async def process(self, word: str) -> str:
        if word == "hush":
            raise SymphonyError("hush is not to be said", hint="say something else")
        return word.upper()


class Voice(Instrument):
    """Sings."""

    capabilities = frozenset({"sing"})
    memory = "1 MiB"
    active = 0

    async def on_activate(self) -> None:
        type(self).active += 1

    async def on_deactivate(self) -> None:
        type(self).active -= 1

    async def invoke(self, words: list[str]) -> str:
        return " ".join(words) + "!"


class Whistle(Voice):
    """Whistles."""


EXTENSIONS = {"test.loud": Loud, "test.voice": Voice, "test.whistle": Whistle}


def pit_at(path: Path, **options: Any) -> Pit:
    return Pit.open(path, extensions=EXTENSIONS, **options)


def shout() -> Workflow:
    return Workflow.from_toml(MELODY)


async def test_a_melody_is_performed_and_its_outputs_are_kept(tmp_path: Path) -> None:
    async with pit_at(tmp_path) as pit:
        performance = await Conductor(pit).perform(shout(), words=["a", "b"])

        assert performance.state == "completed"
        assert performance.outputs == {"song": "A B!", "count": ["A", "B"]}
        assert list(performance.artifacts) == ["song"]
        assert await pit.artifacts.get("song.txt") == b"A B!"
        ancestors = [found.name for found in (await pit.artifacts.lineage("song.txt")).ancestors]
        assert ancestors == ["shout/voice", "shout/loud/a", "shout/loud/b"]


async def test_a_skipped_item_is_told_and_is_no_ancestor(tmp_path: Path) -> None:
    async with pit_at(tmp_path) as pit:
        performance = await Conductor(pit).perform(shout(), words=["a", "hush"])

        [skipped] = performance.skipped
        assert (skipped.node, skipped.item) == ("loud", "hush")
        assert "hush is not to be said" in str(skipped.error)
        ancestors = [found.name for found in (await pit.artifacts.lineage("song.txt")).ancestors]
        assert ancestors == ["shout/voice", "shout/loud/a"]


async def test_a_capability_is_played_by_the_instrument_the_brain_chose(tmp_path: Path) -> None:
    class Last:
        def choose(self, wanted: str, candidates: Sequence[Candidate]) -> Choice:
            able = [c for c in candidates if wanted in c.capabilities]
            return Choice(max(c.id for c in able), "the last is the best")

    async with pit_at(tmp_path, brain=Last()) as pit:
        performance = await Conductor(pit).perform(shout(), words=["a"])

        assert "voice (completed): test.whistle: the last is the best" in performance.explain(
            "song"
        )
        with pytest.raises(OutputUnknown, match="did you mean 'song'"):
            performance.explain("sonk")


async def test_a_product_is_stored_before_its_node_is_complete(tmp_path: Path) -> None:
    """Killed between the two, the node runs again; the other way round its product were lost."""
    async with pit_at(tmp_path) as pit:
        seen: list[bool] = []

        async def look() -> None:
            async with pit.bus.subscribe("run.>", None, on_overflow="block") as events:
                listening.set()
                async for event in events:
                    if event["kind"] == "node.completed" and event["item"]:
                        seen.append(await pit.artifacts.exists(f"shout/loud/{event['item']}"))
                    if event["kind"] == "run.completed":
                        return

        listening = asyncio.Event()
        looking = asyncio.create_task(look())
        await listening.wait()
        await Conductor(pit).perform(shout(), words=["a", "b", "c"])
        await looking

        assert seen == [True, True, True]


async def test_the_instrument_is_loaded_by_the_pool_and_let_go_at_the_end(tmp_path: Path) -> None:
    async with pit_at(tmp_path) as pit:
        await Conductor(pit).perform(shout(), words=["a"])

        assert Voice.active == 1
    assert Voice.active == 0


async def test_an_instrument_beyond_the_budget_is_refused_at_once(tmp_path: Path) -> None:
    async with pit_at(tmp_path, memory="10 KiB") as pit:
        with pytest.raises(ModelTooBig, match=r"test\.voice"):
            await Conductor(pit).perform(shout(), words=["a"])


async def test_what_is_wrong_is_said_before_anything_runs(tmp_path: Path) -> None:
    async with pit_at(tmp_path) as pit:
        conductor = Conductor(pit)

        with pytest.raises(MelodyMissing, match="did you mean 'repo-brief'"):
            await conductor.perform("repo-breif")
        with pytest.raises(InputMissing, match="nowhere"):
            await conductor.perform("repo-brief", path=tmp_path / "nowhere")
        with pytest.raises(SymphonyError, match="words"):
            await conductor.perform(shout())
        assert pit.engine.runs() == []


async def test_an_interrupted_performance_resumes_by_its_id_in_another_pit(tmp_path: Path) -> None:
    class Slow(Loud):
        async def process(self, word: str) -> str:
            if word == "b":
                await asyncio.Event().wait()
            return word.upper()

    extensions = {**EXTENSIONS, "test.loud": Slow}
    async with Pit.open(tmp_path, extensions=extensions) as pit:
        conductor = Conductor(pit)
        async with conductor.start(shout(), {"words": ["a", "b"]}, run_id="night") as handle:
            async for event in handle.events(kinds={"node.completed"}):
                assert event.item == "a"
                break
            await handle.interrupt("enough")
            assert (await conductor.finish(handle)).state == "interrupted"
    async with pit_at(tmp_path) as pit:
        performance = await Conductor(pit).resume("night")

        assert performance.outputs["song"] == "A B!"
        assert performance.result.nodes["loud"].items["a"].attempts == 1


async def test_a_completed_run_taken_up_again_stores_nothing_anew(tmp_path: Path) -> None:
    """Else the outputs of an old run would become the newest."""
    async with pit_at(tmp_path) as pit:
        conductor = Conductor(pit)
        first = await conductor.perform(shout(), words=["a"])
        await conductor.perform(shout(), words=["b"])

        again = await conductor.resume(first.run_id)

        assert again.stored
        assert again.outputs == first.outputs
        assert again.artifacts["song"].version == 1
        assert await pit.artifacts.get("song.txt") == b"B!"


async def test_a_store_that_fails_breaks_the_run_off_and_skips_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk could not take is no fault of the item's: resumed, the run has all of it."""
    async with pit_at(tmp_path) as pit:
        put, full = pit.artifacts.put, [True]

        async def put_or_fail(data: bytes, **notes: Any) -> Any:
            if full[0] and data == b"B":
                raise StorageError("no room left in the store", hint="make room")
            return await put(data, **notes)

        monkeypatch.setattr(pit.artifacts, "put", put_or_fail)
        broken = await Conductor(pit).perform(shout(), words=["a", "b"])
        full[0] = False
        whole = await Conductor(pit).resume(broken.run_id)

        assert "no room left" in str(broken.result.error)
        assert broken.skipped == []
        assert whole.outputs["song"] == "A B!"


async def test_leaving_the_start_interrupts_the_run(tmp_path: Path) -> None:
    class Endless(Loud):
        async def process(self, word: str) -> str:
            await asyncio.Event().wait()
            return word

    async with Pit.open(tmp_path, extensions={**EXTENSIONS, "test.loud": Endless}) as pit:
        with pytest.raises(ZeroDivisionError):
            async with Conductor(pit).start(shout(), {"words": ["a"]}) as handle:
                raise ZeroDivisionError
        assert str(handle.state) == "interrupted"


async def test_two_pits_share_one_home(tmp_path: Path) -> None:
    async with pit_at(tmp_path) as one, pit_at(tmp_path) as two:
        first, second = await asyncio.gather(
            Conductor(one).perform(shout(), words=["a"]),
            Conductor(two).perform(shout(), words=["b"]),
        )

        assert {first.outputs["song"], second.outputs["song"]} == {"A!", "B!"}
        assert len(await one.artifacts.versions("song.txt")) == 2


def test_a_closed_pit_says_so(tmp_path: Path) -> None:
    with pytest.raises(PitClosed):
        _ = Pit.open(tmp_path).artifacts


def test_no_instrument_is_found_for_what_none_can() -> None:
    with pytest.raises(InstrumentUnknown, match=r"did you mean 'acme\.t5'"):
        RuleBrain().choose("acme.t6", [Candidate("acme.t5", "1", frozenset())])
