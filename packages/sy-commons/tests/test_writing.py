import errno
import fcntl
import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sy_commons import (
    DiskFull,
    FileProblem,
    NotAFile,
    PathMissing,
    SymphonyError,
    atomic_write,
)
from sy_commons.testing import proof_count


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("content", [b"{}", "größe", bytearray(b"a"), memoryview(b"b"), b""])
def test_it_replaces_what_was_there_and_leaves_nothing_else(file: Path, content: Any) -> None:
    for _ in range(2):
        atomic_write(file, content)

        wanted = content.encode() if isinstance(content, str) else bytes(content)
        assert file.read_bytes() == wanted
        assert os.listdir(file.parent) == ["state.json"]  # noqa: PTH208 - plain calls look where ours wrote


def test_the_mode_is_kept_and_a_new_file_gets_what_the_umask_leaves(file: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic_write(file, b"1")
    finally:
        os.umask(before)
    assert mode_of(file) == 0o640

    file.chmod(0o600)
    atomic_write(file, b"2")
    assert mode_of(file) == 0o600

    atomic_write(file, b"3", mode=0o604)
    assert mode_of(file) == 0o604


def test_a_secret_files_contents_are_never_in_a_file_that_others_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode is set before the first byte is written."""
    file.touch(mode=0o600)
    modes: list[int] = []
    real = os.write

    def write(descriptor: int, data: memoryview) -> int:
        modes.append(os.fstat(descriptor).st_mode & 0o777)
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    atomic_write(file, b"x")

    assert modes == [0o600]


def test_a_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/file")
    (tmp_path / "again").symlink_to("link")

    atomic_write(tmp_path / "again", b"x")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "again").is_symlink()
    assert os.listdir(tmp_path / "real") == ["file"]  # noqa: PTH208 - plain calls look where ours wrote


def test_what_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "circle").symlink_to("circle")

    for name, error in (
        ("no/file", PathMissing),
        ("fifo/file", PathMissing),
        (".", NotAFile),
        ("fifo", NotAFile),
        ("circle", FileProblem),
        ("a\0b", FileProblem),
        ("x" * 300, FileProblem),
    ):
        with pytest.raises(error):
            atomic_write(tmp_path / name, b"x")
    assert sorted(os.listdir(tmp_path)) == ["circle", "fifo"]  # noqa: PTH208 - plain calls look where ours wrote


def test_a_name_of_the_longest_length_is_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "ö" * 127):
        atomic_write(tmp_path / name, b"x")

    assert len(os.listdir(tmp_path)) == 2  # noqa: PTH208 - plain calls look where ours wrote


@pytest.mark.parametrize("step", ["write", "fsync", "rename", "fchmod"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()])
def test_after_a_failure_the_old_file_stands_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    file.write_bytes(b"old")

    def fail(*arguments: Any, **keywords: Any) -> None:
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises((DiskFull, KeyboardInterrupt)):
        atomic_write(file, b"new")
    monkeypatch.undo()

    assert file.read_bytes() == b"old"
    assert os.listdir(file.parent) == ["state.json"]  # noqa: PTH208 - plain calls look where ours wrote


def test_the_file_is_on_disk_before_it_takes_its_place_and_the_folder_after(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def sync(descriptor: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112 - as the kernel names it
        fsync(descriptor)

    def replace(*arguments: Any, **keywords: Any) -> None:
        done.append("rename")
        rename(*arguments, **keywords)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", replace)
    atomic_write(file, b"x")

    assert done == ["file", "rename", "folder"]


def test_short_writes_are_gone_on_with(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[int, Any], int] = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))

    atomic_write(file, b"0123456789")

    assert file.read_bytes() == b"0123456789"


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(file: Path) -> None:
    left = [file.with_name(f".state.json.{slot}.sy-tmp") for slot in (0, 1, 3)]
    for temporary in left:
        temporary.write_bytes(b"half")
    with left[1].open("rb") as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        atomic_write(file, b"x")

        assert sorted(file.parent.iterdir()) == sorted([file, left[1]])
    atomic_write(file, b"y")
    assert list(file.parent.iterdir()) == [file]


def test_names_that_others_hold_cannot_stop_a_write(file: Path) -> None:
    """A folder, a FIFO and links in the places of the temporary files: none is touched."""
    places = [file.with_name(f".state.json.{slot}.sy-tmp") for slot in range(4)]
    places[0].mkdir()
    os.mkfifo(places[1])
    victim = file.with_name("victim")
    victim.write_bytes(b"mine")
    places[2].symlink_to(victim)
    places[3].symlink_to("nowhere")

    atomic_write(file, b"x")

    assert file.read_bytes() == b"x"
    assert victim.read_bytes() == b"mine"
    assert sorted(file.parent.iterdir()) == sorted([file, victim, *places])


def test_many_writers_of_one_file_all_succeed(file: Path) -> None:
    contents = [bytes([65 + number]) * 5000 for number in range(8)]
    failures: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(20):
                atomic_write(file, content)
                assert file.read_bytes() in contents
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.integration
def test_a_full_disk_is_told_and_the_old_file_stands(file: Path) -> None:
    """The kernel's own limit on the size of a file stands for the full disk."""
    file.write_bytes(b"old")
    program = textwrap.dedent(f"""
        import resource, signal
        from sy_commons import DiskFull, atomic_write
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            atomic_write({str(file)!r}, b"x" * 5000)
        except DiskFull as error:
            print(error.hint)
    """)

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "what was there before stands" in run.stdout
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


KILLED = """
import hashlib, json, os, random, signal, sys, time
from sy_commons import atomic_write

folder, kills = sys.argv[1], int(sys.argv[2])
path, stop = os.path.join(folder, "data", "file"), os.path.join(folder, "stop")
os.mkdir(os.path.dirname(path))
chance = random.Random(7)

def content(number):
    body = (b"%d," % number) * (20 + number % 9000)
    return hashlib.sha256(body).digest() + body

def whole(data):
    return hashlib.sha256(data[32:]).digest() == data[:32]

atomic_write(path, content(0))
readers = []
for _ in range(4):
    ours, theirs = os.pipe()
    reader = os.fork()
    if reader == 0:
        count = torn = 0
        while not os.path.exists(stop):
            with open(path, "rb") as file:
                torn += not whole(file.read())
            count += 1
        os.write(theirs, json.dumps([count, torn]).encode())
        os._exit(0)
    os.close(theirs)
    readers.append((reader, ours))

left_behind = remaining = 0
for number in range(kills):
    writer = os.fork()
    if writer == 0:
        while True:
            number += 1
            atomic_write(path, content(number))
    time.sleep(chance.uniform(0.0005, 0.006))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    left_behind += len(os.listdir(os.path.dirname(path))) > 1
    atomic_write(path, content(number))
    remaining += len(os.listdir(os.path.dirname(path))) > 1
open(stop, "w").close()
told = []
for reader, pipe in readers:
    os.waitpid(reader, 0)
    told.append(json.loads(os.read(pipe, 1000)))
print(json.dumps({
    "reads": sum(count for count, _ in told), "torn": sum(torn for _, torn in told),
    "killed_in_the_middle": left_behind, "remaining": remaining,
}))
"""


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_no_reader_sees_a_torn_file_whenever_the_writer_is_killed(tmp_path: Path) -> None:
    kills = proof_count(30, 1000)

    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(kills)],
        capture_output=True,
        text=True,
        check=True,
    )

    told = json.loads(run.stdout)
    assert told["torn"] == 0
    assert told["remaining"] == 0
    assert told["reads"] > kills
    assert told["killed_in_the_middle"] > kills // 10, "the kills have to hit"


def test_errors_of_files_are_of_a_kind() -> None:
    for cls in (DiskFull, FileProblem, NotAFile, PathMissing):
        assert issubclass(cls, SymphonyError)
