from pathlib import Path
from textwrap import dedent

import pytest

from house.places import Package, packages


class Workspace:
    """A little made-up workspace that a test fills."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dedent(text), encoding="utf-8")
        return target

    def package(self, name: str, project: str = "", **modules: str) -> Package:
        """Make a package of one folder; ``project`` is added to its [project] table."""
        manifest = f'[project]\nname = "{name}"\nversion = "0.1.0"\n{dedent(project)}'
        self.write(f"packages/{name}/pyproject.toml", manifest)
        module = name.replace("-", "_")
        self.write(f"packages/{name}/src/{module}/__init__.py", f'"""{name}."""\n')
        for room, text in modules.items():
            self.write(f"packages/{name}/src/{module}/{room}.py", text)
        return next(p for p in packages(self.root) if p.name == name)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)
