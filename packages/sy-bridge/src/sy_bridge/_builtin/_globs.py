"""Which files of a tree match which patterns; nothing here follows a link to a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

# Folders that hold no source of the tree's own.
LEFT_OUT = (
    ".*",
    "__pycache__",
    "node_modules",
    "build",
    "dist",
    "venv",
    "*.egg-info",
    "*.dist-info",
)


def matches(path: str, pattern: str) -> bool:
    """Tell whether a relative POSIX *path* matches *pattern*; ``**`` stands for any folders.

    >>> [matches(path, "**/*.py") for path in ("a.py", "x/y/a.py", "a.pyc")]
    [True, True, False]
    >>> matches("x/y.md", "*.md")
    False
    """
    return _compiled(pattern).fullmatch(path) is not None


def walk(root: str, *, leave_out: Iterable[str] = LEFT_OUT) -> Iterator[str]:
    """Yield the relative POSIX paths of the files under *root*, in a fixed order.

    Folders whose own name matches one of *leave_out* are not entered, nor are links to folders;
    folders that cannot be listed are passed over, unless it is *root* itself.
    """
    names = tuple(leave_out)
    yield from _walk(root, "", names)


def _walk(folder: str, prefix: str, leave_out: tuple[str, ...]) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        if not prefix:
            raise
        return
    for entry in entries:
        path = prefix + entry.name
        if not entry.is_dir(follow_symlinks=False):
            if not _links_to_folder(entry):
                yield path
        elif not any(matches(entry.name, name) for name in leave_out):
            yield from _walk(entry.path, f"{path}/", leave_out)


def _links_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink() and entry.is_dir()
    except OSError:  # a link that leads to itself: whoever reads it says so
        return False


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = pattern.split("/")
    expression = "".join(
        ("(?:[^/]+/)*" if part == "**" else _part(part) + "/") for part in parts[:-1]
    )
    expression += ".*" if parts[-1] == "**" else _part(parts[-1])
    return re.compile(expression, re.DOTALL)


def _part(part: str) -> str:
    out = ""
    for piece in re.findall(r"\[!?[^\]]+\]|\*|\?|.", part, re.DOTALL):
        if piece == "*":
            out += "[^/]*"
        elif piece == "?":
            out += "[^/]"
        elif len(piece) > 1:
            out += _set(piece)
        else:
            out += re.escape(piece)
    return out


def _set(piece: str) -> str:
    negated = piece[1] == "!" and len(piece) > 3
    kept = piece[2:-1] if negated else piece[1:-1]
    kept = re.sub(r"([\[\\&~|^])", r"\\\1", kept)
    expression = f"[{'^' if negated else ''}{kept}]"
    try:
        re.compile(expression)
    except re.error:  # [z-a]: no set, so the characters themselves
        return re.escape(piece)
    return expression
