"""Bytes in and out: the index's rows and the files behind them, as one."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import attrs
import xxhash

from sy_artifacts import _index as index
from sy_artifacts._artifact import Artifact
from sy_artifacts._blobs import BlobFiles, Content, content_of, pieces_of
from sy_artifacts._errors import ArtifactCorrupt, StoreFull, StoreWriteFailed
from sy_commons import Database, DatabaseFull, SymphonyError
from sy_commons.cli import command_line

INLINE_BYTES = 32 * 1024


@attrs.frozen
class Placed:
    """Content whose file, if it has one, is in place; and what the index knows of it."""

    content: Content
    blob: index.Blob | None
    sound: bool


class Vault:
    """Admits bytes once for each digest, and gives them back right or not at all.

    Without *files* (a store in memory) everything is inline.
    """

    def __init__(self, database: Database, files: BlobFiles | None, name: str) -> None:
        self._database = database
        self._files = files
        self._name = name
        # What the transaction under way has renamed into place; only its thread touches these.
        self._settled: list[bytes] = []
        self._unsynced: set[Path] = set()
        self._ragged = False
        self._doomed: BaseException | None = None

    # -- out

    def read(self, blob: index.Blob, ref: str | Artifact) -> bytes:
        """Return a blob's bytes, verified, or raise :class:`ArtifactCorrupt`."""
        data = blob.data
        if data is None:
            data = self._read_file(blob, ref)
        if len(data) != blob.size_bytes:
            raise self.corrupt(
                ref, blob.sha256, f"it has {len(data)} bytes, and had {blob.size_bytes}"
            )
        if xxhash.xxh3_64_digest(data) != blob.xxh3:
            raise self.corrupt(ref, blob.sha256, "its bytes are not those that were stored")
        return data

    def chunks(self, blob: index.Blob) -> Iterator[bytes]:
        """Yield a blob's bytes as they are, unverified; OSError if there are none to read."""
        if blob.data is not None:
            yield blob.data
        elif blob.inline or self._files is None:
            raise FileNotFoundError("its bytes are missing in the index")
        else:
            yield from self._files.chunks(blob.sha256)

    def size(self, blob: index.Blob) -> int | None:
        """Return how many bytes of a blob are there; None if it is missing."""
        if blob.inline or self._files is None:
            return None if blob.data is None else len(blob.data)
        return self._files.size(blob.sha256)

    def is_sound(self, blob: index.Blob) -> bool:
        """Whether a blob's bytes are there and right, by reading them."""
        hasher, size = xxhash.xxh3_64(), 0
        try:
            for chunk in self.chunks(blob):
                hasher.update(chunk)
                size += len(chunk)
        except OSError:
            return False
        return size == blob.size_bytes and hasher.digest() == blob.xxh3

    def corrupt(self, ref: str | Artifact, sha256: bytes, reason: str) -> ArtifactCorrupt:
        """Return the error that names the artifact and the command that heals it."""
        return ArtifactCorrupt(
            ref=ref if isinstance(ref, str) else ref.ref,
            digest=index.digest_of(sha256),
            reason=reason,
            repair=self.repair_command(),
        )

    def repair_command(self) -> str:
        """Return the command that heals damaged bytes: another put of the right ones."""
        return self.command("put FILE")

    def command(self, words: str) -> str:
        """Return a command on this store, as the user can type it."""
        return f"{command_line()} artifacts {words} --store {shlex.quote(self._name)}"

    # -- in

    def prepare(self, source: bytes | IO[bytes]) -> Content:
        """Return *source* hashed and, if it is large and new, durable in a temporary file.

        Outside any transaction: the slow part of a put, which holds up nobody.
        """
        if isinstance(source, bytes):
            return self._prepare_bytes(source)
        first = source.read(INLINE_BYTES + 1)
        if self._files is None or len(first) <= INLINE_BYTES:
            return content_of(b"".join([first, *pieces_of(source)]))
        staged = self._files.stage(itertools.chain([first], pieces_of(source)))
        return attrs.evolve(staged, sound=self._has_sound(staged.sha256))

    def place(self, content: Content) -> Placed:
        """Return how *content* is to be entered in the index, its file in place if it has one.

        Bytes that are there already are looked at before they are relied on: if the store's own
        copy is damaged, this one replaces it. Inside :meth:`writing`, and nothing is written to
        the index yet.
        """
        blob = index.find_blob(self._database, content.sha256)
        if blob is not None and self._reliable(blob, content):
            return Placed(content, blob, sound=True)
        if not self._is_inline(content):
            self._settle(content)
        return Placed(content, blob, sound=False)

    def enter(self, placed: Placed, created_us: int) -> int:
        """Write what was placed to the index, and return the id of the blob."""
        blob, content = placed.blob, placed.content
        if blob is not None and placed.sound:
            return blob.id
        inline = content.data if self._is_inline(content) else None
        if blob is not None:
            index.heal_blob(
                self._database,
                blob.id,
                size_bytes=content.size_bytes,
                xxh3=content.xxh3,
                data=inline,
            )
            return blob.id
        return index.add_blob(
            self._database,
            sha256=content.sha256,
            size_bytes=content.size_bytes,
            xxh3=content.xxh3,
            data=inline,
            created_us=created_us,
        )

    def doom(self, cause: BaseException) -> None:
        """Let the transaction under way end in a rollback, whoever catches the *cause*."""
        self._doomed = cause

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the transaction of one or several puts: all is durable at its end, or undone.

        Inside another one, a failure undoes the inner block alone.
        """
        if self._database.in_transaction:
            with self._inner():
                yield
            return
        settled: list[bytes] = []
        try:
            with self._database.transaction():
                self._settled, self._unsynced = settled, set()
                self._ragged, self._doomed = False, None
                yield
                self._refuse_doomed()
                if self._files is not None:
                    self._files.sync(self._unsynced)
                if self._ragged:
                    self._remove_unused(settled)
        except DatabaseFull as error:
            self._undo(settled)
            raise StoreFull(path=self._name, reason=error.reason) from error
        except BaseException:
            self._undo(settled)
            raise

    def sweep(self) -> int:
        """Remove the files that no artifact refers to and dead writers' leavings; count them."""
        if self._files is None:
            return 0
        swept = self._files.sweep_temp()
        with self.writing():  # nobody else can be between a rename and its commit now
            return swept + self._remove_unused(self._files.digests())

    def count_unreferenced(self) -> int:
        """Return how many files no artifact refers to."""
        if self._files is None:
            return 0
        return sum(self._unused(sha256) for sha256 in self._files.digests())

    def close(self) -> None:
        """Remove this writer's temporary folder."""
        if self._files is not None:
            self._files.close()

    def _read_file(self, blob: index.Blob, ref: str | Artifact) -> bytes:
        if blob.inline or self._files is None:
            raise self.corrupt(ref, blob.sha256, "its bytes are missing in the index")
        try:
            return self._files.read(blob.sha256)
        except OSError as error:
            reason = "its file is missing" if isinstance(error, FileNotFoundError) else str(error)
            raise self.corrupt(ref, blob.sha256, reason) from error

    def _prepare_bytes(self, data: bytes) -> Content:
        content = content_of(data)
        if self._files is None or self._is_inline(content):
            return content
        if self._has_sound(content.sha256):
            return attrs.evolve(content, sound=True)
        return attrs.evolve(self._files.stage([data]), data=data)

    def _is_inline(self, content: Content) -> bool:
        return self._files is None or content.size_bytes <= INLINE_BYTES

    def _has_sound(self, sha256: bytes) -> bool:
        blob = index.find_blob(self._database, sha256)
        return blob is not None and self.is_sound(blob)

    def _reliable(self, blob: index.Blob, content: Content) -> bool:
        if content.sound and self.size(blob) == content.size_bytes:
            return True
        return self.is_sound(blob)

    def _settle(self, content: Content) -> None:
        assert self._files is not None  # noqa: S101 - nothing is large in memory
        if content.staged is None:  # the copy it relied on has gone since
            assert content.data is not None  # noqa: S101 - bytes are kept until they are admitted
            content = self._files.stage([content.data])
        self._unsynced.add(self._files.settle(content))
        self._settled.append(content.sha256)

    @contextmanager
    def _inner(self) -> Iterator[None]:
        try:
            with self._database.transaction():
                yield
        except DatabaseFull as error:
            self._ragged = True
            raise StoreFull(path=self._name, reason=error.reason) from error
        except BaseException:
            self._ragged = True
            raise

    def _refuse_doomed(self) -> None:
        if isinstance(self._doomed, DatabaseFull):
            raise self._doomed
        if self._doomed is not None:
            raise StoreWriteFailed(
                path=self._name, reason="a put before this failed half-way"
            ) from self._doomed

    def _undo(self, settled: list[bytes]) -> None:
        """Take back files whose rows were rolled back; what fails here, a sweep finds."""
        if not settled:
            return
        with suppress(SymphonyError, OSError), self._database.transaction():
            self._remove_unused(settled)

    def _remove_unused(self, digests: Iterator[bytes] | list[bytes]) -> int:
        if self._files is None:
            return 0
        unused = [sha256 for sha256 in digests if self._unused(sha256)]
        for sha256 in unused:
            self._files.remove(sha256)
        return len(unused)

    def _unused(self, sha256: bytes) -> bool:
        blob = index.find_blob(self._database, sha256)
        return blob is None or blob.inline
