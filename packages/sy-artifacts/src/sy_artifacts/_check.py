"""Looking for loss and damage."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import xxhash

from sy_artifacts import _index as index
from sy_artifacts._artifact import CheckReport, Problem
from sy_artifacts._vault import Vault
from sy_commons import Database, DatabaseCorrupt


class Checker:
    """Looks at everything a store holds once, and notes what is wrong."""

    def __init__(self, database: Database, vault: Vault, *, every_byte: bool) -> None:
        self._database = database
        self._vault = vault
        self._every_byte = every_byte
        self._blobs = self._versions = self._read_bytes = 0

    def run(self) -> CheckReport:
        """Return the report."""
        problems = [self._problem(b"", text) for text in self._database.check()]
        try:
            problems += [*self._blob_problems(), *self._version_problems()]
            unreferenced = self._vault.count_unreferenced()
        except DatabaseCorrupt as error:
            problems.append(self._problem(b"", str(error)))
            unreferenced = 0
        return CheckReport(
            problems=tuple(problems),
            blobs=self._blobs,
            versions=self._versions,
            read_bytes=self._read_bytes,
            unreferenced=unreferenced,
        )

    def _blob_problems(self) -> Iterator[Problem]:
        for blob in index.each_blob(self._database):
            self._blobs += 1
            reason = self._size_fault(blob)
            if reason is None and self._every_byte:
                reason = self._byte_fault(blob)
            if reason is not None:
                yield self._problem(blob.sha256, reason)

    def _size_fault(self, blob: index.Blob) -> str | None:
        size = self._vault.size(blob)
        if size is None:
            return "its bytes are missing"
        if size != blob.size_bytes:
            return f"it has {size} bytes, and had {blob.size_bytes}"
        return None

    def _byte_fault(self, blob: index.Blob) -> str | None:
        sha256, xxh3 = hashlib.sha256(), xxhash.xxh3_64()
        try:
            for chunk in self._vault.chunks(blob):
                sha256.update(chunk)
                xxh3.update(chunk)
                self._read_bytes += len(chunk)
        except OSError as error:
            return f"its bytes cannot be read ({error.strerror or error})"
        if sha256.digest() != blob.sha256:
            return "its bytes are not those that were stored"
        return None if xxh3.digest() == blob.xxh3 else "its entry in the index is damaged"

    def _version_problems(self) -> Iterator[Problem]:
        for _, name, number, seal, sha256, head, head_seal in index.each_version(self._database):
            self._versions += 1
            sound = index.is_sealed(
                seal, "" if name is None else name, 0 if number is None else number, sha256
            )
            if name is not None:
                sound = sound and index.is_sealed(head_seal, name, head, index.HEAD)
            if not sound:
                ref = "unnamed" if name is None else f"{name}@{number}"
                known = sha256 if isinstance(sha256, bytes) else b""
                yield self._problem(known, "its entry in the index is damaged", (ref,))
        for name in index.headless(self._database):
            yield self._problem(b"", "its newest version is missing", (name,))

    def _problem(self, sha256: bytes, reason: str, refs: tuple[str, ...] = ()) -> Problem:
        return Problem(
            digest=index.digest_of(sha256) if sha256 else "",
            refs=refs or (index.refs_of(self._database, sha256) if sha256 else ()),
            reason=reason,
            repair=self._vault.repair_command() if sha256 else "restore the store from a backup",
        )
