"""A real process, killed with SIGKILL wherever it happens to be, and what is left of its run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from sy_commons.testing import proof_count
from sy_dag import Engine, RunState
from sy_dag._run._facts import Completed
from sy_dag._run._journal import read

PROGRAM = """
import asyncio, json, os, sys
from sy_dag import Workflow, context, run, task

HERE = sys.argv[1]

def did(word):
    here = context()
    fd = os.open(f"{HERE}/effects", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f"{here.node} {here.item}\\n".encode())
    os.close(fd)

def first_time(word):
    try:
        os.close(os.open(f"{HERE}/{word}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

@task
def names(count: int) -> list[str]:
    did("names")
    return [f"item-{n}" for n in range(count)]

@task(retries=2, backoff="constant")
async def fetch(name: str) -> dict:
    did("fetch")
    await asyncio.sleep(0.001)
    if name.endswith("7") and first_time(f"fetch-{name}"):
        raise OSError("flaky")
    return {"name": name, "text": name * 30}

@task(where="thread", then="skip")
def measure(page: dict) -> int:
    did("measure")
    if page["name"].endswith("3"):
        raise ValueError("not measurable")
    return len(page["text"])

@task
def large(pages: list) -> bytes:
    did("large")
    return "".join(page["text"] for page in pages).encode() * 50

@task(fallback="plainly")
def cleverly(sizes: list) -> int:
    did("cleverly")
    raise RuntimeError("too clever")

@task(only="fallback")
async def plainly(sizes: list) -> int:
    did("plainly")
    return sum(sizes)

@task
def report(total: int, blob: bytes) -> str:
    did("report")
    return f"{total} of {len(blob)}"

with Workflow("killed") as wf:
    pages = fetch.map(names(wf.input("count", int)))
    sizes = measure.map(pages)
    total = cleverly(sizes)
    plainly(sizes)
    wf.output("report", report(total, large(pages)))
    wf.output("sizes", sizes)

if __name__ == "__main__":
    result = run(wf, {"count": 40}, folder=f"{HERE}/runs", run_id="r", threads=2, concurrency=8)
    print(json.dumps({"state": result.state, "outputs": result.outputs,
                      "skipped": [list(unit)[:2] for unit in result.skipped]}))
"""


class Scene:
    """A folder with the program, its run, and the list of what its tasks did."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "program.py").write_text(PROGRAM)

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-B", str(self.folder / "program.py"), str(self.folder)]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    def finish(self) -> bytes:
        process = self.start()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return out

    def kill_at(self, size_bytes: int) -> bool:
        """Kill a fresh process once the journal has grown past *size_bytes*; False if it ended."""
        process = self.start()
        try:
            while process.poll() is None:
                if self.journal.exists() and self.journal.stat().st_size >= size_bytes:
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.0002)
        finally:
            process.communicate()
        return process.returncode == -signal.SIGKILL

    @property
    def journal(self) -> Path:
        return self.folder / "runs" / "r" / "journal"

    def effects(self) -> Counter[str]:
        path = self.folder / "effects"
        return Counter(path.read_text().splitlines() if path.exists() else ())

    def completed(self) -> set[str]:
        return {
            f"{fact.node} {fact.item}"
            for fact in read(self.journal).records
            if isinstance(fact, Completed)
        }


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_a_killed_run_resumes_to_the_same_result_and_repeats_nothing_complete(
    tmp_path: Path,
) -> None:
    calm = Scene(tmp_path / "calm")
    expected = calm.finish()
    begins, ends = 2500, calm.journal.stat().st_size
    rng = random.Random(os.environ.get("SYMPHONY_SEED", "moments"))
    killed = 0
    for case in range(proof_count(10, 200)):
        scene = Scene(tmp_path / f"case-{case}")
        for _ in range(rng.choice([1, 1, 2])):
            if not scene.kill_at(rng.randint(begins, ends)):
                break
            killed += 1
            complete, before = scene.completed(), scene.effects()
        else:
            assert scene.finish() == expected
            after = scene.effects()
            again = {unit for unit in complete if after[unit] != before[unit]}
            assert not again, f"case {case}: {again} ran again"
    assert killed >= proof_count(8, 160)


@pytest.mark.integration
def test_a_killed_run_counts_as_interrupted_and_tells_how_far_it_came(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "scene")
    assert scene.kill_at(6000)
    [summary] = Engine(scene.folder / "runs").runs()
    assert (summary.run_id, summary.workflow, summary.state) == (
        "r",
        "killed",
        RunState.INTERRUPTED,
    )
    assert 0 < summary.progress.completed < summary.progress.total
    assert summary.pid is None


WAITING = """
import asyncio, sys
from sy_dag import Workflow, run, task

@task
async def forever() -> None:
    print("here", flush=True)
    await asyncio.Event().wait()

with Workflow("waiting") as wf:
    forever()
if __name__ == "__main__":
    run(wf, folder=sys.argv[1], run_id="r")
"""


@pytest.mark.integration
def test_ctrl_c_interrupts_a_blocking_run_within_a_second(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    command = [sys.executable, "-B", str(tmp_path / "waiting.py"), str(tmp_path / "runs")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=10)
        took_s = time.monotonic() - began
    assert process.returncode == -signal.SIGINT
    assert b"KeyboardInterrupt" in said
    assert took_s < 1.0
    [summary] = Engine(tmp_path / "runs").runs()
    assert (summary.state, summary.pid) == (RunState.INTERRUPTED, None)
