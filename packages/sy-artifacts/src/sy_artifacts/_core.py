"""What the blocking store and its asyncio twin are both fronts of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from sy_artifacts import _index as index
from sy_artifacts import _puts as puts
from sy_artifacts._artifact import Artifact
from sy_artifacts._blobs import BlobFiles, WriteErrors
from sy_artifacts._errors import NotAStore, StoreClosed, StoreFull, StoreMissing
from sy_artifacts._refs import Finder
from sy_artifacts._vault import Vault
from sy_commons import Clock, Database, DatabaseFull, SystemClock

INDEX_FILE = "index.db"


class Core:
    """An open store's parts, and the three steps of a put."""

    def __init__(
        self, database: Database, files: BlobFiles | None, *, path: Path | None, clock: Clock | None
    ) -> None:
        self.path = path
        self.name = str(path or ":memory:")
        self._clock = clock or SystemClock()
        self._database = database
        self._vault = Vault(database, files, self.name)
        self._finder = Finder(database, self._vault)
        self.closed = False

    @classmethod
    def open(
        cls, path: Path | str, *, create: bool, busy_timeout_s: float, clock: Clock | None
    ) -> Self:
        """Return the store in a folder, opened, swept and up to date."""
        folder = Path(path).expanduser().absolute()
        _prepare_folder(folder, create=create)
        try:
            database = Database.open(
                folder / INDEX_FILE,
                application_id=index.APPLICATION_ID,
                migrations=index.MIGRATIONS,
                busy_timeout_s=busy_timeout_s,
                page_size_bytes=index.PAGE_SIZE_BYTES,
            )
        except DatabaseFull as error:
            raise StoreFull(path=str(folder), reason=error.reason) from error
        files = BlobFiles(folder)
        try:
            with WriteErrors(folder):
                files.create()
                files.sweep_temp()
        except BaseException:
            database.close()
            raise
        return cls(database, files, path=folder, clock=clock)

    @classmethod
    def memory(cls, *, clock: Clock | None) -> Self:
        """Return a store in memory."""
        return cls(Database.memory(migrations=index.MIGRATIONS), None, path=None, clock=clock)

    @property
    def database(self) -> Database:
        """The index, if the store is open."""
        self._check_open()
        return self._database

    @property
    def vault(self) -> Vault:
        """The bytes, if the store is open."""
        self._check_open()
        return self._vault

    @property
    def finder(self) -> Finder:
        """What finds things, if the store is open."""
        self._check_open()
        return self._finder

    def read(self, ref: str | Artifact) -> bytes:
        """Return the bytes of *ref*, verified."""
        self._check_open()
        return self._vault.read(self._finder.blob(ref), ref)

    def prepare(self, data: puts.Data, notes: puts.Notes) -> puts.Put:
        """Check, hash and, where it is large, stage; holds up nobody."""
        return puts.prepare(self.vault, data, notes)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the transaction for :meth:`record`."""
        with self.vault.writing():
            yield

    def record(self, put: puts.Put) -> Artifact:
        """Record a prepared put; if the transaction around it is there already, a part of it."""
        try:
            if self._database.in_transaction:
                return self._record(put)
            with self.vault.writing():
                return self._record(put)
        finally:
            put.discard()

    def close(self) -> None:
        """Close everything."""
        self.closed = True
        self._vault.close()
        self._database.close()

    def _record(self, put: puts.Put) -> Artifact:
        return puts.record(
            put,
            database=self._database,
            vault=self._vault,
            finder=self._finder,
            clock=self._clock,
        )

    def _check_open(self) -> None:
        if self.closed:
            raise StoreClosed(path=self.name)


def _prepare_folder(folder: Path, *, create: bool) -> None:
    if (folder / INDEX_FILE).exists():
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NotAStore(path=str(folder))
    if not create:
        raise StoreMissing(path=str(folder))
    with WriteErrors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
