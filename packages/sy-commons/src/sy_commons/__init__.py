"""The foundation of the Symphony libraries.

>>> from sy_commons import ErrorCategory, SymphonyError
>>> class LampOut(SymphonyError):
...     code = "guide.lamp_out"
...     category = ErrorCategory.UNAVAILABLE
...     message = "the lamp in {room} is out"
...     room: str
>>> print(LampOut(room="hall"))
the lamp in hall is out
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
        DatabaseNewer,
        DatabaseReadOnly,
        NetworkFilesystem,
    )
    from sy_commons._duck import (
        DuckInProduction,
        PathMissing,
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
    from sy_commons._ids import (
        uuid7,
    )
    from sy_commons._secret import (
        Secret,
    )
    from sy_commons._suggestion import (
        suggestion,
    )
    from sy_commons._units import (
        InvalidQuantity,
        format_duration,
        format_size,
        parse_duration,
        parse_size,
    )
    from sy_commons._wire import (
        from_wire,
        to_wire,
    )

# Where each public name lives: a room is imported when the first of its names is used.
_ROOMS = {
    "Backoff": "_backoff",
    "Cancelled": "_errors",
    "Clock": "_clock",
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
    "DatabaseNewer": "_database_errors",
    "DatabaseReadOnly": "_database_errors",
    "DatabaseStats": "_database",
    "DeadlineExceeded": "_errors",
    "DuckInProduction": "_duck",
    "ErrorCategory": "_errors",
    "ExponentialBackoff": "_backoff",
    "ForeignError": "_errors",
    "InternalError": "_errors",
    "InvalidQuantity": "_units",
    "LinearBackoff": "_backoff",
    "NetworkFilesystem": "_database_errors",
    "NotFound": "_errors",
    "PathMissing": "_duck",
    "PermissionRefused": "_errors",
    "ResourceExhausted": "_errors",
    "Secret": "_secret",
    "SerializationError": "_errors",
    "StorageError": "_errors",
    "SymphonyError": "_errors",
    "SystemClock": "_clock",
    "Unavailable": "_errors",
    "ValidationError": "_errors",
    "VirtualClock": "_clock",
    "backoff": "_backoff",
    "duck": "_duck",
    "error_classes": "_errors",
    "find_error_class": "_errors",
    "format_duration": "_units",
    "format_size": "_units",
    "from_wire": "_wire",
    "map_errors": "_boundary",
    "parse_duration": "_units",
    "parse_size": "_units",
    "suggestion": "_suggestion",
    "to_wire": "_wire",
    "uuid7": "_ids",
}

__all__ = [
    "Backoff",
    "Cancelled",
    "Clock",
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
    "DatabaseNewer",
    "DatabaseReadOnly",
    "DatabaseStats",
    "DeadlineExceeded",
    "DuckInProduction",
    "ErrorCategory",
    "ExponentialBackoff",
    "ForeignError",
    "InternalError",
    "InvalidQuantity",
    "LinearBackoff",
    "NetworkFilesystem",
    "NotFound",
    "PathMissing",
    "PermissionRefused",
    "ResourceExhausted",
    "Secret",
    "SerializationError",
    "StorageError",
    "SymphonyError",
    "SystemClock",
    "Unavailable",
    "ValidationError",
    "VirtualClock",
    "backoff",
    "duck",
    "error_classes",
    "find_error_class",
    "format_duration",
    "format_size",
    "from_wire",
    "map_errors",
    "parse_duration",
    "parse_size",
    "suggestion",
    "to_wire",
    "uuid7",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'sy_commons' has no attribute {name!r}")
    value = getattr(import_module(f"sy_commons.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
