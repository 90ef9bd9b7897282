"""duck() is for looking, not for shipping."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from house.checks.findings import Finding, Source, sources
from house.places import Package

# The one room that is allowed to say it: where it is made.
HOME = "sy_commons._duck"
MEND = "take it out"


def check(chosen: Sequence[Package]) -> list[Finding]:
    """Return the calls and imports of ``duck`` that were left in what ships."""
    return [
        finding
        for package in chosen
        for source in sources(package, "src")
        if not source.module.startswith(HOME)
        for finding in left_over(source)
    ]


def left_over(source: Source) -> Iterator[Finding]:
    """Yield each call of ``duck`` in *source*, and each import of it outside sy-commons."""
    at_home = source.package.module == "sy_commons"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and _is_duck(node.func):
            yield source.find(node, "a call of duck() was left in", MEND)
        elif isinstance(node, ast.ImportFrom) and not at_home:
            module = node.module or ""
            if module.startswith("sy_commons") and any(a.name == "duck" for a in node.names):
                yield source.find(node, "an import of duck was left in", MEND)


def _is_duck(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "duck"
    if isinstance(function, ast.Attribute):  # duck.table(rows), sy_commons.duck(value)
        return function.attr == "duck" or _is_duck(function.value)
    return False
