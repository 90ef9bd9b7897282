import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sy_commons import FileLock, LockHeld, LockMisused, PathMissing

HOLD = "import sys; from sy_commons import FileLock\nwith FileLock(sys.argv[1]):\n print('held', flush=True)\n sys.stdin.read()"  # noqa: E501 - a program


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.lock"


@pytest.fixture
def other(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.integration
def test_another_process_is_kept_out_and_named(path: Path, other: "subprocess.Popen[str]") -> None:
    with pytest.raises(LockHeld) as caught:
        FileLock(path, timeout_s=0).acquire()

    assert caught.value.owner == f"process {other.pid}"


@pytest.mark.integration
def test_a_killed_owner_holds_nothing(path: Path, other: "subprocess.Popen[str]") -> None:
    other.send_signal(signal.SIGKILL)

    with FileLock(path, timeout_s=10) as lock:
        assert lock.held
        assert lock.owner() == f"process {os.getpid()}"


@pytest.mark.integration
def test_waiting_ends_when_the_owner_does(path: Path, other: "subprocess.Popen[str]") -> None:
    assert other.stdin is not None
    threading.Timer(0.05, other.stdin.close).start()

    with FileLock(path) as lock:
        assert lock.held
    assert not lock.held


def test_threads_exclude_one_another(path: Path) -> None:
    inside = most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with FileLock(path):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (most, inside) == (1, 0)


def test_shared_locks_go_together_and_keep_others_out(path: Path) -> None:
    with FileLock(path, shared=True), FileLock(path, shared=True, timeout_s=0) as second:
        assert second.held
        with pytest.raises(LockHeld, match=r"was not given up within 0\.01 s"):
            FileLock(path, timeout_s=0.01).acquire()


def test_misuse_is_told(path: Path) -> None:
    lock = FileLock(path)
    with pytest.raises(LockMisused, match="not held"):
        lock.release()
    with lock, pytest.raises(LockMisused, match="already held"):
        lock.acquire()
    assert repr(lock) == f"<FileLock {str(path)!r} free>"
    with pytest.raises(PathMissing):
        FileLock(path / "no" / "lock").acquire()


def test_nonsense_in_the_file_is_not_believed(path: Path) -> None:
    path.write_bytes(b"\xff\xfe rm -rf")

    assert FileLock(path).owner() == "a process that did not say which"
    with FileLock(path, timeout_s=0) as lock:
        assert lock.held


@pytest.mark.integration
def test_a_forked_child_neither_holds_nor_keeps_its_parents_lock(path: Path) -> None:
    lock = FileLock(path).acquire()
    told, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"held" if lock.held else b"free")
        signal.pause()
        os._exit(0)
    try:
        assert os.read(told, 10) == b"free"
        lock.release()
        with FileLock(path, timeout_s=0) as again:
            assert again.held
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        os.close(write)
