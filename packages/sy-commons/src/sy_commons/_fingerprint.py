"""Tell whether a file or a folder has changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO

import xxhash

from sy_commons._file_errors import file_problem, path_text, refuse_irregular
from sy_commons._reading import READ_FLAGS

_CHUNK = 1 << 20
_FORMAT = b"sy-tree-1\0"  # what goes in, and how, is part of what a fingerprint says


def hash_file(path: str | os.PathLike[str]) -> str:
    """Return the xxh3-128 fingerprint of the file's bytes: fast, and no proof against forgery.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     hash_file(file.name)
    'xxh3:99aa06d3014798d86001c324468d497f'
    """
    name = path_text(path)
    digest = xxhash.xxh3_128()
    try:
        with os.fdopen(os.open(name, READ_FLAGS), "rb") as file:
            refuse_irregular(name, os.fstat(file.fileno()).st_mode)
            _feed(digest.update, file)
    except (OSError, ValueError) as error:
        raise file_problem(name, error) from error
    return f"xxh3:{digest.hexdigest()}"


def hash_tree(
    folder: str | os.PathLike[str], *, leave_out: Callable[[str], bool] | None = None
) -> str:
    """Return a fingerprint of all files below *folder*: names, bytes, executable bits, links.

    Two trees have the same one exactly when these are the same, in whatever order the system
    lists them; times, owners and other modes do not count. Links are not followed, empty
    folders count, sockets and their like do not. What *leave_out* says of a relative path with
    ``/`` is neither hashed nor entered. Fast, and no proof against forgery.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
    ...     hash_tree(one) == hash_tree(two)
    True
    """
    root = path_text(folder)
    total = xxhash.xxh3_128(_FORMAT)
    try:
        for path, kind, what in _entries(root, "", leave_out):
            for part in (kind, os.fsencode(path), what.encode(errors="surrogateescape")):
                total.update(len(part).to_bytes(8, "big") + part)
    except (OSError, ValueError) as error:
        raise file_problem(root, error) from error
    return f"xxh3:{total.hexdigest()}"


def _entries(
    root: str, below: str, leave_out: Callable[[str], bool] | None
) -> Iterator[tuple[str, bytes, str]]:
    folder = os.path.join(root, below) if below else root  # noqa: PTH118 - thousands of them
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if leave_out is not None and leave_out(path):
            continue
        if entry.is_symlink():
            yield path, b"link", os.readlink(entry.path)  # noqa: PTH115 - thousands of them
        elif entry.is_dir():
            yield path, b"folder", ""
            yield from _entries(root, path, leave_out)
        elif entry.is_file():
            runs = bool(entry.stat().st_mode & stat.S_IXUSR)
            yield path, b"program" if runs else b"file", hash_file(entry.path)


def _feed(update: Callable[[bytes], object], file: BinaryIO) -> None:
    while part := file.read(_CHUNK):
        update(part)
