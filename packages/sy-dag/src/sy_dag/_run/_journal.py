"""The journal: facts, framed and checked, appended to one file.

A frame is a mark of two bytes, the payload's length and a CRC-32 over its place in the file and
its bytes, then the payload. What a killed process was writing last is torn, and dropped; damage
with whole frames behind it is told, and never dropped unseen.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from zlib import crc32

import attrs
import msgspec

from sy_dag._errors import JournalDamaged, JournalUnknown
from sy_dag._run._facts import (
    Began,
    Completed,
    Ended,
    Expanded,
    Failed,
    Logged,
    Resumed,
    Started,
    StopAsked,
)

MAGIC = b"sy-dag journal 1\n"
_MARK = b"\xd7\x5e"
_FRAME = struct.Struct("<2sII")


class Durability(StrEnum):
    """What a fact survives once it is flushed: nothing, the process's death, a power cut."""

    NONE = "none"
    PROCESS = "process"
    POWER = "power"


class Header(msgspec.Struct, array_like=True, tag="h"):
    """What a run began with."""

    run_id: str
    at: float
    definition: dict[str, Any]
    inputs: bytes
    runners: dict[str, str]


class Redefined(msgspec.Struct, array_like=True, tag="n"):
    """From here on the run follows another definition; what still fits it stays."""

    at: float
    definition: dict[str, Any]
    runners: dict[str, str]


Record = (
    Header
    | Redefined
    | Began
    | Resumed
    | Expanded
    | Started
    | Completed
    | Failed
    | Logged
    | StopAsked
    | Ended
)
KEPT = frozenset(
    {Began, Resumed, Expanded, Started, Completed, Failed, Logged, StopAsked, Ended, Redefined}
)
_encode = msgspec.msgpack.Encoder().encode
_pack = _FRAME.pack
_decode = msgspec.msgpack.Decoder(Record).decode


@attrs.frozen
class Story:
    """What a journal tells: the header, what followed, and how many bytes of it are whole."""

    header: Header
    records: list[Any]
    size_bytes: int


def frame(payload: bytes, offset: int) -> bytes:
    """Return *payload* framed for the place *offset* of the file."""
    return _FRAME.pack(_MARK, len(payload), crc32(payload, offset & 0xFFFFFFFF)) + payload


def read(path: Path, *, repair: bool = False) -> Story:
    """Return what the journal at *path* tells, a torn tail left out.

    Raises ``JournalUnknown`` for what is none, and ``JournalDamaged`` for one that was changed
    after it was written; with *repair* only what stands before the damage is told.
    """
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise JournalUnknown(path=str(path))
    records, end = _whole(data, len(MAGIC), path)
    if not repair:
        beyond = _next_frame(data, end + 1)
        if beyond >= 0:
            reason = f"what stands there is no frame, and from byte {beyond} there are more"
            raise JournalDamaged(path=str(path), offset=end, reason=reason)
    if not records or not isinstance(records[0], Header):
        raise JournalDamaged(path=str(path), offset=len(MAGIC), reason="it has no beginning")
    return Story(records[0], records[1:], end)


def _whole(data: bytes, at: int, path: Path) -> tuple[list[Any], int]:
    records: list[Any] = []
    size, unpack, head = len(data), _FRAME.unpack_from, _FRAME.size
    while at + head <= size:
        mark, length, check = unpack(data, at)
        payload = data[at + head : at + head + length]
        if mark != _MARK or len(payload) != length or crc32(payload, at & 0xFFFFFFFF) != check:
            break
        try:
            records.append(_decode(payload))
        except msgspec.DecodeError as error:  # whole, but not ours
            reason = f"a record of an unknown kind: {error}"
            raise JournalDamaged(path=str(path), offset=at, reason=reason) from error
        at += head + length
    return records, at


def _next_frame(data: bytes, at: int) -> int:
    """Return where the next whole frame begins, or -1."""
    while (at := data.find(_MARK, at)) >= 0:
        if at + _FRAME.size <= len(data):
            _, length, check = _FRAME.unpack_from(data, at)
            payload = data[at + _FRAME.size : at + _FRAME.size + length]
            if len(payload) == length and crc32(payload, at & 0xFFFFFFFF) == check:
                return at
        at += 1
    return -1


class Journal:
    """Appends facts to a file: gathered until ``flush``, and then there.

    Not safe between threads; the run's kernel lock keeps other writers away.
    """

    __slots__ = ("_buffer", "_fd", "_offset", "durability", "path")

    def __init__(self, path: Path, fd: int, offset: int, durability: Durability) -> None:
        self.path = path
        self.durability = durability
        self._fd = fd
        self._offset = offset
        self._buffer = bytearray()

    @classmethod
    def create(cls, path: Path, header: Header, durability: Durability) -> Journal:
        """Return a new journal that begins with *header*; it is there whole or not at all."""
        partial = path.with_suffix(".partial")
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        journal = cls(path, fd, 0, durability)
        journal._buffer += MAGIC + frame(_encode(header), len(MAGIC))
        journal.flush()
        partial.rename(path)
        if durability is Durability.POWER:
            _sync_folder(path.parent)
        return journal

    @classmethod
    def reopen(cls, path: Path, size_bytes: int, durability: Durability) -> Journal:
        """Return the journal at *path*, cut to the *size_bytes* that are whole."""
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.ftruncate(fd, size_bytes)
        os.lseek(fd, size_bytes, os.SEEK_SET)
        return cls(path, fd, size_bytes, durability)

    def append(self, fact: Any) -> None:
        """Gather one fact; it is kept once ``flush`` returns."""
        payload = _encode(fact)
        buffer = self._buffer
        check = crc32(payload, self._offset + len(buffer) & 0xFFFFFFFF)
        buffer += _pack(_MARK, len(payload), check)
        buffer += payload

    def flush(self) -> None:
        """Write what was gathered. Where that fails the file is cut back to whole frames."""
        if not self._buffer:
            return
        view = memoryview(self._buffer)
        written = 0
        try:
            while written < len(view):
                written += os.write(self._fd, view[written:])
            if self.durability is Durability.POWER:
                os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._offset)
            os.lseek(self._fd, self._offset, os.SEEK_SET)
            raise
        finally:
            view.release()
        self._offset += written
        self._buffer.clear()

    def close(self) -> None:
        """Let go of the file; what was not flushed is lost."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def stats(self) -> Mapping[str, int]:
        """Return how many bytes are written, and how many wait for ``flush``."""
        return {"size_bytes": self._offset, "waiting_bytes": len(self._buffer)}

    def __repr__(self) -> str:
        return f"Journal({str(self.path)!r}, {self.durability.value}, {self._offset} bytes)"


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
