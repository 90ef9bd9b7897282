"""Open a path beneath a folder, with the kernel's word that it stays there."""

from __future__ import annotations

import errno
import os
import sys
from functools import lru_cache

from sy_commons._file_errors import PathEscape

_OPENAT2 = 437  # the same number on every architecture
_RESOLVE_BENEATH, _RESOLVE_NO_MAGICLINKS = 0x08, 0x02
_MAX_LINKS = 40  # as the kernel's own
_ATTEMPTS = 64
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_beneath(folder: int, root: str, path: str, flags: int) -> int:
    """Open *path* beneath the open *folder* of name *root*; links may lead within it only.

    By ``openat2(RESOLVE_BENEATH)`` where the kernel has it, and by a walk of single steps that
    follow no link elsewhere. Raises :class:`PathEscape` or what ``open`` raises.
    """
    if "\0" in path:
        raise ValueError("embedded null byte")
    flags |= os.O_CLOEXEC
    if _has_openat2():
        for _ in range(_ATTEMPTS):
            try:
                return _openat2(folder, path or ".", flags)
            except OSError as error:
                if error.errno == errno.EXDEV:
                    raise PathEscape(path=path, root=root) from error
                if error.errno != errno.EAGAIN:  # something was renamed on the way up
                    raise
    return open_by_steps(folder, root, path, flags)


def open_by_steps(folder: int, root: str, path: str, flags: int) -> int:
    """Do what :func:`open_beneath` does, one component at a time, following links by hand.

    Going up is going back to the folder that was come from, never ``..`` of where that is now.
    """
    trail = [os.dup(folder)]
    todo: list[str] = []
    links = 0
    try:
        _put(todo, path, path, root)
        while todo:
            name = todo.pop()
            if name == "..":
                if len(trail) == 1:
                    raise PathEscape(path=path, root=root)
                os.close(trail.pop())
            elif (target := _link_target(trail[-1], name)) is not None:
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                _put(todo, target, path, root)
            elif todo:
                trail.append(os.open(name, _FOLDER, dir_fd=trail[-1]))
            else:
                last = os.O_DIRECTORY if path.endswith("/") else 0
                return os.open(name, flags | os.O_NOFOLLOW | last, dir_fd=trail[-1])
        return os.open(".", flags, dir_fd=trail[-1])
    finally:
        for descriptor in trail:
            os.close(descriptor)


def _put(todo: list[str], more: str, path: str, root: str) -> None:
    if more.startswith("/"):
        raise PathEscape(path=path, root=root)
    todo += [part for part in reversed(more.split("/")) if part not in ("", ".")]


def _link_target(folder: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None  # no link, or nothing: opening it says what
        raise


def _openat2(folder: int, path: str, flags: int) -> int:
    import ctypes  # noqa: PLC0415 - only where it is used

    how = (ctypes.c_uint64 * 3)(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    name = os.fsencode(path)
    number = _syscall()(_OPENAT2, folder, name, ctypes.byref(how), ctypes.sizeof(how))
    if number < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return int(number)


@lru_cache(maxsize=1)
def _syscall():  # type: ignore[no-untyped-def] # noqa: ANN202 - ctypes' function type is private
    import ctypes  # noqa: PLC0415 - only where it is used

    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    syscall.argtypes = [
        ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t
    ]  # fmt: skip
    return syscall


@lru_cache(maxsize=1)
def _has_openat2() -> bool:
    if sys.platform != "linux":
        return False
    folder = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(_openat2(folder, ".", os.O_PATH | os.O_CLOEXEC))
    except (OSError, AttributeError):  # an older kernel, a filter around it, or another libc
        return False
    finally:
        os.close(folder)
    return True
