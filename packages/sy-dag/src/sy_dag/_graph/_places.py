"""On which line of a TOML file a key stands; asked only when there is something to complain of."""

from __future__ import annotations

import re
import tomllib

_Path = tuple[str, ...]
_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")


def lines(text: str) -> dict[_Path, int]:
    r"""Return the line, from 1, of every table and key of a well-formed TOML *text*.

    Keys inside an inline table are found too.

    >>> lines('[a.b]\nc = [\n 1,\n]\nd = { e = 1 }')
    {('a',): 1, ('a', 'b'): 1, ('a', 'b', 'c'): 2, ('a', 'b', 'd'): 5, ('a', 'b', 'd', 'e'): 5}
    """
    return _Scanner(text).scan()


def line_of(found: dict[_Path, int], path: _Path) -> int | None:
    """Return the line of *path*, or of the nearest table around it.

    >>> line_of({("a",): 3}, ("a", "missing"))
    3
    """
    while path and path not in found:
        path = path[:-1]
    return found.get(path)


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    try:
        return str(tomllib.loads(f'x = "{text}"')["x"])
    except tomllib.TOMLDecodeError:
        return text


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[_Path, int] = {}

    def scan(self) -> dict[_Path, int]:
        table: _Path = ()
        while self._skip_blank():
            if self.text.startswith("[", self.at):
                double = self.text.startswith("[[", self.at)
                line = self._line()
                self.at += 2 if double else 1
                table = self._key()
                self._note(table, line)
                self.at += 2 if double else 1
            else:
                self._pair(table)
        return self.found

    def _pair(self, table: _Path) -> None:
        line = self._line()
        path = (*table, *self._key())
        if path == table:  # not TOML after all: go on, rather than round and round
            self.at += 1
            return
        self._note(path, line)
        self.at += 1  # the equals sign
        self._value(path)

    def _note(self, path: _Path, line: int) -> None:
        for depth in range(1, len(path) + 1):
            self.found.setdefault(path[:depth], line)

    def _key(self) -> _Path:
        parts: list[str] = []
        while match := _PART.match(self.text, self.at):
            basic, literal, bare = match.groups()
            parts.append(_unescaped(basic) if basic is not None else literal or bare or "")
            self.at = match.end()
            if not self.text.startswith(".", self.at):
                break
            self.at += 1
        return tuple(parts)

    def _value(self, path: _Path) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        first = self.text[self.at : self.at + 1]
        if first in ('"', "'") and first:
            self._string(first)
        elif first == "[":
            self._list(path)
        elif first == "{":
            self._table(path)
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}\n#":
                self.at += 1

    def _list(self, path: _Path) -> None:
        self.at += 1
        while self._skip_blank(",") and self.text[self.at] != "]":
            before = self.at
            self._value(path)
            self.at += self.at == before  # not TOML after all: go on
        self.at += 1

    def _table(self, path: _Path) -> None:
        self.at += 1
        while self._skip_blank(",") and self.text[self.at] != "}":
            self._pair(path)
        self.at += 1

    def _string(self, quote: str) -> None:
        mark = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(mark)
        while self.at < len(self.text) and not self.text.startswith(mark, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(mark)
        while len(mark) == 3 and self.text.startswith(quote, self.at):  # """"quoted"""" ends late
            self.at += 1

    def _skip_blank(self, more: str = "") -> bool:
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char.isspace() or char in more:
                self.at += 1
            else:
                return True
        return False

    def _line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1
