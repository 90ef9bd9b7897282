"""Each pyproject.toml: ranges between siblings, and commands that lead somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from packaging.requirements import Requirement

from house.checks.findings import Finding
from house.places import Package

RANGE = re.compile(r">=\d+(\.\d+)*,<\d+(\.\d+)*")


def check(chosen: Sequence[Package], every: Sequence[Package]) -> list[Finding]:
    """Return the siblings without a range, and the entry points that lead nowhere."""
    siblings = {package.name: package for package in every}
    return [
        finding
        for package in chosen
        for finding in [*_ranges(package, siblings), *_entry_points(package)]
    ]


def _ranges(package: Package, siblings: dict[str, Package]) -> Iterator[Finding]:
    project = package.manifest["project"]
    extras = [r for group in project.get("optional-dependencies", {}).values() for r in group]
    for text in [*project.get("dependencies", []), *extras]:
        if Requirement(text).name not in siblings:
            continue
        specifiers = re.sub(r"^[A-Za-z0-9._-]+(\[[^\]]*\])?", "", text).split(";")[0].strip()
        if not RANGE.fullmatch(specifiers):
            problem = f"{text!r} is no range: the next release of the sibling may break it"
            yield _finding(package, text, problem, f'write "{Requirement(text).name}>=0.1,<1"')


def _entry_points(package: Package) -> Iterator[Finding]:
    project = package.manifest["project"]
    groups = {"scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    for group, entries in groups.items():
        for name, target in entries.items():
            module, _, attribute = target.partition(":")
            if not _leads_somewhere(package, module, attribute):
                problem = f"{group} {name!r} leads to {target}, which does not exist"
                yield _finding(
                    package, f'"{target}"', problem, "write it, or take the entry point out"
                )


def _leads_somewhere(package: Package, module: str, attribute: str) -> bool:
    base = package.folder / "src" / module.replace(".", "/")
    path = next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)
    if path is None:
        return False
    defined = top_level_names(ast.parse(path.read_text(encoding="utf-8")))
    return not attribute or attribute.partition(".")[0] in defined


def top_level_names(tree: ast.Module) -> set[str]:
    """Return the names a module defines or imports at its top level.

    >>> sorted(top_level_names(ast.parse("import a.b; from c import d as e; f: int = 1")))
    ['a', 'e', 'f']
    """
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def _finding(package: Package, needle: str, problem: str, mend: str) -> Finding:
    lines = (package.folder / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    number = next((n for n, line in enumerate(lines, 1) if needle in line), 1)
    return Finding(package.name, f"pyproject.toml:{number}", problem, mend)
