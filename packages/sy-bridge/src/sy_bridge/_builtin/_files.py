"""Find and read files: what is refused says which file, why, and what to do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TypedDict

from sy_bridge._builtin._globs import LEFT_OUT, matches, walk
from sy_bridge._builtin._python import Document
from sy_bridge._errors import FolderMissing, NothingMatched
from sy_commons import Root, parse_size
from sy_extensions import Operator

MAX_FILE = "2 MB"


class Listing(TypedDict):
    """A tree's name and the files of it that were asked for, as sorted relative paths."""

    name: str
    paths: list[str]


class Glob(Operator):
    """Lists the files of a tree whose relative paths match a pattern."""

    async def process(
        self,
        root: str,
        pattern: str | list[str] = "**/*",
        *,
        exclude: list[str] | None = None,
        required: bool = True,
    ) -> Listing:
        """Return the files under *root* that match one of *pattern* and none of *exclude*.

        Hidden folders, and those that hold what was built or installed, are not entered; links
        to folders are not followed. Finding none raises :class:`NothingMatched`, unless
        *required* is false.
        """
        patterns = [pattern] if isinstance(pattern, str) else pattern
        listing = await asyncio.to_thread(_list, Path(root), patterns, exclude or [])
        if required and not listing["paths"]:
            raise NothingMatched(root=root, patterns=", ".join(patterns))
        return listing


class Read(Operator):
    """Reads one file of a tree as text."""

    async def process(self, root: str, path: str, *, max_size: str = MAX_FILE) -> Document:
        """Return the text of *path*, which stays within *root*.

        Refused, each with its reason: what is no file, larger than *max_size*, binary, or not
        in the encoding it declares (UTF-8 where it declares none).
        """
        text = await asyncio.to_thread(_read, root, path, parse_size(max_size))
        return Document(path=path, text=text)


def _list(root: Path, patterns: list[str], exclude: list[str]) -> Listing:
    if not root.is_dir():
        raise FolderMissing(path=str(root), reason=": it is a file" if root.exists() else "")
    paths = [
        path
        for path in walk(str(root), leave_out=LEFT_OUT)
        if any(matches(path, pattern) for pattern in patterns)
        and not any(matches(path, pattern) for pattern in exclude)
    ]
    return Listing(name=root.resolve().name or "/", paths=paths)


def _read(root: str, path: str, max_bytes: int) -> str:
    with Root(root) as tree:
        return tree.read_text(path, max_bytes=max_bytes)
