"""Where things are in the workspace."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
BENCH_VENV = ROOT / ".venv-bench"
PRIVATE = ROOT / ".tools"
LOCK = ROOT / "uv.lock"


@dataclass(frozen=True)
class Package:
    """One package of the workspace, as its folder and its pyproject describe it."""

    folder: Path

    @property
    def name(self) -> str:
        """The distribution's name: ``sy-dag``."""
        return self.folder.name

    @property
    def module(self) -> str:
        """The top-level module's name: ``sy_dag``."""
        return self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        """The folder of the top-level module."""
        return self.folder / "src" / self.module

    @property
    def tests(self) -> Path:
        """The folder of the package's own tests."""
        return self.folder / "tests"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The parsed pyproject.toml."""
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))


def packages(root: Path = ROOT) -> list[Package]:
    """List the packages of the workspace, by name."""
    return [Package(path.parent) for path in sorted(root.glob("packages/*/pyproject.toml"))]


def find_package(name: str, root: Path = ROOT) -> Package | None:
    """Find a package by ``sy-dag``, ``sy_dag``, ``dag`` or its folder's path."""
    wanted = name.rstrip("/").rsplit("/", 1)[-1].replace("_", "-").removeprefix("sy-")
    return next((p for p in packages(root) if p.name == f"sy-{wanted}"), None)
