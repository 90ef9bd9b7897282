"""A folder that nothing leaves: every operation is contained by the kernel, not by strings."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sy_commons._beneath import open_beneath
from sy_commons._errors import ErrorCategory, SymphonyError
from sy_commons._file_errors import (
    FileProblem,
    PathEscape,
    file_problem,
    path_text,
    refuse_irregular,
)
from sy_commons._reading import MAX_BYTES, READ_FLAGS, decode, read_descriptor
from sy_commons._writing import Content, write_at

_AnyPath = str | os.PathLike[str]
_FOLDER = os.O_RDONLY | os.O_DIRECTORY


class RootClosed(SymphonyError):
    """A Root was used after it had been closed."""

    code = "commons.root_closed"
    category = ErrorCategory.CONFLICT
    message = "the root {root} is closed"
    root: str


class Root:
    """Work below *folder* and never outside it, whatever paths and links say.

    Paths are relative to it. Links are followed as long as they lead within it; an absolute
    path, a ``..`` too many, and a link that leads out (also one that is swapped in meanwhile)
    raise :class:`PathEscape`. Safe between threads; the operations running while it is closed
    finish. What other errors there are is told as by :func:`read_bytes` and
    :func:`atomic_write`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Root(folder) as root:
    ...     root.make_folder("a")
    ...     root.atomic_write("a/note.txt", "hello")
    ...     root.list("a"), root.read_text("a/../a/note.txt")
    ...     root.read_bytes("a/../../etc/passwd")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    sy_commons._file_errors.PathEscape: a/../../etc/passwd leads out of ...
    """

    def __init__(self, folder: _AnyPath) -> None:
        self.path = path_text(folder)
        self._guard = threading.Lock()  # guards the three below
        self._users = 0
        self._closed = False
        try:
            self._descriptor = os.open(self.path, _FOLDER | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise file_problem(self.path, error) from error

    def read_bytes(self, path: _AnyPath, *, max_bytes: int = MAX_BYTES) -> bytes:
        """Return what is in the file at *path*, which has at most *max_bytes*."""
        name = path_text(path)
        with self._entry(name) as folder:
            look = open_beneath(folder, self.path, name, os.O_PATH)
            try:
                refuse_irregular(name, os.fstat(look).st_mode)  # before it is opened to be read
            finally:
                os.close(look)
            descriptor = open_beneath(folder, self.path, name, READ_FLAGS)
        return read_descriptor(descriptor, name, max_bytes)

    def read_text(
        self, path: _AnyPath, *, encoding: str | None = None, max_bytes: int = MAX_BYTES
    ) -> str:
        """Return the text of the file at *path*, with the rules of :func:`read_text`."""
        return decode(self.read_bytes(path, max_bytes=max_bytes), path_text(path), encoding)

    def atomic_write(self, path: _AnyPath, content: Content, *, mode: int | None = None) -> None:
        """Replace the file at *path* as :func:`atomic_write` does; a link there is replaced."""
        name = path_text(path)
        with self._parent(name) as (folder, last):
            write_at(folder, last, content, told=name, mode=mode)

    def make_folder(self, path: _AnyPath, *, parents: bool = False) -> None:
        """Make the folder at *path*; with *parents* those above it too, and it may be there."""
        name = path_text(path)
        if parents:
            above = ""
            for part in [part for part in name.split("/")[:-1] if part not in ("", ".")]:
                above = f"{above}{part}/"
                if part != "..":
                    self._make(above.rstrip("/"), exists=True)
        self._make(name, exists=parents)

    def list(self, path: _AnyPath = ".") -> list[str]:
        """Return the names in the folder at *path*, sorted."""
        name = path_text(path)
        with self._entry(name) as folder:
            descriptor = open_beneath(folder, self.path, name, _FOLDER)
            try:
                return sorted(os.listdir(descriptor))  # noqa: PTH208 - a descriptor, and not a path
            finally:
                os.close(descriptor)

    def stat(self, path: _AnyPath = ".") -> os.stat_result:
        """Return what the system knows of the file or folder at *path*, links followed."""
        name = path_text(path)
        with self._entry(name) as folder:
            descriptor = open_beneath(folder, self.path, name, os.O_PATH)
            try:
                return os.fstat(descriptor)
            finally:
                os.close(descriptor)

    def exists(self, path: _AnyPath) -> bool:
        """Tell whether there is something at *path*; a path that leads out still raises."""
        return self._is(path, lambda mode: True)  # noqa: ARG005 - any mode will do

    def is_file(self, path: _AnyPath) -> bool:
        """Tell whether there is a regular file at *path*; a path that leads out still raises."""
        return self._is(path, stat.S_ISREG)

    def is_folder(self, path: _AnyPath) -> bool:
        """Tell whether there is a folder at *path*; a path that leads out still raises."""
        return self._is(path, stat.S_ISDIR)

    def remove(self, path: _AnyPath) -> None:
        """Remove the file or link at *path*, or the folder when it is empty."""
        name = path_text(path)
        with self._parent(name) as (folder, last):
            about = os.stat(last, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(about.st_mode):
                os.rmdir(last, dir_fd=folder)
            else:
                os.unlink(last, dir_fd=folder)

    def remove_tree(self, path: _AnyPath) -> None:
        """Remove the folder at *path* with all that is in it; links in it are not followed."""
        import shutil  # noqa: PLC0415 - heavy, and seldom

        name = path_text(path)
        with self._parent(name) as (folder, last):
            shutil.rmtree(last, dir_fd=folder)

    def rename(self, path: _AnyPath, to: _AnyPath) -> None:
        """Give what is at *path* the path *to*, replacing a file that is there; links as such."""
        name, new = path_text(path), path_text(to)
        with self._parent(name) as (folder, last), self._parent(new) as (new_folder, new_last):
            os.rename(last, new_last, src_dir_fd=folder, dst_dir_fd=new_folder)

    def close(self) -> None:
        """Give the folder back; closing twice is fine."""
        with self._guard:
            self._closed = True
            self._give_back()

    def _make(self, name: str, *, exists: bool) -> None:
        with self._parent(name) as (folder, last):
            try:
                os.mkdir(last, dir_fd=folder)
            except FileExistsError:
                if not (exists and self.is_folder(name)):
                    raise

    def _is(self, path: _AnyPath, test: Callable[[int], bool]) -> bool:
        name = path_text(path)
        with self._entry(name) as folder:
            try:
                descriptor = open_beneath(folder, self.path, name, os.O_PATH)
            except (FileNotFoundError, NotADirectoryError):
                return False
            try:
                return test(os.fstat(descriptor).st_mode)
            finally:
                os.close(descriptor)

    @contextmanager
    def _entry(self, name: str) -> Iterator[int]:
        """Give the folder, which stays open meanwhile, and tell the system's errors as ours."""
        with self._guard:
            if self._closed:
                raise RootClosed(root=self.path)
            self._users += 1
        try:
            yield self._descriptor
        except (OSError, ValueError) as error:
            raise file_problem(name, error) from error
        finally:
            with self._guard:
                self._users -= 1
                self._give_back()

    def _give_back(self) -> None:
        # The last one to use it closes it: the number of a closed descriptor is soon another's.
        if self._closed and self._users == 0 and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @contextmanager
    def _parent(self, name: str) -> Iterator[tuple[int, str]]:
        """Give the folder in which the last part of *name* is, and that part."""
        above, _, last = name.rstrip("/").rpartition("/")
        if name.startswith("/"):
            raise PathEscape(path=name, root=self.path)
        if last in ("", ".", ".."):
            raise FileProblem(path=name, reason="a name is wanted at the end")
        with self._entry(name) as folder:
            descriptor = open_beneath(folder, self.path, above, _FOLDER)
            try:
                yield descriptor, last
            finally:
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Root {self.path!r}{' closed' if self._closed else ''}>"
