import ast
import doctest
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import sy_commons
from sy_commons import Rule

SOURCE = Path(sy_commons.__file__).parent
# Protocols, whose implementations have examples, types of fields, and an enumeration.
NO_EXAMPLE = {"Backoff", "Clock", "Duration", "ErrorCategory", "Layer", "Size"}


def rooms() -> list[ModuleType]:
    names = [found.name for found in pkgutil.iter_modules(sy_commons.__path__)]
    return [importlib.import_module(f"sy_commons.{name}") for name in names]


def test_every_public_name_is_there_and_documented() -> None:
    for name in sy_commons.__all__:
        assert (getattr(sy_commons, name).__doc__ or "").strip(), name


def test_the_table_the_list_and_the_type_checkers_imports_agree() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    imported = {
        alias.name: f"{node.module}".removeprefix("sy_commons.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("sy_commons.")
        for alias in node.names
    }

    assert imported == sy_commons._ROOMS
    assert sorted(sy_commons._ROOMS) == sorted(sy_commons.__all__) == sorted(dir(sy_commons))


def test_every_public_function_and_class_has_a_doctest_that_is_collected() -> None:
    """The table is lazy: what no room's doctests hold would be seen by no collector."""
    finder = doctest.DocTestFinder()
    with_examples = {
        test.name.rpartition(".")[2]
        for room in rooms()
        for test in finder.find(room)
        if test.examples
    }
    errors = {
        name
        for name in sy_commons.__all__
        if isinstance(getattr(sy_commons, name), type)
        and issubclass(getattr(sy_commons, name), BaseException)
    }
    records = {name for name in sy_commons.__all__ if name.endswith("Stats")}
    rules = {name for name in sy_commons.__all__ if isinstance(getattr(sy_commons, name), Rule)}
    wanted = set(sy_commons.__all__) - errors - records - rules - NO_EXAMPLE

    assert sorted(wanted - with_examples) == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sy_commons.nothing  # noqa: B018 - the look-up itself is what is tried
