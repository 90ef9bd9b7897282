"""A performance that is killed or interrupted goes on, and does nothing twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from scenes import MELODY, ROOT, Sy, command, variables

from sy_commons.testing import proof_count
from sy_dag import Engine

FILES = 60


def start(home: Path, folder: Path) -> subprocess.Popen[str]:
    words = ("run", MELODY, "--input", f"path={folder}", "--run-id", "night", "--json")
    return subprocess.Popen(
        command(*words),
        cwd=ROOT,
        env=variables(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def wide(tree: Path) -> Path:
    """A tree with enough files that a run lasts a moment."""
    for n in range(FILES):
        text = f'"""Module {n} keeps the books of street number {n}."""\n' + "x = 1\n" * 50
        (tree / "shop" / f"street_{n:03}.py").write_text(text)
    return tree


def completed(events: list[dict[str, object]]) -> set[tuple[object, object]]:
    return {(e["node"], e["item"]) for e in events if e["kind"] == "node.completed"}


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_a_killed_run_resumes_to_the_same_brief_and_runs_nothing_again(
    sy: Sy, wide: Path, tmp_path: Path
) -> None:
    """SIGKILL at random moments; the second process gets what the first had left."""
    (tmp_path / "whole").mkdir()
    words = ("run", MELODY, "--input", f"path={wide}", "--json")
    told = sy(*words, at=tmp_path / "whole").stdout.count("\n")
    expected = sy("artifacts", "get", "brief.md", at=tmp_path / "whole").stdout
    moments = random.Random(7)
    for n in range(proof_count(10, 60)):
        home = tmp_path / f"home{n}"
        home.mkdir()
        kill_after(start(home, wide), moments.randrange(1, int(told * 0.9)))
        sequence, complete = journaled(home)

        resumed = sy("resume", "night", "--json", at=home).stdout

        started = {
            (event["node"], event["item"])
            for event in map(json.loads, resumed.splitlines())
            if event["kind"] == "node.started" and event["sequence"] > sequence
        }
        assert not started & complete
        assert started, "it was killed too late to prove anything"
        assert sy("artifacts", "get", "brief.md", at=home).stdout == expected


def kill_after(process: subprocess.Popen[str], events: int) -> None:
    """SIGKILL *process* when it has told so many events, and let its pipes go."""
    assert process.stdout is not None
    for _ in range(events):
        process.stdout.readline()
    process.kill()
    process.communicate()


@pytest.mark.integration
def test_ctrl_c_stops_within_a_second_and_says_how_to_go_on(sy: Sy, wide: Path, home: Path) -> None:
    process = start(home, wide)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["kind"] == "node.completed":
            break

    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    rest, said = process.communicate(timeout=10)

    assert time.monotonic() - began < 2.0  # a second, and the noise of a shared machine
    assert process.returncode == 130, (rest, said)
    assert "resume" in said + rest
    assert "Traceback" not in said
    sy("resume", "night")
    assert sy("artifacts", "get", "brief.md").stdout.startswith("# Shop")


def journaled(home: Path) -> tuple[int, set[tuple[object, object]]]:
    """Read with the engine's own eyes what the killed run had complete, and its last sequence."""
    stored = Engine(home / "symphony" / "runs").open("night")
    events = [event.to_dict() for event in stored.history]
    return max((e["sequence"] for e in events), default=-1), completed(events)
