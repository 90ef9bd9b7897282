"""What was acknowledged is there: after kill -9, on a full disk, on one that fails."""

from __future__ import annotations

import errno
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sy_artifacts import ArtifactStore, StoreFull, StoreWriteFailed, _blobs
from sy_commons.testing import proof_count, require_program

LARGE = bytes(range(256)) * 400
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """Start processes that write to the store."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(program: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", program, str(path), *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


# What a writer puts is a function of its number, so that whoever looks later knows the bytes.
WRITER = """
import os, random, sys
from pathlib import Path
from sy_artifacts import ArtifactStore

def data_of(worker, number):
    randomness = random.Random(f"{worker} {number}")
    return randomness.randbytes(randomness.choice([100, 9_000, 40_000, 200_000]))

if __name__ == "__main__":
    path, worker, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with ArtifactStore.open(path) as store:
        for number in range(first, last):
            name = f"{worker}/{number % 7}" if number % 3 else None
            artifact = store.put(data_of(worker, number), name=name, tags={worker}, made_by="w@1")
            os.write(1, f"{number} {artifact.ref}\\n".encode())
"""
_writer: dict[str, Any] = {"__name__": "writer"}
exec(WRITER, _writer)
data_of: Callable[[str, int], bytes] = _writer["data_of"]


def acknowledged(lines: bytes) -> dict[int, str]:
    """Return the numbers that the writer told as stored, each with its ref."""
    told = [line.split() for line in lines.decode().splitlines()]
    return {int(number): ref for number, ref in told}


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_a_killed_writer_loses_nothing_it_acknowledged_and_leaves_nothing_half_written(
    path: Path, start: Start
) -> None:
    randomness = random.Random(11)
    known: dict[int, str] = {}
    first = 0
    for _ in range(proof_count(10, 100)):
        process = start(WRITER, "w", str(first), str(first + 10_000))
        assert process.stdout is not None
        lines = b"".join(process.stdout.readline() for _ in range(randomness.randint(1, 40)))
        process.kill()
        lines += process.stdout.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        told = acknowledged(whole)
        assert told
        known |= told
        first = max(known) + 2  # the one under way may have happened or not
        with ArtifactStore.open(path, create=False) as store:
            assert list((path / "temp").iterdir()) == []
            report = store.check()
            assert report.ok, report.problems
            for number, ref in told.items():
                assert store.get(ref) == data_of("w", number), ref
            store.sweep()
            assert store.check().unreferenced == 0
    with ArtifactStore.open(path, create=False) as store:
        assert store.scrub().ok
        for number, ref in known.items():
            assert store.get(ref) == data_of("w", number), ref


@pytest.mark.integration
def test_processes_write_at_once_and_every_put_of_each_is_there(path: Path, start: Start) -> None:
    workers = ["a", "b", "a"]  # two of them put the same bytes under the same names
    processes = [start(WRITER, worker, "0", "25") for worker in workers]
    with ArtifactStore.open(path) as store:
        for worker, process in zip(workers, processes, strict=True):
            out, _ = process.communicate()
            assert process.returncode == 0
            for number, ref in acknowledged(out).items():
                assert store.get(ref) == data_of(worker, number)
        report = store.scrub()
        assert (report.ok, report.unreferenced, report.blobs) == (True, 0, 50)


@pytest.mark.integration
def test_opening_does_not_touch_what_a_living_writer_has_under_way(
    path: Path, start: Start
) -> None:
    process = start(HELD)
    assert process.stdout is not None
    assert process.stdout.readline() == b"half\n"
    with ArtifactStore.open(path) as store:
        (own,) = (path / "temp").iterdir()
        assert len(list(own.iterdir())) == 1
        store.sweep()
        assert len(list(own.iterdir())) == 1
    process.kill()
    process.wait()
    ArtifactStore.open(path).close()
    assert list((path / "temp").iterdir()) == []


HELD = """
import os, sys
from sy_artifacts import ArtifactStore

class Endless:
    def __init__(self):
        self.read_once = False
    def read(self, size):
        if self.read_once:
            os.write(1, b"half\\n")
            sys.stdin.read()
        self.read_once = True
        return bytes(size)

sys.stdin = os.fdopen(os.pipe()[0])
ArtifactStore.open(sys.argv[1]).put(Endless())
"""


@pytest.mark.integration
def test_the_bytes_are_on_the_disk_before_their_name_and_the_name_before_the_index(
    path: Path, tmp_path: Path
) -> None:
    """File synced, renamed, folder synced, then the index's log: in the real system calls."""
    strace = require_program("strace")
    program = (
        "import os, sys\nfrom sy_artifacts import ArtifactStore\n"
        "with ArtifactStore.open(sys.argv[1]) as store:\n"
        "    store.put(b'first')\n"
        "    os.write(1, b'mark\\n')\n"
        "    store.put(bytes(100_000))\n"
        "    os.write(1, b'mark\\n')\n"
    )
    calls = "fsync,fdatasync,rename,renameat,renameat2,write,pwrite64"
    trace = tmp_path / "trace"
    command = [strace, "-f", "-y", "-e", f"trace={calls}", "-o", str(trace)]
    subprocess.run(
        [*command, sys.executable, "-c", program, str(path)], check=True, capture_output=True
    )
    _, during, _ = re.split(r".*\"mark\\n\".*\n", trace.read_text())
    order = [
        r"write\(\d+<[^>]*/temp/",
        r"fsync\(\d+<[^>]*/temp/",
        r"rename[^(]*\(.*/temp/.*/blobs/",
        r"fsync\(\d+<[^>]*/blobs/../?>|fsync\(\d+<[^>]*/blobs/..>",
        r"pwrite64\(\d+<[^>]*index\.db-wal>",
        r"(fsync|fdatasync)\(\d+<[^>]*index\.db-wal>",
    ]
    position = 0
    for step in order:
        found = re.search(step, during[position:])
        assert found, (step, during)
        position += found.end()


