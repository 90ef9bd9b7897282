"""SQLite, opened safely: the drawer of every package that keeps its state in a database."""

from __future__ import annotations

import errno
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import attrs

from sy_commons._database_errors import (
    DatabaseClosed,
    DatabaseConstraint,
    DatabaseCorrupt,
    DatabaseError,
    DatabaseForeign,
    DatabaseForked,
    DatabaseFull,
    DatabaseLocked,
    DatabaseMismatch,
    DatabaseNewer,
    DatabaseReadOnly,
    NetworkFilesystem,
)
from sy_commons._mounts import filesystem_of, is_network

try:
    import apsw
except ImportError as missing:
    raise ImportError(
        "sy_commons.Database needs SQLite: pip install 'sy-commons[sqlite]'", name="apsw"
    ) from missing

Row = tuple[Any, ...]
Bindings = Sequence[Any] | dict[str, Any]
Migration = str | Callable[["Database"], None]

_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_IDLE_CONNECTIONS = 16
_CACHED_STATEMENTS = 256
_CHECKPOINT_BYTES = 32 << 20  # a large batch need not copy the log into the file at its own end
# mmap stays off: an I/O error on mapped memory is a signal, and no exception.
_PRAGMAS = """
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA mmap_size = 0;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -8192;
"""


_CLASSES: tuple[tuple[type[apsw.Error], type[DatabaseError]], ...] = (
    (apsw.FullError, DatabaseFull),
    (apsw.ReadOnlyError, DatabaseReadOnly),
    (apsw.CorruptError, DatabaseCorrupt),
    (apsw.NotADBError, DatabaseCorrupt),
    (apsw.ConstraintError, DatabaseConstraint),
    (apsw.IOError, DatabaseError),
    (apsw.CantOpenError, DatabaseError),
    (apsw.PermissionsError, DatabaseError),
    (apsw.NoMemError, DatabaseError),
    (apsw.TooBigError, DatabaseError),
    (apsw.ProtocolError, DatabaseError),
)
# Who has which file open, so that a forked child is refused instead of breaking its parent's locks.
_open: dict[int, weakref.ref[Database]] = {}


@attrs.frozen
class DatabaseStats:
    """What a database is and does at the moment."""

    path: str
    version: int
    size_bytes: int
    wal_bytes: int
    connections: int
    transactions: int


class _Held(threading.local):
    """The connection that a thread's transaction or snapshot holds."""

    connection: apsw.Connection | None = None
    depth = 0
    writes = False


