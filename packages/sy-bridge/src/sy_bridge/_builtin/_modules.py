"""The import names of a tree's Python files, from their paths alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Module(NamedTuple):
    """One Python file as an importer sees it."""

    path: str
    name: str
    package: str
    """The top-level package or module it belongs to; "" for a script in a folder of scripts."""


def name_modules(paths: Iterable[str], *, root: str) -> list[Module]:
    """Return the modules that *paths* hold, in the order of their names.

    A folder with an ``__init__.py`` is a package, and so is *root* itself if it has one; a file
    beside no ``__init__.py`` is a top-level module where it lies at the top or under ``src``,
    and a script elsewhere.

    >>> paths = ["src/shop/__init__.py", "src/shop/till.py", "tools/x.py"]
    >>> for module in name_modules(paths, root="r"):
    ...     print(module.name, module.package or "-")
    tools/x.py -
    shop shop
    shop.till shop
    """
    wanted = [path for path in paths if path.endswith(".py")]
    packages = {path.rpartition("/")[0] for path in wanted if _base(path) == "__init__.py"}
    modules = [_module(path, packages, root) for path in wanted]
    return sorted(modules, key=lambda module: (module.package, module.name, module.path))


def is_test(path: str) -> bool:
    """Tell whether the file at *path* tests the others.

    >>> [is_test(path) for path in ("tests/a.py", "x/test_a.py", "x/testing.py", "conftest.py")]
    [True, True, False, True]
    """
    *folders, name = path.split("/")
    held = any(folder in ("test", "tests") or folder.startswith("tests-") for folder in folders)
    return held or name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py"


def _module(path: str, packages: set[str], root: str) -> Module:
    folder, _, name = path.rpartition("/")
    parts = [] if name == "__init__.py" else [name.removesuffix(".py")]
    while folder in packages:
        above, _, last = folder.rpartition("/")
        parts.insert(0, last or root)
        if not folder:
            break
        folder = above
    packaged = bool(parts) and (len(parts) > 1 or name == "__init__.py")
    if packaged or folder in ("", "src") or folder.endswith("/src"):
        dotted = ".".join(parts)
        return Module(path, dotted, parts[0])
    return Module(path, path, "")


def _base(path: str) -> str:
    return path.rpartition("/")[2]