# -- a disk that fails


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreWriteFailed)],
)
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "mkdir"])
def test_a_disk_that_fails_acknowledges_nothing_and_leaves_nothing(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[Exception],
    call: str,
) -> None:
    with ArtifactStore.open(path) as store:
        store.put(b"before", name="a")

        def fail(*arguments: object, **options: object) -> None:
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as broken:
            if call in {"write", "fsync"}:
                broken.setattr(_blobs.os, call, fail)
            else:
                broken.setattr(_blobs.Path, call, fail)
            with pytest.raises(error, match=re.escape(os.strerror(number))):
                store.put(LARGE, name="a")
        assert store.get("a") == b"before"
        assert [file for file in path.rglob("*/*/*") if file.is_file()] == []
        assert store.check().unreferenced == 0
        assert store.put(LARGE, name="a").version == 2
        assert store.get("a") == LARGE


def test_a_folder_that_cannot_be_synced_takes_the_whole_batch_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ArtifactStore.open(path) as store:
        store.put(b"before", name="a")
        with monkeypatch.context() as broken:
            broken.setattr(_blobs.BlobFiles, "sync", _refuse)
            with pytest.raises(StoreWriteFailed):
                store.put(LARGE, name="b")
            with pytest.raises(StoreWriteFailed):
                _put_two(store)
        assert [artifact.name for artifact in store.list()] == ["a"]
        assert store.check().unreferenced == 0
        assert store.check().ok


def _refuse(*arguments: object) -> None:
    raise StoreWriteFailed(path="x", reason="made up")


def _put_two(store: ArtifactStore) -> None:
    with store.batch():
        store.put(b"small", name="c")
        store.put(LARGE, name="d")


def test_a_batch_with_a_put_that_failed_half_way_is_never_made_durable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever swallows the error."""
    with ArtifactStore.open(path) as store:
        with pytest.raises(StoreWriteFailed, match="half-way"):
            _swallow_a_failure(store, monkeypatch)
        assert store.stats().versions == 0


def _swallow_a_failure(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.batch():
        store.put(b"one", name="a")
        with monkeypatch.context() as broken:
            broken.setattr("sy_artifacts._index.add_tags", _refuse)
            with pytest.raises(StoreWriteFailed, match="made up"):
                store.put(b"two", name="b")


LIMITED = """
import os, resource, sys
from sy_artifacts import ArtifactStore, StoreFull
limit = int(sys.argv[2])
size = int(sys.argv[3])
with ArtifactStore.open(sys.argv[1]) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    stored = []
    try:
        for number in range(10_000):
            stored.append(store.put(os.urandom(size), name=f"n/{number}").ref)
    except StoreFull as error:
        print("full:", error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert [a.ref for a in store.list()] == sorted(stored), "acknowledged and kept are not one"
    assert store.scrub().ok
    assert store.check().unreferenced == 0
    store.put(os.urandom(size), name="after")
"""


@pytest.mark.integration
@pytest.mark.parametrize(("limit", "size"), [(500_000, 10_000), (1_000_000, 1_500_000)])
def test_when_no_more_can_be_written_the_store_stands_and_goes_on_later(
    path: Path, start: Start, limit: int, size: int
) -> None:
    """The system's own limit on a file's size: first for the index, then for a blob's file."""
    process = start(LIMITED, str(limit), str(size))
    out, _ = process.communicate()
    assert process.returncode == 0
    assert out.startswith(b"full: no room left in the store")
    with ArtifactStore.open(path) as store:
        assert store.exists("after")
        assert list((path / "temp").iterdir()) == []


@pytest.mark.integration
def test_a_put_of_a_large_file_needs_little_memory(path: Path, tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(80 << 20)
    program = (
        "import resource, sys\nfrom pathlib import Path\nfrom sy_artifacts import ArtifactStore\n"
        "with ArtifactStore.open(sys.argv[1]) as store:\n"
        "    store.put(b'warm' * 20_000)\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    store.put(Path(sys.argv[2]), name='large')\n"
        "    store.put(Path(sys.argv[2]), name='again')\n"
        "    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    command = [sys.executable, "-c", program, str(path), str(source)]
    grown_mib = int(subprocess.run(command, check=True, capture_output=True).stdout)
    assert grown_mib < 24
