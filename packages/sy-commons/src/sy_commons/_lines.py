"""On which line of a TOML text each key is set."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")
_STRINGS = (
    ('"""', re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}(?!")', re.DOTALL)),
    ("'''", re.compile(r"'''.*?'{3,5}(?!')", re.DOTALL)),
    ('"', re.compile(r'"(?:[^"\\\n]|\\.)*"')),
    ("'", re.compile(r"'[^'\n]*'")),
)


def find_lines(text: str) -> dict[KeyPath, int]:
    r"""Return the line, from 1, of every table, key and item of *text*, which is valid TOML.

    It is made when there is something to tell, and not as a configuration is loaded.

    >>> find_lines("name = 1 # one\n[db]\nports = [2]")
    {('name',): 1, ('db',): 2, ('db', 'ports'): 3, ('db', 'ports', 0): 3}
    """
    scanner = _Scanner(text)
    with suppress(RecursionError, IndexError, ValueError):
        scanner.scan()  # what was found up to where it stops is right all the same
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[KeyPath, int] = {}
        self.counts: dict[KeyPath, int] = {}  # of arrays of tables
        self._line, self._counted = 1, 0

    def scan(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text[self.position] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        several = self.text.startswith("[[", self.position)
        line = self._line_now()
        self.position += 2 if several else 1
        path: KeyPath = ()
        keys = list(self._keys())
        for key in keys[:-1]:
            path = self._latest((*path, key))
            self._record(path, line)
        path = (*path, keys[-1])
        if several:
            self._record(path, line)
            self.counts[path] = self.counts.get(path, 0) + 1
        path = self._latest(path)
        self.lines[path] = line
        self.position = self.text.index("]", self.position) + (2 if several else 1)
        return path

    def _latest(self, path: KeyPath) -> KeyPath:
        return (*path, self.counts[path] - 1) if path in self.counts else path

    def _pair(self, table: KeyPath) -> None:
        line = self._line_now()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._record(path, line)
        self.lines[path] = line
        self.position += 1  # the equals sign
        self._value(path)

    def _keys(self) -> Iterator[str]:
        while True:
            self._skip(_SPACE)
            if self.text[self.position] in "\"'":
                quoted = self._take_string()
                yield tomllib.loads(f"key = {quoted}")["key"]
            else:
                start = self.position
                yield self.text[start : self._skip(_BARE_KEY)]
            self._skip(_SPACE)
            if self.text[self.position] != ".":
                return
            self.position += 1

    def _value(self, path: KeyPath) -> None:
        self._skip(_SPACE)
        first = self.text[self.position]
        if first in "\"'":
            self._take_string()
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self.position += 1
        number = 0
        while self.text[self._skip(_BLANK)] != "]":
            if self.text[self.position] == ",":
                self.position += 1
                continue
            self._record((*path, number), self._line_now())
            self._value((*path, number))
            number += 1
        self.position += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.position += 1
        while self.text[self._skip(_BLANK)] != "}":
            if self.text[self.position] == ",":
                self.position += 1
                continue
            self._pair(path)
        self.position += 1

    def _take_string(self) -> str:
        for quote, whole in _STRINGS:
            if self.text.startswith(quote, self.position):
                start = self.position
                self._skip(whole)
                return self.text[start : self.position]
        raise IndexError(self.position)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.position)
        if found is None:
            raise IndexError(self.position)
        self.position = found.end()
        return self.position

    def _record(self, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)

    def _line_now(self) -> int:
        self._line += self.text.count("\n", self._counted, self.position)
        self._counted = self.position
        return self._line
