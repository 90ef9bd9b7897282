"""Write a file so that every reader, at every moment, sees the old one or the new one whole."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from contextlib import suppress

from sy_commons._file_errors import FileProblem, file_problem, path_text, refuse_irregular

Content = bytes | bytearray | memoryview | str

# Temporary files have one of a few names for each target, so that the next writer finds what a
# killed one left without listing the folder; the kernel's lock on it tells whether its writer
# lives. Somebody who cannot have any of them takes a random name.
_SLOTS = 4
_TRIES = 50
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def atomic_write(
    path: str | os.PathLike[str], content: Content, *, mode: int | None = None
) -> None:
    """Replace the file at *path* by *content*, durably; text is written as UTF-8.

    Readers see the old or the new file whole, whenever the writer is killed; when this returns,
    the new one survives a loss of power. A link is followed and stays a link; the mode (and,
    where permitted, the owner) of the file that was there is kept, unless *mode* is given; a new
    file gets what the umask leaves. On failure the old file stands and nothing is left behind;
    what a killed writer left is removed by the next write to the same path. Safe between
    threads and processes: the last writer wins.

    Raises :class:`PathMissing` (no such folder), :class:`NotAFile`, :class:`FileRefused`,
    :class:`DiskFull` or :class:`FileProblem`.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     atomic_write(Path(folder, "state.json"), b"{}")
    ...     Path(folder, "state.json").read_bytes()
    b'{}'
    """
    name = path_text(path)
    try:
        real = os.path.realpath(name)
        if os.path.islink(real):  # noqa: PTH114 - realpath gives up on a circle
            raise FileProblem(path=name, reason="its links go in a circle")
        folder = os.open(os.path.dirname(real), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)  # noqa: PTH120 - text paths: no Path is made for each write
    except (OSError, ValueError) as error:
        raise file_problem(name, error) from error
    try:
        write_at(folder, os.path.basename(real), content, told=name, mode=mode)  # noqa: PTH119 - as above
    finally:
        os.close(folder)


def write_at(
    folder: int, name: str, content: Content, *, told: str, mode: int | None = None
) -> None:
    """Do what :func:`atomic_write` does for *name* in the open *folder*; *told* is for errors."""
    data = memoryview(content.encode() if isinstance(content, str) else content).cast("B")
    try:
        before = _status(folder, name)
        if before is not None and not stat.S_ISLNK(before.st_mode):
            refuse_irregular(told, before.st_mode)
        temporary, descriptor = _create(folder, name)
        try:
            _keep(descriptor, before, mode)
            _write(descriptor, data)
            os.fsync(descriptor)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        finally:
            os.close(descriptor)
        os.fsync(folder)
    except (OSError, ValueError) as error:
        raise file_problem(told, error) from error


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _keep(descriptor: int, before: os.stat_result | None, mode: int | None) -> None:
    if before is not None and not stat.S_ISLNK(before.st_mode):
        now = os.fstat(descriptor)
        if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
            with suppress(PermissionError):
                os.fchown(descriptor, before.st_uid, before.st_gid)
        if mode is None:
            mode = stat.S_IMODE(before.st_mode)
    if mode is not None:
        os.fchmod(descriptor, mode)


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _create(folder: int, name: str) -> tuple[str, int]:
    """Return the name and the descriptor of a new temporary file that this writer has locked."""
    short = name.encode(errors="surrogateescape")[:200].decode(errors="ignore")
    names = [f".{short}.{slot}.sy-tmp" for slot in range(_SLOTS)]
    for tried in range(_TRIES):
        for temporary in names:
            _remove_left_over(folder, temporary)
        for temporary in names:
            descriptor = _try_create(folder, temporary)
            if descriptor is not None:
                return temporary, descriptor
        time.sleep(0.0002 * (tried + 1))  # that many writers at once: let one of them finish
    temporary = f".{short}.{secrets.token_hex(8)}.sy-tmp"
    return temporary, os.open(temporary, _CREATE, 0o666, dir_fd=folder)


def _try_create(folder: int, temporary: str) -> int | None:
    try:
        descriptor = os.open(temporary, _CREATE, 0o666, dir_fd=folder)
    except FileExistsError:
        return None
    try:
        _lock(descriptor)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:  # somebody took it for a dead writer's before it was locked
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a filesystem without locks: what a killed writer leaves there stays
        pass


def _remove_left_over(folder: int, temporary: str) -> None:
    try:
        about = os.stat(temporary, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(about.st_mode):
            return
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, dir_fd=folder)
    except OSError:  # none there, as nearly always, or not ours to touch
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its writer is dead
        now = os.stat(temporary, dir_fd=folder, follow_symlinks=False)
        if os.path.samestat(now, os.fstat(descriptor)):
            os.unlink(temporary, dir_fd=folder)
    except OSError:
        pass
    finally:
        os.close(descriptor)
