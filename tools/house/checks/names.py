"""Every public name is there and says what it is; whether it shows its use is counted.

That ``__all__`` is sorted and that public modules are documented, ruff sees (RUF022, D). It does
not look into the private rooms that public names come from: that is done here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from house.checks.findings import Finding, Source, sources
from house.checks.imports import is_private
from house.checks.manifests import top_level_names
from house.places import Package

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Names:
    """What the check of names saw: what to mend, and what has no example yet."""

    findings: list[Finding] = field(default_factory=list)
    without_example: list[str] = field(default_factory=list)


def check(chosen: Sequence[Package]) -> Names:
    """Look at every public name of *chosen*."""
    names = Names()
    for package in chosen:
        modules = {source.module: source for source in sources(package, "src")}
        classes = _classes(modules)
        seen: set[tuple[str, int]] = set()
        for source in modules.values():
            if not any(is_private(part) for part in source.module.split(".")):
                _check_module(source, modules, classes, names, seen)
    return names


def _check_module(
    source: Source,
    modules: dict[str, Source],
    classes: dict[str, list[ast.ClassDef]],
    names: Names,
    seen: set[tuple[str, int]],
) -> None:
    for name in public_names(source.tree):
        found = resolve(source, name, modules)
        if found is None:
            mend = "define or import it, or take it out of __all__"
            names.findings.append(
                source.find(_all_node(source.tree), f"{name} is in __all__ and nowhere else", mend)
            )
            continue
        home, node = found
        if not isinstance(node, Definition) or (home.module, node.lineno) in seen:
            continue
        seen.add((home.module, node.lineno))
        names.findings += undocumented(home, node, classes)
        if ">>>" not in (ast.get_docstring(node) or "") and not _is_error(node, classes):
            names.without_example.append(f"{home.at(node)} {name}")


def public_names(tree: ast.Module) -> list[str]:
    r"""Return what ``__all__`` lists; where there is none, the public definitions.

    >>> public_names(ast.parse("def lease(): ...\ndef _wait(): ..."))
    ['lease']
    """
    listed = _all_node(tree)
    if isinstance(listed, ast.Assign) and isinstance(listed.value, ast.List | ast.Tuple):
        return [str(e.value) for e in listed.value.elts if isinstance(e, ast.Constant)]
    nodes = [node for node in tree.body if isinstance(node, Definition)]
    return [node.name for node in nodes if not node.name.startswith("_")]


def _all_node(tree: ast.Module) -> ast.AST:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return node
    return tree


def resolve(
    source: Source, name: str, modules: dict[str, Source]
) -> tuple[Source, ast.AST | None] | None:
    """Follow *name* from *source* to where the package defines it; None where nothing does.

    A name that comes from outside the package resolves to its module without a node: it is
    documented there.
    """
    for node in reversed(source.tree.body):  # the last: overloads stand before it
        if isinstance(node, Definition) and node.name == name:
            return source, node
    for imported in ast.walk(source.tree):
        if isinstance(imported, ast.ImportFrom):
            for alias in imported.names:
                if (alias.asname or alias.name) == name:
                    origin = modules.get(_absolute(imported, source))
                    return resolve(origin, alias.name, modules) if origin else (source, None)
    return (source, None) if name in top_level_names(source.tree) else None


def _absolute(node: ast.ImportFrom, source: Source) -> str:
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    keep = len(parts) - node.level + (source.path.name == "__init__.py")
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])


def undocumented(
    source: Source, node: Definition, classes: dict[str, list[ast.ClassDef]]
) -> Iterator[Finding]:
    """Yield *node*, and the public methods of a class, that say nothing of themselves."""
    if not ast.get_docstring(node):
        yield source.find(node, f"{node.name} has no docstring", "say what the caller gets")
    if not isinstance(node, ast.ClassDef):
        return
    for method in node.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef) and _must_tell(method):
            if _inherits(node, method.name, classes):
                continue
            problem = f"{node.name}.{method.name} has no docstring"
            yield source.find(method, problem, "say what the caller gets")


def _must_tell(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if method.name.startswith("_") or ast.get_docstring(method):
        return False
    marks = {ast.unparse(decorator).rsplit(".", 1)[-1] for decorator in method.decorator_list}
    return marks.isdisjoint({"overload", "setter", "deleter", "override"})


def _classes(modules: dict[str, Source]) -> dict[str, list[ast.ClassDef]]:
    found: dict[str, list[ast.ClassDef]] = {}
    for source in modules.values():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
    return found


def _bases(node: ast.ClassDef, classes: dict[str, list[ast.ClassDef]]) -> Iterator[ast.ClassDef]:
    for base in node.bases:
        name = ast.unparse(base).split("[")[0].rsplit(".", 1)[-1]
        for found in classes.get(name, []):
            if found is not node:
                yield found
                yield from _bases(found, classes)


def _inherits(node: ast.ClassDef, method: str, classes: dict[str, list[ast.ClassDef]]) -> bool:
    """Tell whether a base in the package documents *method* for all that implement it."""
    return any(
        isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
        and member.name == method
        and ast.get_docstring(member)
        for base in _bases(node, classes)
        for member in base.body
    )


def _is_error(node: Definition, classes: dict[str, list[ast.ClassDef]]) -> bool:
    """Tell whether *node* is an error: its code and template are its example."""
    if not isinstance(node, ast.ClassDef):
        return False
    family = [node, *_bases(node, classes)]
    return any("Error" in ast.unparse(base) for each in family for base in each.bases)
