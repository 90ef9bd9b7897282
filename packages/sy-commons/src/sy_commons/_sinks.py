"""Where the log goes: console, a file that rotates, JSON lines. An application's choice.

loguru writes: it rotates, compresses, colours and locks. What reaches it is redacted already,
and it is asked for no traceback of its own, since its frames show values.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import attrs

from sy_commons._errors import StorageError
from sy_commons._logging import Entry, emit_entry, level_of, listen
from sy_commons._units import InvalidQuantity, parse_size

if TYPE_CHECKING:
    from loguru import Logger as Loguru
    from loguru import Message, Record

Sink = Callable[[dict[str, Any]], object]

_encode = json.JSONEncoder(ensure_ascii=False).encode
_guard = threading.Lock()  # guards _active
# A line is one entry: what is logged neither forges another one nor steers a terminal.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROL |= {9: "\\t", 10: "\\n", 13: "\\r", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_active: _Active | None = None


@attrs.frozen(kw_only=True)
class LoggingConfig:
    """What is logged and where; field by field what :func:`configure_logging` takes.

    *levels* are by module and hold for what is below it too. A file is rotated when it has
    *rotation* ("10 MB", "1 day"), and *retention* rotated ones are kept, compressed as
    *compression* says ("gz"). *colour* None means: where the console is a terminal.
    *standard* takes in what libraries say through ``logging`` and ``warnings``.

    >>> LoggingConfig(level="DEBUG", levels={"shop.till": "ERROR"}).level
    'DEBUG'
    """

    level: str = "INFO"
    levels: dict[str, str] = attrs.field(factory=dict)
    console: bool = True
    colour: bool | None = None
    file: Path | None = None
    jsonl: Path | None = None
    rotation: str | None = "10 MB"
    retention: int = 5
    compression: str | None = None
    standard: bool = True


def configure_logging(
    config: LoggingConfig | None = None, *, sinks: Sequence[Sink] = (), **options: Any
) -> LoggingConfig:
    """Let the log be heard, as *config* or its fields as keywords say; return what holds now.

    It is for the application: a library never calls it. Called again, it takes the place of the
    call before. *sinks* are functions of yours that take each entry as JSON data; one that
    fails is told of on standard error, and harms nobody. Raises ``ValidationError`` for a
    level that is none and ``StorageError`` where a file cannot be opened; then all stays as it
    was. Safe from any thread.

    >>> from sy_commons import get_logger
    >>> entries = []
    >>> config = configure_logging(console=False, standard=False, sinks=[entries.append])
    >>> get_logger("shop").info("opened {path}", path="a/b", password="hunter2")
    >>> entries[0]["message"], entries[0]["fields"]
    ('opened a/b', {'path': 'a/b', 'password': '***'})
    >>> silence_logging()
    """
    global _active
    for name in ("file", "jsonl"):
        if isinstance(options.get(name), str):
            options[name] = Path(options[name])
    wanted = attrs.evolve(config or LoggingConfig(), **options)
    threshold = level_of(wanted.level)
    levels = {name: level_of(level) for name, level in wanted.levels.items()}
    with _guard:
        added = _Active(wanted, sinks)
        before, _active = _active, added
        listen(added.emit, threshold=threshold, levels=levels)
        if before is not None:
            before.close()
        added.take_in_standard()
    return wanted


def silence_logging() -> None:
    """Undo :func:`configure_logging`: nothing is heard, files are closed. For tests.

    >>> silence_logging()
    """
    global _active  # noqa: PLW0603 - as above
    with _guard:
        listen(None, levels={})
        if _active is not None:
            _active.close()
        _active = None


class _Active:
    """The sinks of one configuration, in a loguru that is shared with the application."""

    def __init__(self, config: LoggingConfig, sinks: Sequence[Sink]) -> None:
        from loguru import logger  # noqa: PLC0415 - heavy, and only a configured log needs it

        self._config = config
        self._sinks = tuple(sinks)
        self._logger: Loguru = logger
        self._handlers: list[int] = []
        self._standard: _Standard | None = None
        _drop_default_handler(logger)
        try:
            self._add_all()
        except OSError as error:
            self.close()
            raise StorageError(
                f"a log file cannot be opened: {error}", hint="name another file, or make room"
            ) from error

    def emit(self, entry: Entry) -> None:
        """Hand *entry* to loguru, which writes it to every sink."""
        self._logger.bind(entry=entry).log(entry.level.name, entry.message)

    def take_in_standard(self) -> None:
        """Hear what the standard library's logging and warnings say, if wanted."""
        if self._config.standard:
            self._standard = _Standard(level_of(self._config.level))

    def close(self) -> None:
        """Take the sinks away again."""
        for handler in self._handlers:
            with suppress(ValueError):  # the application has removed all of loguru's handlers
                self._logger.remove(handler)
        self._handlers.clear()
        if self._standard is not None:
            self._standard.close()
            self._standard = None

    def _add_all(self) -> None:
        config = self._config
        kept: dict[str, Any] = {
            "retention": config.retention,
            "compression": config.compression,
            "encoding": "utf-8",
        }
        if config.console:
            colour = config.colour if config.colour is not None else sys.stderr.isatty()
            self._add(_write_to_stderr, _text_line, colorize=colour)
        if config.file is not None:
            rotation = _rotation(config.rotation)
            self._add(config.file, _text_line, colorize=False, rotation=rotation, **kept)
        if config.jsonl is not None:
            self._add(config.jsonl, _json_line, rotation=_rotation(config.rotation), **kept)
        for sink in self._sinks:
            self._add(_to(sink), _no_line)

    def _add(self, sink: Any, line: Callable[[Record], str], **options: Any) -> None:
        added = self._logger.add(
            sink,
            level=0,
            format=line,
            filter=lambda record: "entry" in record["extra"],
            backtrace=False,
            diagnose=False,
            **options,
        )
        self._handlers.append(added)


