"""One process, one engine at a time for a run: a kernel lock, gone with its owner."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from sy_dag._errors import RunBusy

_LOOKS = 8


class RunLock:
    """Holds a run's folder until ``release`` or the death of the process."""

    __slots__ = ("_fd",)

    def __init__(self, folder: Path) -> None:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _taken(fd):
            pid = _pid(os.pread(fd, 32, 0))
            os.close(fd)
            raise RunBusy(run_id=folder.name, pid=pid)
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Let others have the run."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __repr__(self) -> str:
        return f"RunLock({'held' if self._fd >= 0 else 'released'})"


def _taken(fd: int) -> bool:
    """Take the lock; somebody who only looks (see ``owner``) holds it for a moment."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.005)
        else:
            return True
    return False


def owner(folder: Path) -> int | None:
    """Return the process that performs the run, if one does; takes nothing."""
    try:
        fd = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(os.pread(fd, 32, 0))
    else:
        return None
    finally:
        os.close(fd)


def _pid(written: bytes) -> int:
    return int(written) if written.isdigit() else 0