class Database:
    """A SQLite database that survives power loss, several processes and several threads.

    Write-ahead log, ``synchronous=FULL``, foreign keys enforced, no memory mapping. Every
    method may be called from every thread; each call, transaction or snapshot has a connection
    to itself, taken from a pool. Whatever SQLite complains of comes as a :class:`DatabaseError`.
    Calls block: in asyncio, use a thread.

    >>> with Database.memory(migrations=["CREATE TABLE book (title TEXT) STRICT"]) as library:
    ...     with library.transaction():
    ...         library.execute("INSERT INTO book VALUES (?)", ("Emma",))
    ...     library.execute("SELECT title FROM book")
    []
    [('Emma',)]
    """

    def __init__(
        self, path: Path | None, *, busy_timeout_s: float = 30.0, page_size_bytes: int = 4096
    ) -> None:
        self._path = path
        self._page_size_bytes = page_size_bytes
        self._busy_timeout_s = busy_timeout_s
        self._pid = os.getpid()
        self._idle: list[apsw.Connection] = []
        self._held = _Held()
        self._writer = threading.RLock()  # one writer at a time waits here, not in SQLite's polling
        self._shared: apsw.Connection | None = None  # in memory there is but one
        self._closed = False
        self._connections = 0
        self._transactions = 0
        self._identity: tuple[int, int] | None = None

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        application_id: int,
        migrations: Sequence[Migration],
        busy_timeout_s: float = 30.0,
        page_size_bytes: int = 4096,
    ) -> Self:
        """Return the database at *path*, created if it is not there, brought up to date.

        *migrations* are SQL scripts, or functions of the database, in order; the file remembers
        how many it has had (``user_version``) and gets the rest in one transaction. Its folder
        must exist. A new file gets pages of *page_size_bytes*: larger ones suit values of many
        kilobytes. Raises :class:`NetworkFilesystem`, :class:`DatabaseForeign` for a file with
        another *application_id* or that is no database, :class:`DatabaseNewer`, and every
        :class:`DatabaseError`; a refused file is left as it was.
        """
        where = Path(path).resolve()
        _refuse_network(where)
        database = cls(where, busy_timeout_s=busy_timeout_s, page_size_bytes=page_size_bytes)
        _refuse_forked(where)
        created = not where.exists()
        try:
            database._prepare(application_id, migrations)
        except BaseException:
            database.close()
            raise
        if created:
            _sync_folder(where.parent)
        database._register()
        return database

    @classmethod
    def memory(cls, *, migrations: Sequence[Migration] = ()) -> Self:
        """Return a database that lives in memory alone, with the same behaviour, for tests."""
        database = cls(None)
        database._shared = database._connect()
        database._migrate(database._shared, 0, migrations)
        return database

    @property
    def path(self) -> Path | None:
        """Where the file is; None in memory."""
        return self._path

    @property
    def in_transaction(self) -> bool:
        """Whether the calling thread is inside :meth:`transaction`."""
        return self._held.depth > 0 and self._held.writes

    def execute(self, sql: str, bindings: Bindings = ()) -> list[Row]:
        """Run *sql* and return all its rows; what writes belongs inside :meth:`transaction`."""
        connection = self._take()
        try:
            return connection.execute(sql, bindings).fetchall()
        except apsw.Error as error:
            raise self._translate(error, connection) from error
        except UnicodeDecodeError as error:
            reason = f"a text that is no UTF-8: {error.reason}"
            raise DatabaseCorrupt(path=self._name, reason=reason) from error
        finally:
            self._give(connection)

    def row(self, sql: str, bindings: Bindings = ()) -> Row | None:
        """Run *sql* and return its first row, or None.

        >>> Database.memory().row("SELECT 1, 'a'")
        (1, 'a')
        """
        rows = self.execute(sql, bindings)
        return rows[0] if rows else None

    def execute_many(self, sql: str, rows: Iterable[Bindings]) -> None:
        """Run *sql* once for each of *rows*; belongs inside :meth:`transaction`."""
        connection = self._take()
        try:
            connection.executemany(sql, rows).fetchall()
        except apsw.Error as error:
            raise self._translate(error, connection) from error
        finally:
            self._give(connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the right to write: all that the block does is durable at its end, or undone.

        ``BEGIN IMMEDIATE``; waits up to ``busy_timeout_s`` for other threads and processes, then
        :class:`DatabaseLocked`. Belongs to the thread that entered it: never ``await`` inside.
        Inside another one it is a savepoint: an exception undoes the inner block alone.
        """
        if self._held.depth:
            with self._savepoint():
                yield
            return
        if not self._writer.acquire(timeout=self._busy_timeout_s):
            raise self._locked()
        try:
            with self._hold("BEGIN IMMEDIATE", writes=True):
                yield
            self._transactions += 1
        finally:
            self._writer.release()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads of the block see one state, whatever others write meanwhile.

        Inside a transaction or another snapshot it is that one.
        """
        if self._held.depth:
            yield
            return
        with self._hold("BEGIN", writes=False):
            yield

    def check(self, *, quick: bool = False) -> list[str]:
        """Return what is wrong with the structure of the file: nothing, if it is sound.

        *quick* leaves out the comparison of indexes with their tables.

        >>> Database.memory().check()
        []
        """
        pragma = "quick_check" if quick else "integrity_check"
        try:
            found = [str(row[0]) for row in self.execute(f"PRAGMA {pragma}") if row[0] != "ok"]
            broken = self.execute("PRAGMA foreign_key_check")
        except DatabaseCorrupt as error:
            return [error.reason]
        return found + [f"row {row} of {table} points nowhere" for table, row, *_ in broken]

    def stats(self) -> DatabaseStats:
        """Return version, sizes and counters.

        >>> Database.memory(migrations=["CREATE TABLE t (x)"]).stats().version
        1
        """
        version, pages, page_bytes = (
            int(self.execute(f"PRAGMA {name}")[0][0])
            for name in ("user_version", "page_count", "page_size")
        )
        return DatabaseStats(
            path=self._name,
            version=version,
            size_bytes=pages * page_bytes,
            wal_bytes=_size(Path(f"{self._path}-wal")) if self._path else 0,
            connections=self._connections,
            transactions=self._transactions,
        )

    def close(self) -> None:
        """Close it; calls still running in other threads finish first. Again: no effect.

        In a process forked off it does nothing: closing there would break the parent's locks.
        """
        self._closed = True
        if self._pid != os.getpid():
            return
        _open.pop(id(self), None)
        if self._shared is not None:
            with self._writer:
                self._shared.close()
        self._close_idle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self._connections} connections"
        return f"<Database {self._name} {state}, {self._transactions} transactions>"

    @property
    def _name(self) -> str:
        return str(self._path or ":memory:")

    # -- connections

    def _connect(self) -> apsw.Connection:
        if self._closed:
            raise DatabaseClosed(path=self._name)
        try:
            connection = apsw.Connection(self._name, statementcachesize=_CACHED_STATEMENTS)
        except apsw.Error as error:
            raise self._translate(error) from error
        try:
            connection.set_busy_timeout(int(self._busy_timeout_s * 1000))
            _configure(connection, self._page_size_bytes)
        except apsw.NotADBError as error:
            connection.close()
            raise DatabaseForeign(path=self._name, reason="not a SQLite file") from error
        except apsw.Error as error:
            translated = self._translate(error, connection)
            connection.close()
            raise translated from error
        self._connections += 1
        return connection

    def _take(self) -> apsw.Connection:
        held = self._held.connection
        if held is not None:
            if not held.in_transaction:  # SQLite rolls back by itself on a full disk, for one
                raise DatabaseError(path=self._name, reason="the transaction was rolled back")
            return held
        if self._pid != os.getpid():
            raise DatabaseForked(path=self._name)
        if self._shared is not None:
            self._writer.acquire()
            if self._closed:
                self._writer.release()
                raise DatabaseClosed(path=self._name)
            return self._shared
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _give(self, connection: apsw.Connection) -> None:
        if connection is self._held.connection:
            return
        if connection is self._shared:
            self._writer.release()
        elif len(self._idle) >= _IDLE_CONNECTIONS:
            self._discard(connection)
        else:
            self._idle.append(connection)
            if self._closed:
                self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._discard(self._idle.pop())

    def _discard(self, connection: apsw.Connection) -> None:
        self._connections -= 1
        connection.close()

    # -- transactions

    @contextmanager
    def _hold(self, begin: str, *, writes: bool) -> Iterator[None]:
        held, connection = self._held, self._take()
        try:
            connection.execute(begin)
            held.connection, held.depth, held.writes = connection, 1, writes
            yield
            self._take()  # raises if SQLite has rolled back
            connection.execute("COMMIT")
        except apsw.Error as error:
            raise self._translate(error, connection) from error
        finally:
            held.connection, held.depth, held.writes = None, 0, False
            _undo(connection, "ROLLBACK")
            if connection.in_transaction and connection is not self._shared:
                self._discard(connection)  # it cannot even roll back; closing it does
            else:
                self._give(connection)

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        held, connection = self._held, self._take()
        if not held.writes:
            raise DatabaseError(path=self._name, reason="a snapshot only reads")
        self.execute("SAVEPOINT inner_block")
        held.depth += 1
        try:
            yield
        except BaseException:
            _undo(connection, "ROLLBACK TO inner_block; RELEASE inner_block")
            raise
        finally:
            held.depth -= 1
        self.execute("RELEASE inner_block")

    # -- opening

    def _prepare(self, application_id: int, migrations: Sequence[Migration]) -> None:
        if self._path is not None and not self._path.parent.is_dir():
            raise DatabaseError(path=self._name, reason="its folder does not exist")
        deadline = time.monotonic() + self._busy_timeout_s
        while True:  # the switch to the write-ahead log does not wait for others by itself
            connection = self._connect()
            try:
                self._refuse_foreign(connection, application_id, len(migrations))
                self._use_wal(connection)
                self._migrate(connection, application_id, migrations)
            except apsw.BusyError as error:
                if time.monotonic() > deadline:
                    raise self._locked() from error
                time.sleep(0.01)
            except apsw.Error as error:
                raise self._translate(error, connection) from error
            else:
                return
            finally:
                self._give(connection)

    def _refuse_foreign(self, connection: apsw.Connection, application_id: int, known: int) -> None:
        connection.execute("BEGIN")  # one look: another process may be making it right now
        try:
            found = _number(connection, "PRAGMA application_id")
            version = _number(connection, "PRAGMA user_version")
            tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
        finally:
            _undo(connection, "ROLLBACK")
        if found != application_id and (found or version or tables):
            raise DatabaseForeign(
                path=self._name, reason=f"application id {found}, and not {application_id}"
            )
        if version > known:
            raise DatabaseNewer(path=self._name, found=version, known=known)

    def _use_wal(self, connection: apsw.Connection) -> None:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchall()[0][0]
        if mode != "wal":
            reason = f"its filesystem does not carry a write-ahead log (journal mode {mode})"
            raise DatabaseError(path=self._name, reason=reason)

    def _migrate(
        self, connection: apsw.Connection, application_id: int, migrations: Sequence[Migration]
    ) -> None:
        if _number(connection, "PRAGMA user_version") == len(migrations):
            return
        connection.execute("BEGIN IMMEDIATE")
        self._held.connection, self._held.depth, self._held.writes = connection, 1, True
        try:
            for migration in migrations[
                _number(connection, "PRAGMA user_version") :
            ]:  # others may have been quicker
                if callable(migration):
                    migration(self)
                else:
                    connection.execute(migration)
            connection.execute(f"PRAGMA application_id = {application_id:d}")
            connection.execute(f"PRAGMA user_version = {len(migrations):d}")
            connection.execute("COMMIT")
        finally:
            self._held.connection, self._held.depth, self._held.writes = None, 0, False
            _undo(connection, "ROLLBACK")

    def _register(self) -> None:
        if self._path is None:
            return
        found = self._path.stat()
        self._identity = (found.st_dev, found.st_ino)
        key = id(self)
        _open[key] = weakref.ref(self, lambda _: _open.pop(key, None))

    def _inherited(self, identity: tuple[int, int]) -> bool:
        return self._pid != os.getpid() and self._identity == identity

    # -- errors

    def _translate(
        self, error: apsw.Error, connection: apsw.Connection | None = None
    ) -> DatabaseError:
        if isinstance(error, apsw.BusyError | apsw.LockedError):
            return self._locked()
        if isinstance(error, apsw.ConnectionClosedError):
            return DatabaseClosed(path=self._name)
        found = next(
            (ours for theirs, ours in _CLASSES if isinstance(error, theirs)), DatabaseMismatch
        )
        number = connection.system_errno if connection is not None else 0
        if isinstance(error, apsw.IOError) and number in _FULL_ERRNOS:
            found = DatabaseFull
        reason = str(error) + (f", {os.strerror(number)}" if number else "")
        return found(path=self._name, reason=reason)

    def _locked(self) -> DatabaseLocked:
        return DatabaseLocked(path=self._name, reason="busy", waited_s=self._busy_timeout_s)


def _configure(connection: apsw.Connection, page_size_bytes: int) -> None:
    connection.execute(f"PRAGMA page_size = {page_size_bytes:d}")  # before all else, or it is late
    connection.execute(_PRAGMAS)
    connection.wal_autocheckpoint(_CHECKPOINT_BYTES // page_size_bytes)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    # Without it this build plans a statement anew for every value bound to it: 4 times the time.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def _refuse_network(path: Path) -> None:
    filesystem = filesystem_of(path)
    if is_network(filesystem):
        raise NetworkFilesystem(path=str(path), filesystem=filesystem)


def _refuse_forked(path: Path) -> None:
    if not path.exists():
        return
    found = path.stat()
    for reference in list(_open.values()):
        other = reference()
        if other is not None and other._inherited((found.st_dev, found.st_ino)):  # noqa: SLF001 - own class
            raise DatabaseForked(path=str(path))


def _number(connection: apsw.Connection, sql: str) -> int:
    (value,) = connection.execute(sql).fetchall()[0]
    if not isinstance(value, int):
        raise TypeError(f"{sql} gives {value!r}")
    return value


def _undo(connection: apsw.Connection, sql: str) -> None:
    if connection.in_transaction:
        with suppress(apsw.Error):
            connection.execute(sql)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
