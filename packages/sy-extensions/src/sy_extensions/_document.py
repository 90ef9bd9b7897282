"""TOML and JSON from files nobody vouches for: bounded in size and depth, never an exception."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_SIZE_BYTES = 64 * 1024
MAX_DEPTH = 16

_HEADER = re.compile(r"\s*\[\s*([\w.-]+)\s*\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*(?:\"([\w.-]+)\"|([\w-]+))\s*=")
# tomllib takes a time that grows with the square of the parts of a dotted key, or worse.
_LONG_KEY = re.compile(
    r"(?<![\w-])(?:(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"
    rf"{{{MAX_DEPTH}}}"
)
_TOO_DEEP = f"it nests deeper than {MAX_DEPTH} levels"


def read_text(path: Path) -> tuple[str, str]:
    """Return the text of a file and "", or "" and what stands in the way."""
    try:
        if path.exists() and not path.is_file():  # a pipe would keep us waiting
            return "", "it is no regular file"
        with path.open("rb") as file:
            content = file.read(MAX_SIZE_BYTES + 1)
        return content.decode(), ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return "", f":{line}: it is not UTF-8"
    except FileNotFoundError:
        return "", "there is no such file"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return "", f"it cannot be read: {getattr(error, 'strerror', None) or error}"


def read_document(content: str, *, as_json: bool) -> tuple[Any, str]:
    """Return the data in a text and "", or None and why there is none.

    >>> read_document("a = ", as_json=False)
    (None, ':1: Invalid value (at end of document)')
    """
    if len(content) > MAX_SIZE_BYTES:
        return None, f"it is longer than the {MAX_SIZE_BYTES // 1024} KiB a manifest may have"
    if not as_json and _LONG_KEY.search(content):
        return None, _TOO_DEEP
    try:
        data = json.loads(content, object_pairs_hook=_unique) if as_json else tomllib.loads(content)
    except RecursionError:
        return None, _TOO_DEEP
    except ValueError as error:  # both decoders' errors, and what int() thinks of a long number
        return None, _syntax_problem(error, content)
    return (None, _TOO_DEEP) if _is_deeper(data, MAX_DEPTH) else (data, "")


def locator(content: str) -> Callable[[str], str]:
    r"""Return what puts ":line: " before the path of a key of a TOML text, where it is certain.

    >>> locator("[resources]\nmemory = 1\n")("resources.memory")
    ':2: resources.memory'
    """
    lines = {} if '""' in content or "''" in content else _lines(content)

    def locate(path: str) -> str:
        known = re.split(r"\[", path, maxsplit=1)[0].replace("'", "")
        line = lines.get(known)
        return f":{line}: {path}" if line else path

    return locate


def _lines(content: str) -> dict[str, int]:
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(content.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            section = header[1]
            path = section
        elif line.lstrip().startswith("["):  # an array of tables: its keys are in no section
            section = "["
            continue
        elif key := _KEY.match(line):
            path = ".".join(part for part in (section, key[1] or key[2]) if part)
        else:
            continue
        found[path] = 0 if path in found else number  # named twice: inside a list, not certain
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return data


def _syntax_problem(error: ValueError, content: str) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f":{error.lineno}: {error.msg} (column {error.colno})"
    text = str(error)
    if at := re.search(r" \(at line (\d+), column (\d+)\)$", text):
        return f":{at[1]}: {text[: at.start()]} (column {at[2]})"
    if text.endswith("(at end of document)"):
        return f":{content.count(chr(10)) + 1}: {text}"
    return text


def _is_deeper(data: Any, levels: int) -> bool:
    layer = [data]
    for _ in range(levels + 1):
        inner: list[Any] = []
        for value in layer:
            if isinstance(value, dict):
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
        layer = inner
    return bool(layer)
