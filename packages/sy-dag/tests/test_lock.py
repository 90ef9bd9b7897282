"""One engine at a time for a run."""

import os
from pathlib import Path

import pytest

from sy_dag import RunBusy
from sy_dag._run import _lock
from sy_dag._run._lock import RunLock, owner


def test_a_held_run_names_its_process_and_a_released_one_nobody(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)

    with pytest.raises(RunBusy, match=str(os.getpid())):
        RunLock(tmp_path)
    assert owner(tmp_path) == os.getpid()
    lock.release()
    assert owner(tmp_path) is None
    RunLock(tmp_path).release()


def test_one_who_only_looks_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing of the runs takes the lock for a moment: starting one waits that moment."""
    RunLock(tmp_path).release()
    looking = os.open(tmp_path / "lock", os.O_RDONLY)
    _lock.fcntl.flock(looking, _lock.fcntl.LOCK_SH)
    monkeypatch.setattr(_lock.time, "sleep", lambda seconds: os.close(looking))

    RunLock(tmp_path).release()
