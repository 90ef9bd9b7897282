"""A package imports what its own pyproject.toml declares, and nothing private of a sibling."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import packages_distributions
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from house.checks.findings import Finding, Source, sources
from house.places import Package

# Functions that import what their first argument names.
BY_NAME = {"import_module", "__import__", "importorskip", "optional"}


def check(
    chosen: Sequence[Package], every: Sequence[Package], root: Mapping[str, Any]
) -> list[Finding]:
    """Return the undeclared imports, and the reaches into a sibling's private rooms."""
    siblings = {package.module: package.name for package in every}
    bench = declared(root.get("dependency-groups", {}).get("bench", []))
    found: list[Finding] = []
    for package in chosen:
        for source in sources(package):
            allowed = _allowed(source, bench)
            found += _undeclared(source, allowed, siblings)
            found += _private(source, siblings)
    return found


def declared(requirements: Iterable[object]) -> set[str]:
    """Return the names of the distributions that *requirements* ask for.

    >>> sorted(declared(["attrs>=24.2", "sy-commons[sqlite]>=0.1,<1"]))
    ['attrs', 'sy-commons']
    """
    return {canonicalize_name(Requirement(r).name) for r in requirements if isinstance(r, str)}


def _allowed(source: Source, bench: set[str]) -> set[str]:
    manifest = source.package.manifest
    project = manifest["project"]
    extras = [r for group in project.get("optional-dependencies", {}).values() for r in group]
    allowed = declared([*project.get("dependencies", []), *extras])
    # Who imports sy_x.testing is testing: that module may use what the package's tests use.
    if source.part != "src" or source.module.split(".")[1:2] == ["testing"]:
        allowed |= declared(manifest.get("dependency-groups", {}).get("test", []))
    return allowed | bench if source.part == "benches" else allowed


def _undeclared(
    source: Source, allowed: set[str], siblings: Mapping[str, str]
) -> Iterator[Finding]:
    own = {source.package.module, *_beside(source)}
    own |= {"house"} if source.part == "benches" else set()
    for node, name in imported(source.tree):
        top = name.split(".")[0]
        if top in own or top in sys.stdlib_module_names:
            continue
        distributions = [siblings[top]] if top in siblings else distributions_of(top, allowed)
        if allowed.isdisjoint(distributions):
            named = " or ".join(distributions) or f"the distribution that brings {top}"
            yield source.find(
                node,
                f"imports {name}, which packages/{source.package.name}/pyproject.toml "
                "does not declare",
                f"do without it, or add {named} to {_where(source)} and run tools/lock",
            )


def _beside(source: Source) -> set[str]:
    """Return what stands beside a test or a bench, and is imported from there."""
    return set() if source.part == "src" else {p.stem for p in source.path.parent.glob("*.py")}


def _where(source: Source) -> str:
    return {
        "src": "its dependencies",
        "tests": "its test group",
        "benches": "the bench group of the root",
    }[source.part]


def imported(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield each absolute import in *tree*, wherever it stands, with the module's name.

    >>> [name for _, name in imported(ast.parse("import os.path; from json import dumps"))]
    ['os.path', 'json']
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node, node.module
        elif isinstance(node, ast.Call) and _called(node) in BY_NAME and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node, first.value


def _called(node: ast.Call) -> str:
    function = node.func
    return getattr(function, "id", getattr(function, "attr", ""))


@cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()


def distributions_of(top: str, declared: Iterable[str] = ()) -> list[str]:
    """Return the distributions that bring the top-level module *top*, as installed here.

    A bench's peers are not installed here: such a module is known by a word of the name of one
    of the *declared*.

    >>> distributions_of("attr"), distributions_of("no_peer", ["attrs", "sf-no-peer"])
    (['attrs'], ['sf-no-peer'])
    """
    if top in _installed():
        return sorted({canonicalize_name(name) for name in _installed()[top]})
    word = canonicalize_name(top)
    return sorted(name for name in declared if f"-{word}-" in f"-{name}-")


def _private(source: Source, siblings: Mapping[str, str]) -> Iterator[Finding]:
    others = set(siblings) - {source.package.module}
    aliases: dict[str, str] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            aliases |= {a.asname or a.name: a.name for a in node.names if a.name in others}
        for name in _names(node, aliases):
            top, *rest = name.split(".")
            if top in others and any(is_private(part) for part in rest):
                yield source.find(
                    node,
                    f"reaches into {name}, which is private to {siblings[top]}",
                    f"use what {top} exports, or export it there",
                )


def _names(node: ast.AST, aliases: Mapping[str, str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        module = aliases.get(node.value.id)
        return [f"{module}.{node.attr}"] if module else []
    return []


def is_private(part: str) -> bool:
    """Tell whether a name is private: one leading underscore, dunders apart.

    >>> is_private("_errors"), is_private("__version__"), is_private("Database")
    (True, False, False)
    """
    return part.startswith("_") and not (part.startswith("__") and part.endswith("__"))
