from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

apsw = pytest.importorskip("apsw", reason="the extra sqlite is not installed")

from sy_commons import (  # noqa: E402 - after the skip
    Database,
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
    SymphonyError,
    _database,
)

ID = 0x54455354
SCHEMA = ["CREATE TABLE t (x INTEGER UNIQUE, data BLOB) STRICT"]


def open_at(path: Path, *, busy_timeout_s: float = 10.0) -> Database:
    return Database.open(path, application_id=ID, migrations=SCHEMA, busy_timeout_s=busy_timeout_s)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


Start = Callable[[str, Path], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes that work on a database."""
    started = []

    def start_one(program: str, path: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program, str(path)]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def fail(database: Database, number: int) -> None:
    """Write a row, and fail."""
    with database.transaction():
        database.execute("INSERT INTO t (x) VALUES (?)", (number,))
        raise ZeroDivisionError


def lose_the_transaction(database: Database) -> None:
    """Go on after SQLite has rolled back by itself, as a full disk makes it do."""
    with database.transaction():
        database.execute("INSERT INTO t (x) VALUES (1)")
        database._held.connection.execute("ROLLBACK")
        with pytest.raises(DatabaseError, match="rolled back"):
            database.execute("INSERT INTO t (x) VALUES (2)")


# -- opening


def test_every_connection_is_safe_against_power_loss_and_plans_once(path: Path) -> None:
    with open_at(path) as database:
        found = {
            name: database.execute(f"PRAGMA {name}")[0][0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "mmap_size")
        }
        connection = database._idle[0]
        assert found == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "mmap_size": 0,
        }
        assert connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1) == 1


def test_a_new_file_gets_the_page_size_and_an_old_one_keeps_its_own(path: Path) -> None:
    for page_size_bytes in (16384, 4096):
        with Database.open(
            path, application_id=ID, migrations=SCHEMA, page_size_bytes=page_size_bytes
        ) as database:
            assert database.execute("PRAGMA page_size") == [(16384,)]


def test_migrations_run_once_in_order_and_later_ones_follow(path: Path) -> None:
    def fill(database: Database) -> None:
        database.execute("INSERT INTO a VALUES (1)")

    first = ["CREATE TABLE a (x)", fill]
    for _ in range(2):
        with Database.open(path, application_id=ID, migrations=first) as database:
            assert database.execute("SELECT x FROM a") == [(1,)]
    later = [*first, "ALTER TABLE a ADD COLUMN y DEFAULT 2; UPDATE a SET x = 9;"]
    with Database.open(path, application_id=ID, migrations=later) as database:
        assert database.execute("SELECT x, y FROM a") == [(9, 2)]
        assert database.stats().version == 3


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    open_at(path).close()
    broken = [*SCHEMA, "CREATE TABLE u (x)", "CREATE TABLE t (again)"]
    with pytest.raises(DatabaseMismatch, match="already exists"):
        Database.open(path, application_id=ID, migrations=broken)
    with open_at(path) as database:
        assert database.stats().version == 1
        assert database.execute("SELECT name FROM sqlite_schema WHERE name = 'u'") == []


def test_a_file_that_is_no_database_is_refused_and_untouched(path: Path) -> None:
    path.write_bytes(b"the diary of a conductor" * 100)
    with pytest.raises(DatabaseForeign, match="not a SQLite file"):
        open_at(path)
    assert path.read_bytes() == b"the diary of a conductor" * 100


def test_another_programs_database_is_refused_and_untouched(path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseForeign, match="application id 0"):
        open_at(path)
    assert path.read_bytes() == before


def test_a_newer_format_is_refused_with_both_numbers(path: Path) -> None:
    Database.open(path, application_id=ID, migrations=[*SCHEMA, "CREATE TABLE u (x)"]).close()
    with pytest.raises(DatabaseNewer) as caught:
        open_at(path)
    assert (caught.value.found, caught.value.known) == (2, 1)
    assert "upgrade" in caught.value.hint


def test_a_network_filesystem_is_refused_before_anything_is_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_database, "filesystem_of", lambda where: "nfs4")
    with pytest.raises(NetworkFilesystem, match=r"nfs4.*locks"):
        open_at(path)
    assert not path.exists()


@pytest.mark.parametrize("name", ["missing/index.db", "."])
def test_a_place_where_no_file_can_be_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatabaseError, match=re.escape(str(tmp_path))):
        open_at(tmp_path / name)


def test_an_opening_waits_for_one_who_makes_the_database_at_the_moment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite does not wait by itself when it is to switch to the write-ahead log."""
    other = apsw.Connection(str(path))
    other.execute(f"PRAGMA application_id = {ID}; CREATE TABLE u (x); BEGIN IMMEDIATE")
    monkeypatch.setattr(_database.time, "sleep", lambda seconds: other.execute("ROLLBACK"))
    with open_at(path) as database:
        assert database.stats().version == 1
    other.close()


# -- transactions


def test_a_transaction_is_kept_or_undone_as_a_whole(path: Path) -> None:
    with open_at(path) as database:
        with database.transaction():
            database.execute_many("INSERT INTO t (x) VALUES (?)", [(1,), (2,)])
        with pytest.raises(ZeroDivisionError):
            fail(database, 3)
        assert not database.in_transaction
    with open_at(path) as database:
        assert database.execute("SELECT x FROM t") == [(1,), (2,)]


def test_an_inner_failure_undoes_the_inner_block_alone(path: Path) -> None:
    with open_at(path) as database:
        with database.transaction():
            database.execute("INSERT INTO t (x) VALUES (1)")
            with pytest.raises(ZeroDivisionError):
                fail(database, 2)
            with database.transaction():
                database.execute("INSERT INTO t (x) VALUES (3)")
        assert database.execute("SELECT x FROM t") == [(1,), (3,)]


def test_after_sqlite_has_rolled_back_by_itself_nothing_more_is_written(path: Path) -> None:
    """Else what follows a swallowed error would be made durable one statement at a time."""
    with open_at(path) as database:
        with pytest.raises(DatabaseError, match="rolled back"):
            lose_the_transaction(database)
        assert database.execute("SELECT x FROM t") == []


def test_a_snapshot_sees_one_state_whatever_others_write(path: Path) -> None:
    with open_at(path) as database, open_at(path) as other:
        with database.snapshot():
            assert database.execute("SELECT count(*) FROM t") == [(0,)]
            other.execute("INSERT INTO t (x) VALUES (1)")
            assert database.execute("SELECT count(*) FROM t") == [(0,)]
            with pytest.raises(DatabaseError, match="only reads"), database.transaction():
                pass
        assert database.execute("SELECT count(*) FROM t") == [(1,)]


@pytest.mark.parametrize("where", ["file", "memory"])
def test_threads_share_a_database_and_lose_no_update(path: Path, where: str) -> None:
    database = open_at(path) if where == "file" else Database.memory(migrations=SCHEMA)
    with database:
        database.execute("INSERT INTO t (x) VALUES (0)")
        failed: list[BaseException] = []

        def count() -> None:
            try:
                for _ in range(10):
                    with database.transaction():
                        (value,) = database.execute("SELECT x FROM t")[0]
                        database.execute("UPDATE t SET x = ?", (value + 1,))
                    database.execute("SELECT x FROM t")
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert database.execute("SELECT x FROM t") == [(40,)]


COUNT = """
import sys
from sy_commons import Database
for _ in range(10):
    with Database.open(sys.argv[1], application_id=0x54455354, migrations=[
        "CREATE TABLE t (x INTEGER UNIQUE, data BLOB) STRICT"]) as database:
        with database.transaction():
            rows = database.execute("SELECT x FROM t")
            database.execute("DELETE FROM t")
            database.execute("INSERT INTO t (x) VALUES (?)", (rows[0][0] + 1 if rows else 1,))
"""


@pytest.mark.integration
def test_processes_create_open_and_write_at_once_and_lose_no_update(
    path: Path, start: Start
) -> None:
    processes = [start(COUNT, path) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    with open_at(path) as database:
        assert database.execute("SELECT x FROM t") == [(40,)]


HOLD = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.integration
def test_a_process_that_keeps_the_database_is_waited_for_and_then_told(
    path: Path, start: Start
) -> None:
    with open_at(path, busy_timeout_s=0.05) as database:
        holder = start(HOLD, path)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DatabaseLocked, match=r"0\.05 s") as caught, database.transaction():
            pass
        assert caught.value.retryable
        holder.communicate("")
        with database.transaction():
            database.execute("INSERT INTO t (x) VALUES (1)")


def test_a_thread_that_keeps_the_database_is_told_the_same(path: Path) -> None:
    with open_at(path, busy_timeout_s=0.01) as database:
        entered, done = threading.Event(), threading.Event()

        def hold() -> None:
            with database.transaction():
                entered.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        entered.wait()
        with pytest.raises(DatabaseLocked), database.transaction():
            pass
        done.set()
        thread.join()


# -- trouble


def test_a_full_file_is_told_and_what_stood_before_stands(path: Path) -> None:
    with open_at(path) as database:
        database.execute("INSERT INTO t (x) VALUES (1)")
        database.execute("PRAGMA max_page_count = 10")
        with pytest.raises(DatabaseFull), database.transaction():
            database.execute("INSERT INTO t VALUES (2, zeroblob(1000000))")
        assert database.execute("SELECT x FROM t") == [(1,)]


FULL = """
import resource, signal, sys
from sy_commons import Database, DatabaseFull
database = Database.open(sys.argv[1], application_id=0x54455354, migrations=[
    "CREATE TABLE t (x INTEGER UNIQUE, data BLOB) STRICT"])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
written = 0
try:
    while True:
        with database.transaction():
            database.execute("INSERT INTO t VALUES (?, zeroblob(20000))", (written,))
        written += 1
except DatabaseFull as error:
    print("full:", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert database.execute("SELECT count(*) FROM t") == [(written,)], "acknowledged and lost"
with database.transaction():
    database.execute("INSERT INTO t VALUES (-1, NULL)")
assert database.check() == []
"""


@pytest.mark.integration
def test_when_the_system_lets_a_file_grow_no_more_nothing_acknowledged_is_lost(
    path: Path, start: Start
) -> None:
    process = start(FULL, path)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert out.startswith("full: no room left to write")


def test_a_database_that_cannot_be_written_is_told(path: Path) -> None:
    with open_at(path) as database:
        database.execute("PRAGMA query_only = ON")
        with pytest.raises(DatabaseReadOnly), database.transaction():
            database.execute("INSERT INTO t (x) VALUES (1)")


def test_damage_is_told_by_reads_and_by_check(path: Path) -> None:
    with open_at(path) as database, database.transaction():
        database.execute_many(
            "INSERT INTO t VALUES (?, ?)", [(number, b"x" * 300) for number in range(200)]
        )
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):
        content[page * 4096 : page * 4096 + 12] = b"\xff" * 12
    path.write_bytes(content)
    with open_at(path) as database:
        with pytest.raises(DatabaseCorrupt, match="damaged"):
            database.execute("SELECT * FROM t")
        assert database.check()
        assert database.check(quick=True)


