r"""The things every program needs, done once. This is the guide; each name says the rest.

Errors are classes with facts; text, context, pickling and the wire form follow from them.

>>> from sy_commons import ErrorCategory, SymphonyError
>>> class LampOut(SymphonyError):
...     '''A lamp does not shine.'''
...     code = "guide.lamp_out"
...     category = ErrorCategory.UNAVAILABLE
...     message = "the lamp in {room} is out"
...     hint = "change the bulb in the {room}"
...     room: str
>>> error = LampOut(room="hall")
>>> print(error, "|", error.hint, "|", error.context, "|", error.retryable)
the lamp in hall is out | change the bulb in the hall | {'room': 'hall'} | True
>>> SymphonyError.from_wire(error.to_wire()).room
'hall'

Somebody else's exceptions become ours where we meet them.

>>> from sy_commons import StorageError, map_errors
>>> with map_errors({OSError: StorageError}):
...     open("/no/such/file")
Traceback (most recent call last):
...
sy_commons._errors.StorageError: [Errno 2] No such file or directory: '/no/such/file'

Files are written whole or not at all, and stay where they belong.

>>> import tempfile
>>> from sy_commons import FileLock, Root, atomic_write, read_text
>>> folder = tempfile.mkdtemp()
>>> with FileLock(f"{folder}/lock", timeout_s=5):
...     atomic_write(f"{folder}/default.toml", 'workers = 6\n[db]\nport = 1\n')
>>> with Root(folder) as root:
...     root.list(), root.read_text("default.toml") == read_text(f"{folder}/default.toml")
(['default.toml', 'lock'], True)

Configuration is a class of attrs; it comes from files, variables and the program, and can say so.

>>> import attrs
>>> from sy_commons import ConfigInvalid, Duration, Secret, Size, load_config
>>> @attrs.frozen
... class Db:
...     port: int = 5432
>>> @attrs.frozen
... class App:
...     workers: int = 4
...     timeout: Duration = 30.0
...     memory: Size = 1 << 30
...     api_key: Secret = Secret("")
...     db: Db = Db()
>>> environ = {"ACME__WORKERS": "8", "ACME__MEMORY": "8 GiB", "ACME__API_KEY": "k"}
>>> config = load_config(App, dirs=[folder], prefix="ACME", environ=environ)
>>> config.value.workers, config.value.db.port, config.value.memory, config.value.api_key
(8, 1, 8589934592, Secret('***'))
>>> config.explain("workers").replace(folder, "config")
'8  from ACME__WORKERS; shadows 6 at config/default.toml:1'
>>> try:
...     load_config(App, dirs=[], overrides={"timeuot": "1s", "db.port": "x"}, environ={})
... except ConfigInvalid as error:
...     print(error)
2 problems in the configuration:
  timeuot: there is no such key; did you mean 'timeout'? (from overrides)
  db.port: expected an integer, found 'x' (from overrides)

Rules are checked before a request is made; all failures are told, with their paths.

>>> from sy_commons import each, max_length, not_empty, validate
>>> rules = {"name": not_empty & max_length(80), "tags": each(max_length(3))}
>>> for problem in validate({"name": "", "tags": ["ok", "long"]}, rules):
...     print(problem)
name: expected something in it, found ''
tags[1]: expected at most 3 characters, found 4: 'long'

Loggers are silent until the application, and no library, says where the log goes.

>>> from sy_commons import configure_logging, get_logger, log_context, silence_logging
>>> entries = []
>>> _ = configure_logging(console=False, sinks=[entries.append])
>>> with log_context(run="r-42"):
...     get_logger("shop").info("leased {model}", model="minilm", token="s3cr3t")
>>> silence_logging()
>>> entries[0]["message"], entries[0]["fields"]
('leased minilm', {'run': 'r-42', 'model': 'minilm', 'token': '***'})

And a look at a value is one word, that ``sy duck --check`` finds again:
``total = duck(price * count)`` prints ``[DUCK DEBUGGING] shop.py:12 price * count = 42.0``.

Importing this package loads none of its rooms: each comes with the first of its names that is
used. A command adds itself to ``sy`` by an entry point, see :mod:`sy_commons.cli`; what tests
share is in :mod:`sy_commons.testing`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sy_commons._backoff import (
        Backoff,
        ConstantBackoff,
        ExponentialBackoff,
        LinearBackoff,
        backoff,
    )
    from sy_commons._boundary import (
        map_errors,
    )
    from sy_commons._clock import (
        Clock,
        SystemClock,
        VirtualClock,
    )
    from sy_commons._config import (
        Config,
        ConfigInvalid,
        load_config,
    )
    from sy_commons._database import (
        Database,
        DatabaseStats,
    )
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
    from sy_commons._duck import (
        DuckInProduction,
        duck,
    )
    from sy_commons._errors import (
        Cancelled,
        ConfigurationError,
        Conflict,
        DeadlineExceeded,
        ErrorCategory,
        ForeignError,
        InternalError,
        NotFound,
        PermissionRefused,
        ResourceExhausted,
        SerializationError,
        StorageError,
        SymphonyError,
        Unavailable,
        ValidationError,
        error_classes,
        find_error_class,
    )
    from sy_commons._file_errors import (
        BinaryFile,
        DiskFull,
        FileProblem,
        FileRefused,
        FileTooLarge,
        NotAFile,
        NotDecodable,
        PathEscape,
        PathMissing,
        UnknownEncoding,
    )
    from sy_commons._fingerprint import (
        hash_file,
        hash_tree,
    )
    from sy_commons._folders import (
        AppDirs,
        app_dirs,
    )
    from sy_commons._ids import (
        uuid7,
    )
    from sy_commons._layers import (
        ConfigFileInvalid,
        Layer,
    )
    from sy_commons._lock import (
        FileLock,
        LockHeld,
        LockMisused,
    )
    from sy_commons._logging import (
        Logger,
        bound_fields,
        get_logger,
        log_context,
    )
    from sy_commons._reading import (
        read_bytes,
        read_text,
    )
    from sy_commons._root import (
        Root,
        RootClosed,
    )
    from sy_commons._secret import (
        Secret,
    )
    from sy_commons._sinks import (
        LoggingConfig,
        configure_logging,
        silence_logging,
    )
    from sy_commons._suggestion import (
        suggestion,
    )
    from sy_commons._text_rules import (
        digest,
        email,
        identifier,
        io_file_exists,
        matches,
        path_within,
        url,
    )
    from sy_commons._units import (
        Duration,
        InvalidQuantity,
        Size,
        format_duration,
        format_size,
        parse_duration,
        parse_size,
    )
    from sy_commons._validation import (
        Problem,
        Rule,
        each,
        each_value,
        in_range,
        is_a,
        max_length,
        min_length,
        not_empty,
        one_of,
        optional,
        record,
        rule,
        validate,
    )
    from sy_commons._wire import (
        from_wire,
        to_wire,
    )
    from sy_commons._writing import (
        atomic_write,
    )

# Where each public name lives: a room is imported when the first of its names is used.
_ROOMS = {
    "AppDirs": "_folders",
    "Backoff": "_backoff",
    "BinaryFile": "_file_errors",
    "Cancelled": "_errors",
    "Clock": "_clock",
    "Config": "_config",
    "ConfigFileInvalid": "_layers",
    "ConfigInvalid": "_config",
    "ConfigurationError": "_errors",
    "Conflict": "_errors",
    "ConstantBackoff": "_backoff",
    "Database": "_database",
    "DatabaseClosed": "_database_errors",
    "DatabaseConstraint": "_database_errors",
    "DatabaseCorrupt": "_database_errors",
    "DatabaseError": "_database_errors",
    "DatabaseForeign": "_database_errors",
    "DatabaseForked": "_database_errors",
    "DatabaseFull": "_database_errors",
    "DatabaseLocked": "_database_errors",
    "DatabaseMismatch": "_database_errors",
    "DatabaseNewer": "_database_errors",
    "DatabaseReadOnly": "_database_errors",
    "DatabaseStats": "_database",
    "DeadlineExceeded": "_errors",
    "DiskFull": "_file_errors",
    "DuckInProduction": "_duck",
    "Duration": "_units",
    "ErrorCategory": "_errors",
    "ExponentialBackoff": "_backoff",
    "FileLock": "_lock",
    "FileProblem": "_file_errors",
    "FileRefused": "_file_errors",
    "FileTooLarge": "_file_errors",
    "ForeignError": "_errors",
    "InternalError": "_errors",
    "InvalidQuantity": "_units",
    "Layer": "_layers",
    "LinearBackoff": "_backoff",
    "LockHeld": "_lock",
    "LockMisused": "_lock",
    "Logger": "_logging",
    "LoggingConfig": "_sinks",
    "NetworkFilesystem": "_database_errors",
    "NotAFile": "_file_errors",
    "NotDecodable": "_file_errors",
    "NotFound": "_errors",
    "PathEscape": "_file_errors",
    "PathMissing": "_file_errors",
    "PermissionRefused": "_errors",
    "Problem": "_validation",
    "ResourceExhausted": "_errors",
    "Root": "_root",
    "RootClosed": "_root",
    "Rule": "_validation",
    "Secret": "_secret",
    "SerializationError": "_errors",
    "Size": "_units",
    "StorageError": "_errors",
    "SymphonyError": "_errors",
    "SystemClock": "_clock",
    "Unavailable": "_errors",
    "UnknownEncoding": "_file_errors",
    "ValidationError": "_errors",
    "VirtualClock": "_clock",
    "app_dirs": "_folders",
    "atomic_write": "_writing",
    "backoff": "_backoff",
    "bound_fields": "_logging",
    "configure_logging": "_sinks",
    "digest": "_text_rules",
    "duck": "_duck",
    "each": "_validation",
    "each_value": "_validation",
    "email": "_text_rules",
    "error_classes": "_errors",
    "find_error_class": "_errors",
    "format_duration": "_units",
    "format_size": "_units",
    "from_wire": "_wire",
    "get_logger": "_logging",
    "hash_file": "_fingerprint",
    "hash_tree": "_fingerprint",
    "identifier": "_text_rules",
    "in_range": "_validation",
    "io_file_exists": "_text_rules",
    "is_a": "_validation",
    "load_config": "_config",
    "log_context": "_logging",
    "map_errors": "_boundary",
    "matches": "_text_rules",
    "max_length": "_validation",
    "min_length": "_validation",
    "not_empty": "_validation",
    "one_of": "_validation",
    "optional": "_validation",
    "parse_duration": "_units",
    "parse_size": "_units",
    "path_within": "_text_rules",
    "read_bytes": "_reading",
    "read_text": "_reading",
    "record": "_validation",
    "rule": "_validation",
    "silence_logging": "_sinks",
    "suggestion": "_suggestion",
    "to_wire": "_wire",
    "url": "_text_rules",
    "uuid7": "_ids",
    "validate": "_validation",
}

__all__ = [
    "AppDirs",
    "Backoff",
    "BinaryFile",
    "Cancelled",
    "Clock",
    "Config",
    "ConfigFileInvalid",
    "ConfigInvalid",
    "ConfigurationError",
    "Conflict",
    "ConstantBackoff",
    "Database",
    "DatabaseClosed",
    "DatabaseConstraint",
    "DatabaseCorrupt",
    "DatabaseError",
    "DatabaseForeign",
    "DatabaseForked",
    "DatabaseFull",
    "DatabaseLocked",
    "DatabaseMismatch",
    "DatabaseNewer",
    "DatabaseReadOnly",
    "DatabaseStats",
    "DeadlineExceeded",
    "DiskFull",
    "DuckInProduction",
    "Duration",
    "ErrorCategory",
    "ExponentialBackoff",
    "FileLock",
    "FileProblem",
    "FileRefused",
    "FileTooLarge",
    "ForeignError",
    "InternalError",
    "InvalidQuantity",
    "Layer",
    "LinearBackoff",
    "LockHeld",
    "LockMisused",
    "Logger",
    "LoggingConfig",
    "NetworkFilesystem",
    "NotAFile",
    "NotDecodable",
    "NotFound",
    "PathEscape",
    "PathMissing",
    "PermissionRefused",
    "Problem",
    "ResourceExhausted",
    "Root",
    "RootClosed",
    "Rule",
    "Secret",
    "SerializationError",
    "Size",
    "StorageError",
    "SymphonyError",
    "SystemClock",
    "Unavailable",
    "UnknownEncoding",
    "ValidationError",
    "VirtualClock",
    "app_dirs",
    "atomic_write",
    "backoff",
    "bound_fields",
    "configure_logging",
    "digest",
    "duck",
    "each",
    "each_value",
    "email",
    "error_classes",
    "find_error_class",
    "format_duration",
    "format_size",
    "from_wire",
    "get_logger",
    "hash_file",
    "hash_tree",
    "identifier",
    "in_range",
    "io_file_exists",
    "is_a",
    "load_config",
    "log_context",
    "map_errors",
    "matches",
    "max_length",
    "min_length",
    "not_empty",
    "one_of",
    "optional",
    "parse_duration",
    "parse_size",
    "path_within",
    "read_bytes",
    "read_text",
    "record",
    "rule",
    "silence_logging",
    "suggestion",
    "to_wire",
    "url",
    "uuid7",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'sy_commons' has no attribute {name!r}")
    value = getattr(import_module(f"sy_commons.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
