"""Where large outputs lie, so that the journal stays small."""

from __future__ import annotations

import asyncio
import os
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from sy_commons import StorageError, uuid7

LARGE_BYTES = 32 * 1024


class ResultStore(Protocol):
    """Keeps bytes under a key that it makes; what ``put`` returned is durable."""

    async def put(self, data: bytes) -> str:
        """Keep *data* and return its key."""
        ...

    async def get(self, key: str) -> bytes:
        """Return the data kept under *key*."""
        ...


class FolderResults:
    """Keeps results as files beside the journal, named by their SHA-256. Safe everywhere."""

    def __init__(self, folder: Path, *, sync: bool = False) -> None:
        self._folder = folder
        self._sync = sync

    async def put(self, data: bytes) -> str:
        """Keep *data* and return its key; the same data has the same key."""
        return await asyncio.to_thread(self._write, data)

    async def get(self, key: str) -> bytes:
        """Return the data, checked against the key."""
        return await asyncio.to_thread(self.read, key)

    def read(self, key: str) -> bytes:
        """Return the data kept under *key*; raise ``StorageError`` where it is gone or changed."""
        path = self._folder / key.replace(":", "-")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"the result {key} cannot be read: {error.strerror}") from error
        if key != _key(data):
            raise StorageError(
                f"the result {key} has been changed", hint=f"remove {path}, and start a new run"
            )
        return data

    def _write(self, data: bytes) -> str:
        key = _key(data)
        path = self._folder / key.replace(":", "-")
        if path.exists():
            return key
        self._folder.mkdir(exist_ok=True)
        partial = path.with_suffix(f".{uuid7().hex}")
        with partial.open("wb") as file:
            file.write(data)
            if self._sync:
                file.flush()
                os.fsync(file.fileno())
        partial.rename(path)
        return key

    def __repr__(self) -> str:
        return f"FolderResults({str(self._folder)!r})"


def _key(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"