def test_a_text_that_is_no_text_is_damage(path: Path) -> None:
    with open_at(path) as database, pytest.raises(DatabaseCorrupt, match="UTF-8"):
        database.execute("SELECT CAST(x'ff' AS TEXT)")


def test_a_row_against_the_schema_is_a_conflict(path: Path) -> None:
    with open_at(path) as database:
        database.execute("INSERT INTO t (x) VALUES (1)")
        with pytest.raises(DatabaseConstraint):
            database.execute("INSERT INTO t (x) VALUES (1)")


def test_a_statement_that_does_not_fit_is_told_as_such(path: Path) -> None:
    with open_at(path) as database, pytest.raises(DatabaseMismatch, match="SELEKT"):
        database.execute("SELEKT")


def test_after_close_every_use_is_refused(path: Path) -> None:
    for database in (open_at(path), Database.memory()):
        database.close()
        database.close()
        with pytest.raises(DatabaseClosed):
            database.execute("SELECT 1")
        with pytest.raises(DatabaseClosed), database.transaction():
            pass
        assert "closed" in repr(database)


def test_a_close_lets_a_running_transaction_finish(path: Path) -> None:
    database = open_at(path)
    with database.transaction():
        database.execute("INSERT INTO t (x) VALUES (1)")
        database.close()
    with open_at(path) as database:
        assert database.execute("SELECT x FROM t") == [(1,)]


