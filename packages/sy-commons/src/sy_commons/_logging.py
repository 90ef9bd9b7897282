"""Loggers that cost next to nothing while nobody listens, and let no secret through.

This room is light: a library that logs loads neither loguru nor asyncio by it. What listens is
in :mod:`sy_commons._sinks`, and only an application's :func:`configure_logging` brings it in.
"""

from __future__ import annotations

import sys
import time
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from sy_commons._errors import ValidationError
from sy_commons._redaction import is_secret_name, json_safe, redact_text
from sy_commons._secret import MASK


class Level(IntEnum):
    """How much it matters; the numbers are loguru's and the standard library's."""

    TRACE = 5
    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


OFF = 1000

_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})
_context: ContextVar[Mapping[str, Any]] = ContextVar("log_context", default=_NO_FIELDS)
_loggers: weakref.WeakValueDictionary[str, Logger] = weakref.WeakValueDictionary()


class Entry(NamedTuple):
    """One line of a log, redacted: what every sink gets."""

    at: float
    level: Level
    name: str
    message: str
    fields: dict[str, Any]
    exception: str


class _Listening:
    """Who hears what: nobody, until an application configures logging."""

    __slots__ = ("emit", "levels", "threshold")

    def __init__(self) -> None:
        self.emit: Callable[[Entry], object] | None = None
        self.threshold: int = OFF
        self.levels: Mapping[str, int] = {}

    def threshold_of(self, name: str) -> int:
        """Return the lowest level heard of the module *name*, or of the nearest one above it."""
        if self.emit is None:
            return OFF
        while name:
            if name in self.levels:
                return self.levels[name]
            name = name.rpartition(".")[0]
        return self.threshold


_listening = _Listening()


class Logger:
    """Logs for one module; made by :func:`get_logger`. Safe from any thread and task.

    Keyword arguments fill the message's braces and are fields of the entry. A message without
    arguments is taken as it is. A call below the level costs one comparison.

    >>> get_logger("shop")
    Logger('shop', hears nothing)
    """

    __slots__ = ("__weakref__", "_threshold", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._threshold = _listening.threshold_of(name)

    def trace(self, message: str, /, **fields: Any) -> None:
        """Log what only a search for a defect wants to see."""
        if self._threshold <= 5:
            _emit(self.name, Level.TRACE, message, fields)

    def debug(self, message: str, /, **fields: Any) -> None:
        """Log what helps to understand."""
        if self._threshold <= 10:
            _emit(self.name, Level.DEBUG, message, fields)

    def info(self, message: str, /, **fields: Any) -> None:
        """Log that something happened as it should."""
        if self._threshold <= 20:
            _emit(self.name, Level.INFO, message, fields)

    def warning(self, message: str, /, **fields: Any) -> None:
        """Log what somebody should look at some day."""
        if self._threshold <= 30:
            _emit(self.name, Level.WARNING, message, fields)

    def error(self, message: str, /, **fields: Any) -> None:
        """Log that something failed."""
        if self._threshold <= 40:
            _emit(self.name, Level.ERROR, message, fields)

    def critical(self, message: str, /, **fields: Any) -> None:
        """Log that the program cannot go on."""
        if self._threshold <= 50:
            _emit(self.name, Level.CRITICAL, message, fields)

    def exception(self, message: str, /, **fields: Any) -> None:
        """Log that something failed, with the exception that is being handled."""
        if self._threshold <= 40:
            _emit(self.name, Level.ERROR, message, fields, sys.exception())

    def is_enabled_for(self, level: str | int) -> bool:
        """Tell whether an entry of *level* would be heard: before work that only a log wants."""
        return self._threshold <= level_of(level)

    def __repr__(self) -> str:
        heard = next((word.name for word in Level if word >= self._threshold), "nothing")
        return f"Logger({self.name!r}, hears {heard})"


def get_logger(name: str) -> Logger:
    """Return the logger of the module *name*: silent until an application configures logging.

    >>> log = get_logger("shop.till")
    >>> log.info("counted {sum} in {ms:.1f} ms", sum=3, ms=0.25)
    >>> log is get_logger("shop.till"), log.is_enabled_for("CRITICAL")
    (True, False)
    """
    logger = _loggers.get(name)
    if logger is None:
        logger = _loggers.setdefault(name, Logger(name))
    return logger


@contextmanager
def log_context(**fields: Any) -> Iterator[None]:
    """Give every entry within, in this task or thread and those it starts, these fields too.

    >>> with log_context(run="r-42"):
    ...     bound_fields()
    {'run': 'r-42'}
    """
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def bound_fields() -> dict[str, Any]:
    """Return the fields that :func:`log_context` has bound here.

    >>> bound_fields()
    {}
    """
    return dict(_context.get())


def level_of(level: str | int) -> int:
    """Return the number of a level's name; a number is itself. Raises ``ValidationError``.

    >>> level_of("warning"), level_of(15)
    (30, 15)
    """
    if isinstance(level, int):
        return int(level)
    try:
        return Level[level.upper()].value
    except KeyError:
        names = ", ".join(word.name for word in Level)
        raise ValidationError(f"there is no log level {level!r}", hint=f"one of {names}") from None


def listen(
    emit: Callable[[Entry], object] | None, *, threshold: int = OFF, levels: Mapping[str, int]
) -> None:
    """Let *emit* hear what is at least *threshold*, or *levels* by module."""
    _listening.emit, _listening.threshold, _listening.levels = emit, threshold, dict(levels)
    for logger in list(_loggers.values()):
        logger._threshold = _listening.threshold_of(logger.name)  # noqa: SLF001 - its own room


def emit_entry(
    name: str,
    level: int,
    message: str,
    *,
    fields: Mapping[str, Any] | None = None,
    error: BaseException | None = None,
) -> None:
    """Log a finished text under *name*: for what was logged by other means."""
    if _listening.threshold_of(name) <= level:
        heard = max((word for word in Level if word <= level), default=Level.TRACE)
        _emit(name, heard, message, dict(fields or {}), error, literal=True)


def _emit(  # noqa: PLR0913 - the parts of one entry
    name: str,
    level: Level,
    message: str,
    fields: dict[str, Any],
    error: BaseException | None = None,
    *,
    literal: bool = False,
) -> None:
    emit = _listening.emit
    if emit is None:
        return
    text = message if literal or not fields else _filled(message, fields)
    bound = _context.get()
    extra = json_safe({**bound, **fields} if bound else fields) if bound or fields else {}
    extra = {**_trace_ids(), **extra}
    emit(Entry(time.time(), level, name, redact_text(text), extra, _told(error)))


def _trace_ids() -> dict[str, str]:
    """Return the ids of OpenTelemetry's current span, where the program has loaded it."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    try:
        span = trace.get_current_span().get_span_context()
        ids = {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        valid = span.is_valid
    except Exception:  # noqa: BLE001 - another's library must not keep an entry from being logged
        return {}
    return ids if valid else {}


def _filled(message: str, fields: Mapping[str, Any]) -> str:
    shown = {key: MASK if is_secret_name(key) else value for key, value in fields.items()}
    try:
        return message.format_map(shown)
    except Exception as error:  # noqa: BLE001 - a wrong message must not harm what it tells of
        return f"{message} ({type(error).__name__} in this message)"


def _told(error: BaseException | None) -> str:
    if error is None:
        return ""
    return redact_text("".join(traceback.format_exception(error)).rstrip())
