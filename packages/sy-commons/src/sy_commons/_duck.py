"""Look at a value where it is, and find every place that still does before it ships."""

from __future__ import annotations

import ast
import linecache
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sy_commons._errors import ConfigurationError, ErrorCategory, SymphonyError
from sy_commons._file_errors import PathMissing
from sy_commons._redaction import shown, text_of
from sy_commons.cli import FAILED, Command

if TYPE_CHECKING:
    import argparse

_T = TypeVar("_T")
_MARK = "[DUCK DEBUGGING]"
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})


class DuckInProduction(SymphonyError):
    """A duck() was left in, and runs where SYMPHONY_ENV is production."""

    code = "commons.duck_in_production"
    category = ErrorCategory.CONFIGURATION
    message = "duck() was called in production, at {file}:{line}"
    hint = "take it out: sy duck --check finds every one"
    file: str
    line: int


def duck(value: _T) -> _T:
    """Print where it stands, the expression and its *value* on standard error; return the value.

    What looks like a secret is masked and what is very long is cut. Where the source is not at
    hand, the expression shows as ``?``. One write per call, so that threads do not mix lines.
    Raises :class:`DuckInProduction` where ``SYMPHONY_ENV`` is production, whatever the value.

    >>> import contextlib
    >>> price, count = 10.5, 4
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     total = duck(price * count)  # doctest: +ELLIPSIS
    [DUCK DEBUGGING] ...:2 price * count = 42.0
    >>> total
    42.0
    """
    frame = sys._getframe(1)  # noqa: SLF001 - the one way to the caller's line
    file, line = frame.f_code.co_filename, frame.f_lineno
    name = os.path.basename(file)  # noqa: PTH119 - a Path for every look would cost more
    if os.environ.get("SYMPHONY_ENV", "").strip().lower() == "production":
        raise DuckInProduction(file=name, line=line)
    start, expression = _argument(frame)
    if sys.stderr is not None:
        told = shown(f"{expression} = {_repr(value)}")
        sys.stderr.write(f"{_MARK} {name}:{start or line} {told}\n")
    return value


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - looking at it must not break what is looked at
        return f"<{type(value).__name__}: {type(error).__name__} in __repr__>"


def _argument(frame: FrameType) -> tuple[int | None, str]:
    start, end, left, right = _position(frame.f_code, frame.f_lasti)
    if start is None or end is None or left is None or right is None:
        return start, "?"
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)[start - 1 : end]
    if len(lines) != end - start + 1:
        return start, "?"
    cut = [line.encode() for line in lines]  # columns count bytes of UTF-8
    cut[-1] = cut[-1][:right]
    cut[0] = cut[0][left:]
    source = b"".join(cut).decode("utf-8", "replace")
    return start, _first_argument(source)


def _position(code: CodeType, at: int) -> tuple[int | None, ...]:
    return next(islice(code.co_positions(), at // 2, None), (None, None, None, None))


def _first_argument(call: str) -> str:
    try:
        node = ast.parse(f"({call})", mode="eval").body
    except (SyntaxError, ValueError):
        return "?"
    if not isinstance(node, ast.Call) or len(node.args) + len(node.keywords) != 1:
        return "?"
    argument = node.args[0] if node.args else node.keywords[0].value
    text = ast.get_source_segment(f"({call})", argument)
    return text if text and "\n" not in text else ast.unparse(argument)


class Duck(NamedTuple):
    """One place where a duck stands."""

    file: str
    line: int
    column: int
    text: str


def find_ducks(source: bytes, *, file: str) -> list[Duck]:
    """Return every use of ``sy_commons.duck`` in *source*, in order, called or passed on.

    By the syntax tree, so that comments, strings and other people's ducks do not count. A file
    that mentions a duck and does not parse counts as one: nobody can tell.

    >>> source = b"from sy_commons import duck as d; print(d(1))"
    >>> [(found.line, found.column) for found in find_ducks(source, file="shop.py")]
    [(1, 41)]
    """
    if b"duck" not in source and b"sy_commons" not in source:
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the source's own invalid escapes
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if b"duck" not in source:
            return []
        line = getattr(error, "lineno", None) or 1
        return [Duck(file, line, 1, f"does not parse: {text_of(error)}")]
    lines = source.decode("utf-8", "replace").splitlines()
    return sorted(
        Duck(file, node.lineno, node.col_offset + 1, lines[node.lineno - 1].strip())
        for node in _uses(tree)
    )


def _uses(tree: ast.AST) -> Iterator[ast.expr]:
    ducks: set[str] = set()
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("sy_commons", "sy_commons._duck"):
            ducks |= {a.asname or "duck" for a in node.names if a.name in ("duck", "*")}
        elif isinstance(node, ast.Import):
            modules |= {
                alias.asname or "sy_commons"
                for alias in node.names
                if alias.name.split(".")[0] == "sy_commons"
            }
    for node in ast.walk(tree):
        if (isinstance(node, ast.Name) and node.id in ducks) or (
            isinstance(node, ast.Attribute)
            and node.attr == "duck"
            and isinstance(node.value, ast.Name)
            and node.value.id in modules
        ):
            yield node


def _sources(paths: Sequence[str]) -> Iterator[Path]:
    for name in paths:
        path = Path(name)
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from _walk(path)
        else:
            raise PathMissing(path=name)


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED_FOLDERS
            and not Path(where, name, "pyvenv.cfg").exists()
        )
        yield from (Path(where, name) for name in sorted(files) if name.endswith(".py"))


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help="list every duck; the status is 1 when there is one"
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (default: .)")


def _run(options: argparse.Namespace) -> int:
    if not options.check:
        raise ConfigurationError(
            "sy duck has one thing to do, and it was not asked for",
            hint="sy duck --check [PATHS] lists every duck() left in the code",
        )
    count, found = 0, []
    for path in _sources(options.paths or ["."]):
        count += 1
        found += find_ducks(path.read_bytes(), file=str(path))
    if options.json:
        import json  # noqa: PLC0415 - for --json alone

        print(json.dumps({"files": count, "found": [duck._asdict() for duck in found]}))  # noqa: T201 - a command talks to the terminal
    else:
        for at in found:
            print(f"{at.file}:{at.line}:{at.column}: {shown(at.text)}")  # noqa: T201 - a command talks to the terminal
        print(f"{len(found)} in {count} files", file=sys.stderr)  # noqa: T201 - a command talks to the terminal
    return FAILED if found else 0


COMMAND = Command("Find every duck() that is still in the code.", _configure, _run)
