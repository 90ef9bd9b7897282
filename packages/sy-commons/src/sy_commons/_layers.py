"""Where the values of a configuration come from: files, variables, overrides."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from sy_commons._errors import ErrorCategory, SymphonyError
from sy_commons._lines import KeyPath, find_lines
from sy_commons._reading import read_text

_MAX_FILE = 256 << 10  # what is larger is data, and takes seconds to parse
_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
ABSENT = object()


class Layer(Protocol):
    """One source of configuration; later layers win over earlier ones, key by key."""

    name: str

    @property
    def folder(self) -> Path | None:
        """What relative paths in it are relative to; None leaves them as they are."""
        ...

    @property
    def values(self) -> Mapping[str, Any]:
        """The values, nested as they are in the configuration."""
        ...

    def locate(self, path: KeyPath) -> str:
        """Return where the value at *path* is set, after "at" or "from"."""
        ...


class ConfigFileInvalid(SymphonyError):
    """A configuration file is not TOML."""

    code = "commons.config_file"
    category = ErrorCategory.CONFIGURATION
    message = "{path}{at}: {reason}"
    path: str
    at: str
    reason: str


class Text(str):
    """A value given as text alone, which means what the type of its field makes of it."""

    __slots__ = ()


class FileLayer:
    """The values of one TOML file."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.folder: Path | None = path.parent
        self._text = read_text(path, max_bytes=_MAX_FILE)
        try:
            self.values: Mapping[str, Any] = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise self._invalid(error) from error
        except (RecursionError, ValueError, OverflowError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise ConfigFileInvalid(path=self.name, at="", reason=reason) from error

    def locate(self, path: KeyPath) -> str:
        """Return "at", the file, and the line of *path* or of what it lies in."""
        while path and path not in self._lines:
            path = path[:-1]
        line = self._lines.get(path)
        return f"at {self.name}:{line}" if line else f"at {self.name}"

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return find_lines(self._text.replace("\r\n", "\n"))

    def _invalid(self, error: tomllib.TOMLDecodeError) -> ConfigFileInvalid:
        told = str(error)
        found = _AT_LINE.search(told)
        line = found[1] if found else None
        if found and line is None:
            line = str(self._text.count("\n") + 1)
        reason = told[: found.start()] if found else told
        return ConfigFileInvalid(path=self.name, at=f":{line}" if line else "", reason=reason)


class VariableLayer:
    """The values of the variables ``PREFIX__NAME`` and ``PREFIX__TABLE__NAME``."""

    folder: Path | None = None

    def __init__(self, prefix: str, environ: Mapping[str, str]) -> None:
        self.name = f"{prefix}__*"
        self._names: dict[KeyPath, str] = {}
        self.values: dict[str, Any] = {}
        self.contradictions: list[tuple[str, str]] = []
        for name in sorted(name for name in environ if name.startswith(f"{prefix}__")):
            path = tuple(name.removeprefix(f"{prefix}__").lower().split("__"))
            self._put(path, name, Text(environ[name]))

    def locate(self, path: KeyPath) -> str:
        """Return "from" and the variable that sets *path*, or what it lies in."""
        while path and path not in self._names:
            path = path[:-1]
        return f"from {self._names.get(path, self.name)}"

    def _put(self, path: tuple[str, ...], name: str, value: Text) -> None:
        table: Any = self.values
        for depth, key in enumerate(path[:-1], 1):
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                self.contradictions.append((name, self._names[path[:depth]]))
                return
        if path[-1] in table:
            other = next(known for at, known in self._names.items() if at[: len(path)] == path)
            self.contradictions.append((name, other))
            return
        table[path[-1]] = value
        self._names[path] = name


class OverrideLayer:
    """The values that the program itself gives, nested or under dotted keys."""

    name = "overrides"
    folder: Path | None = None

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values: dict[str, Any] = {}
        for key, value in values.items():
            table = self.values
            *above, last = key.split(".")
            for part in above:
                table = table.setdefault(part, {})
            table[last] = value

    def locate(self, path: KeyPath) -> str:  # noqa: ARG002 - all of them come from there
        """Return "from overrides"."""
        return "from overrides"


def merge(layers: list[Layer]) -> dict[str, Any]:
    """Return the values of *layers*, the later winning; tables merge, all else is replaced.

    >>> one, two = OverrideLayer({"a": 1, "db.port": 2}), OverrideLayer({"db.host": "x"})
    >>> merge([one, two])
    {'a': 1, 'db': {'port': 2, 'host': 'x'}}
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge_into(merged, layer.values)
    return merged


def find_value(values: Any, path: KeyPath) -> Any:
    """Return what is at *path* in *values*, or :data:`ABSENT`."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(values, list) or step >= len(values):
                return ABSENT
            values = values[step]
        elif not isinstance(values, Mapping) or step not in values:
            return ABSENT
        else:
            values = values[step]
    return values


def _merge_into(target: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            known = target.get(key)
            table = target[key] = known if isinstance(known, dict) else {}
            _merge_into(table, value)
        else:
            target[key] = value
