"""Reading nested data key by key, collecting every problem on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sy_commons import SymphonyError, suggestion

T = TypeVar("T")
D = TypeVar("D")

MAX_PROBLEMS = 50
_SHOWN = 80


class Wrong(Exception):
    """A value is not what it has to be; the text says what it has to be."""


class Table:
    """One mapping of a document; problems of all of them land in one list.

    >>> problems: list[str] = []
    >>> table = Table({"name": 7, "nmae": ""}, "", problems, str)
    >>> table.take("name", text, default="")
    ''
    >>> table.finish()
    >>> problems
    ['name: expected a text, got int', "nmae: unknown key; did you mean 'name'?"]
    """

    def __init__(
        self, data: Any, path: str, problems: list[str], locate: Callable[[str], str]
    ) -> None:
        self.path = path
        self._problems = problems
        self._locate = locate
        self._known: list[str] = []
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if not isinstance(data, Mapping):
            self.complain("", f"expected a table, got {_type_name(data)}")

    def complain(self, key: str, reason: str) -> None:
        """Add a problem with *key* of this table."""
        where = self._locate(_join(self.path, key))
        self._problems.append(f"{where}: {reason}" if where else reason)

    def take(self, key: str, parse: Callable[[Any], T], *, default: D) -> T | D:
        """Return what *parse* makes of the value, or the default where it is absent or wrong."""
        self._known.append(key)
        if key not in self.data:
            return default
        try:
            return parse(self.data[key])
        except Wrong as wrong:
            self.complain(key, str(wrong))
        except SymphonyError as error:
            self.complain(key, f"{error}; {error.hint}" if error.hint else str(error))
        return default

    def need(self, key: str, parse: Callable[[Any], T], *, default: T) -> T:
        """Like :meth:`take`, and a problem where it is absent."""
        if key not in self.data:
            self.complain(key, "missing")
        return self.take(key, parse, default=default)

    def table(self, key: str) -> Table:
        """Return the table under *key*; an empty one where it is absent."""
        self._known.append(key)
        return self._child(self.data.get(key, {}), _join(self.path, key))

    def tables(self, key: str) -> list[Table]:
        """Return the tables listed under *key*."""
        self._known.append(key)
        listed = self.data.get(key, [])
        if not isinstance(listed, list):
            self.complain(key, f"expected a list of tables, got {_type_name(listed)}")
            return []
        path = _join(self.path, key)
        return [self._child(entry, f"{path}[{index}]") for index, entry in enumerate(listed)]

    def finish(self) -> None:
        """Complain about every key that nobody asked for."""
        for key in [key for key in self.data if key not in self._known]:
            shown = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…"
            enough = len(self._problems) > MAX_PROBLEMS
            close = "" if enough else suggestion(shown, self._known)
            self.complain(shown, f"unknown key{close}")

    def _child(self, data: Any, path: str) -> Table:
        return Table(data, path, self._problems, self._locate)


def text(value: Any) -> str:
    """Return a text of at most 1,000 characters, all of which show when printed."""
    if not isinstance(value, str):
        raise Wrong(f"expected a text, got {_type_name(value)}")
    if len(value) > 1000:
        raise Wrong(f"{len(value)} characters, and at most 1000 may be")
    if not value.replace("\n", "").isprintable():
        raise Wrong("it has characters that do not show, or turn the direction of writing")
    return value


def count(value: Any) -> int:
    """Return a whole number above 0."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise Wrong(f"expected a whole number, got {_type_name(value)}")
    if not 0 < value < 1 << 31:
        raise Wrong("expected a number above 0 and below 2**31")
    return value


def matching(pattern: str, what: str) -> Callable[[Any], str]:
    """Return a parser of texts that match *pattern* as a whole.

    >>> matching("[a-z]+", "a lower-case word")("word")
    'word'
    """
    compiled = re.compile(pattern)

    def parse(value: Any) -> str:
        found = text(value)
        if compiled.fullmatch(found) is None:
            shown = found if len(found) <= _SHOWN else f"{found[:_SHOWN]}…"
            raise Wrong(f"{shown!r} is not {what}")
        return found

    return parse


def one_of(*allowed: str) -> Callable[[Any], str]:
    """Return a parser of texts that are one of *allowed*."""

    def parse(value: Any) -> str:
        found = text(value)
        if found not in allowed:
            shown = found[:_SHOWN]
            raise Wrong(f"{shown!r} is not one of {', '.join(allowed)}{suggestion(shown, allowed)}")
        return found

    return parse


def _join(path: str, key: str) -> str:
    if not key:
        return path
    shown = key if re.fullmatch(r"[\w-]+", key) else repr(key)
    return f"{path}.{shown}" if path else shown


def _type_name(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__
