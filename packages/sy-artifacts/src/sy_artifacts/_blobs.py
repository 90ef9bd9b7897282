"""The bytes that are too large for the index: one immutable file for each digest.

A file appears under its final name only when its bytes are on the disk: temporary file, fsync,
rename, fsync of the folder. The index commits after that, so a reader who goes by the index never
meets a file that power loss could still take away.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

import attrs
import xxhash

from sy_artifacts._errors import StoreFull, StoreWriteFailed
from sy_commons import uuid7

CHUNK_BYTES = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@attrs.frozen
class Content:
    """Bytes on their way into the store: their hashes, and where they wait."""

    sha256: bytes
    xxh3: bytes
    size_bytes: int
    start: bytes
    data: bytes | None = None
    staged: Path | None = None
    sound: bool = False  # the store's own copy was read and found right, a moment ago

    def discard(self) -> None:
        """Remove what was staged and is not needed."""
        if self.staged is not None:
            self.staged.unlink(missing_ok=True)


def content_of(data: bytes) -> Content:
    """Return *data* with its hashes, held in memory."""
    return Content(
        hashlib.sha256(data).digest(), xxhash.xxh3_64_digest(data), len(data), data[:4096], data
    )


class WriteErrors:
    """Turns what the system says while writing into the store's errors."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            full = error.errno in _FULL
            raise (StoreFull if full else StoreWriteFailed)(
                path=str(self._store), reason=error.strerror or str(error)
            ) from error


class BlobFiles:
    """The folder of files, by digest, and the temporary files of those who write.

    Safe between threads and processes. Each writer has a folder of its own under ``temp``,
    locked as long as it lives: what lies in an unlocked one is a dead writer's, and is swept.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._files = store / "blobs"
        self._temp = store / "temp"
        self._own: Path | None = None
        self._own_lock: int | None = None
        self._known_shards: set[str] = set()
        self._guard = threading.Lock()

    def create(self) -> None:
        """Make the folders, durably."""
        for folder in (self._files, self._temp):
            folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self._store)

    def path(self, sha256: bytes) -> Path:
        """Return where the file of a digest is."""
        digits = sha256.hex()
        return self._files / digits[:2] / digits[2:]

    def read(self, sha256: bytes) -> bytes:
        """Return what the file holds now, unverified; OSError if it cannot be read."""
        with self.path(sha256).open("rb", buffering=0) as file:
            return file.read()

    def chunks(self, sha256: bytes) -> Iterator[bytes]:
        """Yield what the file holds now, unverified, piece by piece."""
        with self.path(sha256).open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def size(self, sha256: bytes) -> int | None:
        """Return the file's size; None if there is no file."""
        try:
            return self.path(sha256).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def stage(self, pieces: Iterable[bytes]) -> Content:
        """Write *pieces* to a temporary file, durably, and return their hashes.

        If anything fails, the temporary file is removed.
        """
        sha256, xxh3, size, start = hashlib.sha256(), xxhash.xxh3_64(), 0, b""
        with WriteErrors(self._store):
            path = self._own_folder() / uuid7().hex
            handle = os.open(path, _NEW, 0o600)
            try:
                for piece in pieces:
                    write_all(handle, piece)
                    sha256.update(piece)
                    xxh3.update(piece)
                    size += len(piece)
                    start = start or bytes(piece[:4096])
                os.fsync(handle)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            finally:
                os.close(handle)
        return Content(sha256.digest(), xxh3.digest(), size, start, staged=path)

    def settle(self, content: Content) -> Path:
        """Give the staged file its final name, and return the folder that is to be synced."""
        assert content.staged is not None  # noqa: S101 - for the type checker
        final = self.path(content.sha256)
        with WriteErrors(self._store):
            self._make_shard(final.parent)
            content.staged.rename(final)
        return final.parent

    def sync(self, folders: Iterable[Path]) -> None:
        """Make the names in *folders* durable."""
        with WriteErrors(self._store):
            for folder in folders:
                sync_folder(folder)

    def remove(self, sha256: bytes) -> None:
        """Remove the file of a digest that nobody needs, if it is there."""
        self.path(sha256).unlink(missing_ok=True)

    def digests(self) -> Iterator[bytes]:
        """Yield the digest of every file, in no order."""
        for shard in _entries(self._files):
            for entry in _entries(Path(shard.path)):
                try:
                    yield bytes.fromhex(shard.name + entry.name)
                except ValueError:
                    continue

    def sweep_temp(self) -> int:
        """Remove what dead writers left; return how many of them there were."""
        return sum(self._sweep_writer(Path(entry.path)) for entry in _entries(self._temp))

    def close(self) -> None:
        """Remove this writer's own temporary folder."""
        with self._guard:
            if self._own is not None and self._own_lock is not None:
                shutil.rmtree(self._own, ignore_errors=True)
                os.close(self._own_lock)
            self._own = self._own_lock = None

    def _own_folder(self) -> Path:
        with self._guard:
            while self._own is None:
                folder = self._temp / uuid7().hex
                folder.mkdir(mode=0o700)
                handle = _lock(folder)
                if handle is not None and folder.exists():
                    self._own, self._own_lock = folder, handle
                elif handle is not None:  # swept between its making and its locking
                    os.close(handle)
            return self._own

    def _make_shard(self, shard: Path) -> None:
        # Once for each process: whoever made the folder may have died before it was synced.
        if shard.name in self._known_shards and shard.is_dir():
            return
        shard.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self._files)
        self._known_shards.add(shard.name)

    def _sweep_writer(self, folder: Path) -> bool:
        if folder == self._own:
            return False
        handle = _lock(folder)
        if handle is None:
            return False
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)
        return True


def write_all(handle: int, data: bytes) -> None:
    """Write all of *data*, however little the system takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def pieces_of(source: bytes | IO[bytes]) -> Iterator[bytes]:
    """Yield bytes, or what a file holds from where it stands, piece by piece."""
    if isinstance(source, bytes):
        yield source
        return
    while piece := source.read(CHUNK_BYTES):
        yield piece


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* survive power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock(folder: Path) -> int | None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
