"""A lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from types import TracebackType
from typing import Self

from sy_commons._errors import ErrorCategory, SymphonyError
from sy_commons._file_errors import file_problem, path_text

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.001, 0.05


class LockHeld(SymphonyError):
    """Somebody else holds the lock, and kept it for longer than the time to wait."""

    code = "commons.lock_held"
    category = ErrorCategory.UNAVAILABLE
    message = "{path} is held by {owner}, and was not given up within {timeout_s:g} s"
    hint = "wait for the other process, or end it"
    path: str
    owner: str
    timeout_s: float


class LockMisused(SymphonyError):
    """A lock was acquired twice, or released without being held."""

    code = "commons.lock_misused"
    category = ErrorCategory.CONFLICT
    message = "the lock {path} is {state}"
    path: str
    state: str


class FileLock:
    """Keep every other process, and every other FileLock of this one, out of *path*.

    A kernel lock (``flock``): it ends with its process, however that ends, so that nothing stale
    is ever left to be broken. The file stays; what is in it names the owner for people and is
    never believed. *timeout_s* None waits as long as it takes, 0 not at all; *shared* locks go
    together with one another. Not re-entrant. One object belongs to one thread at a time; a
    forked child does not hold its parent's lock. Not for network filesystems.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "store.lock")
    >>> with FileLock(path) as lock:
    ...     lock.held, FileLock(path).owner() == f"process {os.getpid()}"
    (True, True)
    """

    def __init__(
        self, path: str | os.PathLike[str], *, timeout_s: float | None = None, shared: bool = False
    ) -> None:
        self.path = path_text(path)
        self.timeout_s = timeout_s
        self.shared = shared
        self._guard = threading.Lock()  # guards the two below
        self._descriptor: int | None = None
        self._process = 0

    @property
    def held(self) -> bool:
        """Whether this object holds the lock, in this process."""
        return self._descriptor is not None and self._process == os.getpid()

    def acquire(self) -> Self:
        """Take the lock; raise :class:`LockHeld` when it is not to be had in time."""
        with self._guard:
            if self.held:
                raise LockMisused(path=self.path, state="already held by this object")
            self._close()  # a child's copy of its parent's
            descriptor = self._open()
            try:
                self._wait(descriptor)
                if not self.shared:
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            except OSError as error:
                os.close(descriptor)
                raise file_problem(self.path, error) from error
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor, self._process = descriptor, os.getpid()
        return self

    def release(self) -> None:
        """Give the lock up."""
        with self._guard:
            if not self.held or self._descriptor is None:
                raise LockMisused(path=self.path, state="not held by this object")
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # also for copies in forked children
            self._close()

    def owner(self) -> str:
        """Return who said last that it holds the lock, for people."""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123 - the path is text
                found = file.read(20).strip()
        except OSError:
            found = b""
        return f"process {int(found)}" if found.isdigit() else "a process that did not say which"

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY, 0o666)
        except (OSError, ValueError) as error:
            raise file_problem(self.path, error) from error

    def _wait(self, descriptor: int) -> None:
        kind = fcntl.LOCK_SH if self.shared else fcntl.LOCK_EX
        if self.timeout_s is None:
            fcntl.flock(descriptor, kind)
            return
        deadline = time.monotonic() + self.timeout_s
        wait = _FIRST_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise LockHeld(
                        path=self.path, owner=self.owner(), timeout_s=self.timeout_s
                    ) from None
                time.sleep(min(wait, left))  # the kernel has no lock with a time limit
                wait = min(wait * 2, _LONGEST_WAIT_S)
            else:
                return

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def __del__(self) -> None:
        self._close()

    def __repr__(self) -> str:
        return f"<FileLock {self.path!r} {'held' if self.held else 'free'}>"