class _Standard(logging.Handler):
    """Takes what ``logging`` and ``warnings`` say into our log."""

    def __init__(self, level: int) -> None:
        super().__init__(level=0)
        root = logging.getLogger()
        self._level_before, self._warning_before = root.level, warnings.showwarning
        root.addHandler(self)
        root.setLevel(min(level, root.level) if root.level else level)
        logging.captureWarnings(capture=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Log *record* under its own name."""
        error = record.exc_info[1] if record.exc_info else None
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        emit_entry(record.name, record.levelno, text, error=error)

    def close(self) -> None:
        """Leave ``logging`` as it was found."""
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level_before)
        logging.captureWarnings(capture=False)
        super().close()


def _drop_default_handler(logger: Loguru) -> None:
    try:
        logger.remove(0)  # loguru's own, which prints everything with the values of frames
    except ValueError:
        return


def _write_to_stderr(line: str) -> None:
    sys.stderr.write(line)  # looked up at every line: tests and notebooks replace it


def _text_line(record: Record) -> str:
    entry: Entry = record["extra"]["entry"]
    at = datetime.fromtimestamp(entry.at).astimezone()
    fields = "".join(f" {name}={_short(value)}" for name, value in entry.fields.items())
    lines = entry.exception.splitlines()
    told = "".join(f"\n    {line.translate(_CONTROL)}" for line in lines)
    said = entry.message.translate(_CONTROL) + fields.translate(_CONTROL)
    message, name = _escaped(said + told), _escaped(entry.name.translate(_CONTROL))
    stamp = at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03}"
    return f"<dim>{stamp}</dim> <level>{entry.level.name:8}</level> {name}: {message}\n"


class _BySize:
    """Says when a file is full; counts, where loguru asks the file before every line."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._file: TextIO | None = None
        self._size = 0

    def __call__(self, message: str, file: TextIO) -> bool:
        if file is not self._file:
            self._file, self._size = file, os.fstat(file.fileno()).st_size
        self._size += len(message) if message.isascii() else len(message.encode())
        return self._size > self._most


def _rotation(rotation: str | None) -> str | _BySize | None:
    if rotation is None:
        return None
    try:
        return _BySize(parse_size(rotation))
    except InvalidQuantity:
        return rotation  # by time: "1 day", "00:00"


def _no_line(record: Record) -> str:  # noqa: ARG001 - a sink of one's own gets data
    return ""


def _to(sink: Sink) -> Callable[[Message], None]:
    def write(message: Message) -> None:
        sink(_data(message.record["extra"]["entry"]))

    return write


def _json_line(record: Record) -> str:
    record["extra"]["line"] = _encode(_data(record["extra"]["entry"]))
    return "{extra[line]}\n"


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _data(entry: Entry) -> dict[str, Any]:
    data: dict[str, Any] = {
        "at": f"{_second(int(entry.at))}.{int(entry.at % 1 * 1e6):06}+00:00",
        "level": entry.level.name,
        "logger": entry.name,
        "message": entry.message,
    }
    if entry.fields:
        data["fields"] = entry.fields
    if entry.exception:
        data["exception"] = entry.exception
    return data


def _short(value: Any) -> str:
    return (
        value
        if isinstance(value, str) and value.isprintable() and " " not in value
        else repr(value)
    )


def _escaped(text: str) -> str:
    """Make *text* mean itself where loguru reads braces and colour tags."""
    return text.replace("{", "{{").replace("}", "}}").replace("<", r"\<")
