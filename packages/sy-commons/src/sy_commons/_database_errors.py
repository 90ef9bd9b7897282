"""What can be wrong with a database. Needs no SQLite: every process can read it off a wire."""

from __future__ import annotations

from sy_commons._errors import ErrorCategory, SymphonyError


class DatabaseError(SymphonyError):
    """The database could not do what it was asked."""

    code = "commons.database"
    category = ErrorCategory.IO
    message = "{path}: {reason}"
    hint = "look whether the folder exists and the disk is sound"
    path: str
    reason: str


class DatabaseFull(DatabaseError):
    """There is no room to write; the transaction is rolled back, all before it stands."""

    code = "commons.database_full"
    category = ErrorCategory.RESOURCE
    message = "no room left to write {path} ({reason})"
    hint = "make room and do it again: nothing of it was kept, and everything before it stands"


class DatabaseReadOnly(DatabaseError):
    """The database or its folder cannot be written."""

    code = "commons.database_read_only"
    category = ErrorCategory.PERMISSION
    message = "{path} cannot be written ({reason})"
    hint = "give the user write permission to the file and its folder"


class DatabaseCorrupt(DatabaseError):
    """The file is damaged."""

    code = "commons.database_corrupt"
    message = "the database {path} is damaged ({reason})"
    hint = "stop using it and restore it from a backup"


class DatabaseLocked(DatabaseError):
    """Somebody else kept the database for longer than the time to wait."""

    code = "commons.database_locked"
    category = ErrorCategory.UNAVAILABLE
    message = "another writer has kept {path} for more than {waited_s:g} s"
    hint = "wait for the other process, or give more time by busy_timeout_s"
    waited_s: float


class DatabaseConstraint(DatabaseError):
    """A row contradicts the schema."""

    code = "commons.database_constraint"
    category = ErrorCategory.CONFLICT
    hint = ""


class DatabaseMismatch(DatabaseError):
    """A statement does not fit the database: a defect of the program, or a damaged schema."""

    code = "commons.database_mismatch"
    category = ErrorCategory.INTERNAL
    hint = "if the program is as it was, the file may be damaged: restore it from a backup"


class DatabaseForeign(DatabaseError):
    """The file is something else than what was expected."""

    code = "commons.database_foreign"
    category = ErrorCategory.CONFIGURATION
    message = "{path} is not a database of this kind ({reason})"
    hint = "give the path of the right file, or of one that does not exist yet"


class DatabaseNewer(DatabaseError):
    """A later release has written the file."""

    code = "commons.database_newer"
    category = ErrorCategory.CONFIGURATION
    message = "{path} has format {found}, and this release knows formats up to {known}"
    hint = "upgrade the package that opens it"
    reason: str = "newer format"
    found: int
    known: int


class NetworkFilesystem(SymphonyError):
    """The path lies on a filesystem where SQLite's locks and shared memory do not hold."""

    code = "commons.network_filesystem"
    category = ErrorCategory.CONFIGURATION
    message = (
        "{path} lies on a network filesystem ({filesystem}), whose locks do not keep several"
        " machines from damaging a database"
    )
    hint = "put it on a local disk"
    path: str
    filesystem: str


class DatabaseForked(DatabaseError):
    """A process forked off one that had the database open tries to use it."""

    code = "commons.database_forked"
    category = ErrorCategory.CONFLICT
    message = "{path} was open when this process forked off, and SQLite's locks do not survive that"
    hint = "start processes by spawn, or close the database before the fork and open it after"
    reason: str = "forked"


class DatabaseClosed(DatabaseError):
    """The database has been closed."""

    code = "commons.database_closed"
    category = ErrorCategory.CONFLICT
    message = "{path} is closed"
    hint = "use it inside its with block"
    reason: str = "closed"
