"""What a Python file says of itself: read by ``ast``, nothing of it is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import TypedDict

from sy_bridge._builtin._prose import Passage, from_comments, from_docstring
from sy_bridge._errors import PythonUnreadable
from sy_extensions import Operator

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Document(TypedDict):
    """A text and where in the tree it was read: what ``fs.read`` gives."""

    path: str
    text: str


class OutlineOf(TypedDict):
    """What a file defines, and the passages in which it explains itself."""

    path: str
    names: list[str]
    imports: list[str]
    """The last parts of the names it imports from: how the summarizer knows what others lean on."""
    passages: list[Passage]


class Outline(Operator):
    """Reads a Python file's names, docstrings and comments; nothing of it is run."""

    async def process(self, document: Document) -> OutlineOf:
        """Return the outline of *document*."""
        return outline(document["path"], document["text"])


def outline(path: str, text: str) -> OutlineOf:
    """Return what the Python source *text* defines and says of itself.

    Raises :class:`PythonUnreadable`, with the line, where it does not parse.

    >>> found = outline("shop.py", "'Sells all books.'; import shop.till; price = 1; _till = 2")
    >>> found["names"], found["imports"], found["passages"][0]["text"]
    (['price'], ['till'], 'Sells all books.')
    """
    tree = _parse(path, text)
    passages = list(_documented(tree))
    if not any(passage["kind"] == "module" for passage in passages):
        passages += from_comments(text)
    return OutlineOf(
        path=path,
        names=list(_public_names(tree)),
        imports=sorted(set(_imports(tree))),
        passages=passages,
    )


def _parse(path: str, text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the file's style; the file is not ours
            return ast.parse(text)
    except SyntaxError as error:
        raise PythonUnreadable(path=path, line=error.lineno or 0, reason=error.msg) from error
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "it is nested too deeply"
        raise PythonUnreadable(path=path, line=0, reason=reason) from error


def _documented(tree: ast.Module) -> Iterator[Passage]:
    yield from _docstring(tree, "module")
    for node in tree.body:
        if isinstance(node, _DEFINITIONS) and not node.name.startswith("_"):
            yield from _docstring(node, "class" if isinstance(node, ast.ClassDef) else "function")
            if isinstance(node, ast.ClassDef):
                yield from _methods(node)


def _methods(node: ast.ClassDef) -> Iterator[Passage]:
    for member in node.body:
        if isinstance(member, _DEFINITIONS) and not member.name.startswith("_"):
            yield from _docstring(member, "method")


def _docstring(node: ast.Module | ast.stmt, kind: str) -> list[Passage]:
    body = getattr(node, "body", [])
    if not (body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)):
        return []
    docstring = body[0].value.value
    if not isinstance(docstring, str):
        return []
    name = getattr(node, "name", "")
    return from_docstring(docstring, line=body[0].lineno, kind=kind, name=name)


def _imports(tree: ast.Module) -> Iterator[str]:
    for statement in _statements(tree):
        if isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module.rpartition(".")[2]
        elif isinstance(statement, ast.Import | ast.ImportFrom):  # from . import till
            yield from (alias.name.rpartition(".")[2] for alias in statement.names)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield every statement, whatever it is nested in; expressions, which are most, are passed."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, part, None)
            if isinstance(inner, list):
                waiting += inner


def _public_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, _DEFINITIONS):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))
