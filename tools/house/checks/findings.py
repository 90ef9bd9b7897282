"""What a check found, and the files it looks into."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from house.places import Package


@dataclass(frozen=True)
class Finding:
    """One thing to mend: whose it is, where it stands, what is wrong, and what mends it."""

    package: str
    place: str
    problem: str
    mend: str

    def __str__(self) -> str:
        """Return it as the terminal shows it."""
        return f"{self.package}: {self.place}: {self.problem}\n    mend: {self.mend}"


@dataclass(frozen=True)
class Source:
    """One Python file of a package: part of what it ships, or of its tests or benches."""

    package: Package
    path: Path
    part: str

    @property
    def module(self) -> str:
        """Return its dotted name where it ships, else its path in the package.

        ``sy_dag._graph._node``; ``tests/test_graph.py``.
        """
        inner = self.path.relative_to(self.package.folder)
        if self.part != "src":
            return str(inner)
        parts = list(inner.with_suffix("").parts[1:])
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def tree(self) -> ast.Module:
        """Return what it parses to."""
        return ast.parse(self.text, str(self.path))

    @cached_property
    def text(self) -> str:
        """Return what is written in it."""
        return self.path.read_text(encoding="utf-8")

    def at(self, node: ast.AST) -> str:
        """Return the place of *node*: ``sy_dag._engine:12``."""
        return f"{self.module}:{getattr(node, 'lineno', 1)}"

    def find(self, node: ast.AST, problem: str, mend: str) -> Finding:
        """Return a finding at *node*."""
        return Finding(self.package.name, self.at(node), problem, mend)


def sources(package: Package, *parts: str) -> Iterator[Source]:
    """Yield the Python files of *package* under src, tests and benches, or only *parts*."""
    for part in parts or ("src", "tests", "benches"):
        for path in sorted((package.folder / part).rglob("*.py")):
            yield Source(package, path, part)