def in_a_fork(work: Callable[[], object]) -> str:
    """Do *work* in a process forked off, and return the name of what it raised."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
            os.write(write, b"nothing")
        except BaseException as error:
            os.write(write, type(error).__name__.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    told = os.read(read, 100).decode()
    os.close(read)
    return told


@pytest.mark.integration
def test_a_forked_process_is_refused_the_database_its_parent_has_open(path: Path) -> None:
    with open_at(path) as database:
        assert in_a_fork(lambda: database.execute("SELECT 1")) == DatabaseForked.__name__
        assert in_a_fork(lambda: open_at(path)) == DatabaseForked.__name__
        assert in_a_fork(database.close) == "nothing"
        database.execute("INSERT INTO t (x) VALUES (1)")
    assert in_a_fork(lambda: open_at(path).execute("SELECT 1")) == "nothing"


def test_idle_connections_are_few_and_all_closed_at_the_end(path: Path) -> None:
    database = open_at(path)
    barrier = threading.Barrier(20)

    def read() -> None:
        with database.snapshot():
            barrier.wait()

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.stats().connections <= 16
    database.close()
    assert "closed" in repr(database)
    assert database._connections == 0


def test_the_errors_travel_between_processes() -> None:
    error = DatabaseNewer(path="/x", found=3, known=2)
    for arrived in (pickle.loads(pickle.dumps(error)), SymphonyError.from_wire(error.to_wire())):
        assert isinstance(arrived, DatabaseNewer)
        assert (arrived.found, arrived.known, str(arrived)) == (3, 2, str(error))
