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
    began = time.monotonic()
    sy("run", MELODY, "--input", f"path={wide}", at=tmp_path / "whole")
    lasts = time.monotonic() - began
    expected = sy("artifacts", "get", "brief.md", at=tmp_path / "whole").stdout
    moments = random.Random(7)
    killed = 0
    for n in range(proof_count(10, 40)):
        home = tmp_path / f"home{n}"
        home.mkdir()
        process = start(home, wide)
        time.sleep(moments.uniform(0.3, 0.95) * lasts)  # the moment itself is what is tried
        process.kill()
        process.communicate()
        runs = json.loads(sy("runs", "--json", at=home).stdout)
        if not runs:  # killed before there was a run
            continue
        killed += runs[0]["state"] != "completed"
        before = journaled(home)

        resumed = sy("resume", "night", "--json", at=home).stdout

        events = [json.loads(line) for line in resumed.splitlines()]
        started = {
            (e["node"], e["item"])
            for e in events
            if e["kind"] == "node.started" and e["sequence"] > before[0]
        }
        assert not started & before[1]
        assert sy("artifacts", "get", "brief.md", at=home).stdout == expected
    assert killed >= 3, "the moments were not spread over the run"


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
