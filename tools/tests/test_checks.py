import ast
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from house.checks import duck, exceptions, imports, lock, manifests, names
from house.checks.exceptions import unexplained_comments, unexplained_switches
from house.places import packages

NEEDS_COMMONS = 'dependencies = ["attrs>=24.2", "sy-commons>=0.1,<1"]'


def imports_of(workspace: Any, *, bench: tuple[str, ...] = ()) -> list[str]:
    every = packages(workspace.root)
    root = {"dependency-groups": {"bench": list(bench)}}
    return [str(finding) for finding in imports.check(every, every, root)]


def test_an_undeclared_import_is_told_with_package_module_and_import(workspace: Any) -> None:
    workspace.package("sy-dag", NEEDS_COMMONS, _engine="import os\nimport hypothesis\n")
    (found,) = imports_of(workspace)
    assert found.startswith("sy-dag: sy_dag._engine:2: imports hypothesis, which packages/sy-dag/")
    assert "add hypothesis to its dependencies and run tools/lock" in found


@pytest.mark.parametrize(
    "code",
    [
        "from hypothesis.strategies import text",
        "def f():\n    import hypothesis",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hypothesis",
        "try:\n    import hypothesis\nexcept ImportError:\n    pass",
        "import importlib\nimportlib.import_module('hypothesis.strategies')",
    ],
)
def test_an_import_is_seen_wherever_it_hides(workspace: Any, code: str) -> None:
    workspace.package("sy-dag", NEEDS_COMMONS, _engine=code)
    assert len(imports_of(workspace)) == 1


def test_what_is_declared_standard_own_or_relative_passes(workspace: Any) -> None:
    workspace.package("sy-commons")
    workspace.package(
        "sy-dag",
        NEEDS_COMMONS,
        _engine="import asyncio, attr\nimport sy_commons\nfrom . import _x\nimport sy_dag._x",
    )
    assert imports_of(workspace) == []


def test_a_module_is_known_by_the_distribution_that_brings_it(workspace: Any) -> None:
    """Nothing in the name of apsw tells that apsw-sqlite3mc brings it."""
    workspace.package("sy-dag", 'dependencies = ["apsw-sqlite3mc>=3.53"]', _a="import apsw")
    assert imports_of(workspace) == []
    workspace.package("sy-dag", "dependencies = []", _a="import apsw")
    (found,) = imports_of(workspace)
    assert "add apsw-sqlite3mc to its dependencies" in found


def test_an_extra_counts_as_declared(workspace: Any) -> None:
    extra = '[project.optional-dependencies]\nsqlite = ["apsw-sqlite3mc>=3.53"]'
    workspace.package("sy-dag", extra, _a="import apsw")
    assert imports_of(workspace) == []


def test_an_undeclared_sibling_is_told(workspace: Any) -> None:
    workspace.package("sy-pool")
    workspace.package("sy-dag", _a="from sy_pool import ModelPool")
    (found,) = imports_of(workspace)
    assert "imports sy_pool" in found
    assert "add sy-pool to" in found


def test_tests_may_use_the_test_group_and_what_ships_may_not(workspace: Any) -> None:
    group = '[dependency-groups]\ntest = ["pytest>=8.3"]'
    workspace.package("sy-dag", group, _a="import pytest", testing="import pytest")
    workspace.write("packages/sy-dag/tests/test_a.py", "import pytest\nimport beside")
    workspace.write("packages/sy-dag/tests/beside.py", "")
    (found,) = imports_of(workspace)
    assert found.startswith("sy-dag: sy_dag._a:1: imports pytest")


def test_benches_may_use_the_bench_group_and_the_house(workspace: Any) -> None:
    workspace.package("sy-dag", _a="import pytest")
    bench = "import pytest\nfrom house.measuring import Case\n"
    workspace.write("packages/sy-dag/benches/bench_a.py", bench)
    found = imports_of(workspace, bench=("pytest>=8",))
    assert [line.split(":")[1].strip() for line in found] == ["sy_dag._a"]


def test_a_peer_that_is_installed_elsewhere_is_known_by_its_name(workspace: Any) -> None:
    workspace.package("sy-dag")
    workspace.write("packages/sy-dag/benches/bench_a.py", "import dask.threaded\nimport hamilton\n")
    assert len(imports_of(workspace)) == 2
    assert imports_of(workspace, bench=("dask>=2025.1", "sf-hamilton>=1.88")) == []
    (found,) = imports_of(workspace, bench=("dask-expr>=1", "hamiltonian>=1"))
    assert "imports hamilton" in found


@pytest.mark.parametrize(
    "code",
    [
        "import sy_commons._errors",
        "from sy_commons import _errors",
        "from sy_commons._errors import SymphonyError",
        "from sy_commons.cli import _main",
        "import sy_commons as c\nc._errors",
    ],
)
def test_a_reach_into_a_siblings_private_room_is_told(workspace: Any, code: str) -> None:
    workspace.package("sy-commons", _errors="from sy_commons._ids import uuid7")
    workspace.package("sy-dag", NEEDS_COMMONS, _a=code)
    (found,) = imports_of(workspace)
    assert found.startswith("sy-dag: sy_dag._a:")
    assert "private to sy-commons" in found


def test_a_siblings_public_names_and_dunders_pass(workspace: Any) -> None:
    workspace.package("sy-commons")
    code = "import sy_commons\nfrom sy_commons.cli import main\nsy_commons.__doc__\n"
    workspace.package("sy-dag", NEEDS_COMMONS, _a=code)
    assert imports_of(workspace) == []


def manifests_of(workspace: Any) -> list[str]:
    every = packages(workspace.root)
    return [str(finding) for finding in manifests.check(every, every)]


@pytest.mark.parametrize("text", ["sy-commons", "sy-commons>=0.1", "sy-commons==0.1.0"])
def test_a_sibling_without_a_range_is_told(workspace: Any, text: str) -> None:
    workspace.package("sy-commons")
    workspace.package("sy-dag", f'dependencies = ["{text}"]')
    (found,) = manifests_of(workspace)
    assert found.startswith("sy-dag: pyproject.toml:4: ")
    assert 'write "sy-commons>=0.1,<1"' in found


def test_a_sibling_with_a_range_and_extras_passes(workspace: Any) -> None:
    workspace.package("sy-commons")
    workspace.package("sy-dag", 'dependencies = ["sy-commons[sqlite]>=0.1,<1", "attrs"]')
    assert manifests_of(workspace) == []


def test_an_entry_point_that_leads_nowhere_is_told(workspace: Any) -> None:
    scripts = '[project.scripts]\na = "sy_dag.cli:main"\nb = "sy_dag.cli:run"\nc = "sy_dag.no:main"'
    workspace.package("sy-dag", scripts, cli="def main(): ...")
    found = manifests_of(workspace)
    assert [line.split(": ")[1:3] for line in found] == [
        ["pyproject.toml:6", "scripts 'b' leads to sy_dag.cli:run, which does not exist\n    mend"],
        ["pyproject.toml:7", "scripts 'c' leads to sy_dag.no:main, which does not exist\n    mend"],
    ]


def names_of(workspace: Any) -> names.Names:
    return names.check(packages(workspace.root))


def places(seen: names.Names) -> list[str]:
    return [f"{finding.place} {finding.problem}" for finding in seen.findings]


def test_a_public_name_of_a_private_room_must_say_what_it_is(workspace: Any) -> None:
    workspace.package(
        "sy-dag", _graph="class Graph:\n    def order(self): ...\n    def _x(self): ..."
    )
    workspace.write(
        "packages/sy-dag/src/sy_dag/__init__.py",
        "from sy_dag._graph import Graph\n__all__ = ['Graph']\n",
    )
    assert places(names_of(workspace)) == [
        "sy_dag._graph:1 Graph has no docstring",
        "sy_dag._graph:2 Graph.order has no docstring",
    ]


def test_a_lazy_table_is_followed_by_its_type_checking_imports(workspace: Any) -> None:
    workspace.package("sy-dag", _graph="def order(): ...")
    workspace.write(
        "packages/sy-dag/src/sy_dag/__init__.py",
        """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from ._graph import order
        __all__ = ["order"]
        """,
    )
    assert places(names_of(workspace)) == ["sy_dag._graph:1 order has no docstring"]


def test_a_name_that_is_nowhere_is_told(workspace: Any) -> None:
    workspace.package("sy-dag", cli='__all__ = ["main", "MAX"]\nMAX = 1\n')
    assert places(names_of(workspace)) == ["sy_dag.cli:1 main is in __all__ and nowhere else"]


def test_what_is_private_or_documented_by_its_base_need_not_say_it_again(workspace: Any) -> None:
    code = '''
    class Sink:
        """A sink."""
        def emit(self):
            """Take an event."""
    class File(Sink):
        """A file."""
        def emit(self): ...
        @property
        def size(self):
            """Bytes."""
        @size.setter
        def size(self, value): ...
        def __len__(self): ...
    def _helper(): ...
    '''
    workspace.package("sy-dag", sinks=code, _room="def undocumented(): ...")
    assert places(names_of(workspace)) == []


def test_names_without_an_example_are_counted_and_errors_are_not(workspace: Any) -> None:
    code = '''
    class Lost(SymphonyError):
        """It is lost."""
    def find():
        """Find it."""
    def shown():
        """Show it.

        >>> shown()
        """
    '''
    workspace.package("sy-dag", cli=code)
    seen = names_of(workspace)
    assert (seen.findings, seen.without_example) == ([], ["sy_dag.cli:4 find"])


DAG_LOCK = """
[manifest]
members = ["sy-dag", "workspace"]
[[package]]
name = "attrs"
version = "25.1.0"
wheels = [{ path = "attrs.whl", hash = "sha256:aa" }]
[[package]]
name = "sy-dag"
version = "0.1.0"
[package.metadata]
requires-dist = [
    { name = "attrs", specifier = ">=24.2" },
    { name = "sy-commons", editable = "packages/sy-commons", extras = ["sqlite"] },
    { name = "apsw", marker = "extra == 'db'", specifier = ">=3" },
]
[[package]]
name = "workspace"
version = "0"
[package.metadata]
[package.metadata.requires-dev]
test = [{ name = "pytest", specifier = ">=8.3" }]
"""


@pytest.fixture
def locked(workspace: Any) -> Any:
    workspace.package(
        "sy-dag",
        """
        dependencies = ["attrs>=24.2", "sy-commons[sqlite]>=0.1,<1"]
        [project.optional-dependencies]
        db = ["apsw>=3"]
        """,
    )
    workspace.write(
        "pyproject.toml",
        """
        [project]
        name = "workspace"
        version = "0"
        [dependency-groups]
        test = ["pytest>=8.3"]
        """,
    )
    workspace.write("uv.lock", DAG_LOCK)
    return workspace


def test_a_lock_that_says_what_every_pyproject_says_passes(locked: Any) -> None:
    assert lock.check(locked.root) == []


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('">=24.2"', '">=24.1"', "asks for attrs>=24.2, and the lock does not know it"),
        ('"0.1.0"', '"0.2.0"', "it pins version 0.2.0, pyproject.toml says 0.1.0"),
        ("extra == 'db'", "extra == 'sql'", "asks for apsw>=3"),
        ('">=8.3"', '">=8"', "group test: pyproject.toml asks for pytest>=8.3"),
        ('"sy-dag", ', "", "its members are workspace, not sy-dag, workspace"),
        (', hash = "sha256:aa"', "", "attrs 25.1.0 has a file without a hash"),
        ("attrs.whl", "https://mirror.example/attrs.whl", "an address: "),
    ],
)
def test_a_lock_that_says_something_else_is_told(
    locked: Any, before: str, after: str, problem: str
) -> None:
    assert before in DAG_LOCK
    locked.write("uv.lock", DAG_LOCK.replace(before, after, 1))
    found = [str(finding) for finding in lock.check(locked.root)]
    assert any(problem in finding for finding in found), found
    assert all(finding.endswith("mend: run tools/lock") for finding in found)


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa",
        "# noqa: F401",
        "# noqa: F401 -",
        "# type: ignore",
        "# type: ignore[arg-type]",
        "# type: ignore - because",
        "# ruff: noqa",
    ],
)
def test_an_exception_without_a_code_or_a_reason_is_told(comment: str) -> None:
    assert [line for line, *_ in unexplained_comments(f"x = 1\ny = 2  {comment}\n")] == [2]


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: F401 - users import it from here",
        "# noqa: F401, E501 - as above",
        "# ruff: noqa: T201 - it prints",
        "# type: ignore[arg-type]  # the stub is wrong",
        "# type: ignore[arg-type, misc] - the stub is wrong",
        "# a word about noqa-like things",
    ],
)
def test_an_exception_with_its_reason_passes(comment: str) -> None:
    found = list(unexplained_comments(f'x = "# noqa"  {comment}\n'))
    assert found == [] or comment.startswith("# a word")
    assert list(unexplained_comments('x = "# noqa"\n')) == []


def test_a_rule_switched_off_without_a_reason_is_told() -> None:
    text = dedent("""\
        [tool.ruff.lint]
        select = ["ALL"]
        ignore = [
            "D105",  # a reason
            "D107",
        ]
        [tool.ruff.lint.per-file-ignores]
        "a/**" = ["S"]
        "b/**" = ["S"]  # a reason, with a "#" in it
        "c#/**" = [
            "S",
            "T", "U",  # a reason
        ]
        # a reason before it
        "d/**" = ["S"]
        [[tool.mypy.overrides]]
        module = "dask.*"
        ignore_missing_imports = true
        [tool.pytest.ini_options]
        filterwarnings = ["error"]
        addopts = ["-ra"]
    """)
    assert [line for line, _ in unexplained_switches(text)] == [5, 8, 11, 18]


def test_exceptions_are_looked_for_in_every_file_of_a_package(workspace: Any) -> None:
    package = workspace.package("sy-dag", _a="import os  # noqa\n")
    workspace.write("packages/sy-dag/tests/test_a.py", "x = 1  # type: ignore\n")
    found = exceptions.check(package.name, package.folder)
    assert [finding.place for finding in found] == ["src/sy_dag/_a.py:1", "tests/test_a.py:1"]


@pytest.mark.parametrize(
    "code",
    ["duck(1)", "sy_commons.duck(x)", "duck.table(rows)", "from sy_commons import duck"],
)
def test_a_duck_left_in_what_ships_is_told(workspace: Any, code: str) -> None:
    workspace.package("sy-dag", _a=code)
    workspace.write("packages/sy-dag/tests/test_a.py", "duck(1)")
    (found,) = duck.check(packages(workspace.root))
    assert (found.package, found.place) == ("sy-dag", "sy_dag._a:1")


def test_the_room_where_duck_lives_and_docstrings_may_say_it(workspace: Any) -> None:
    workspace.package("sy-commons", _duck="def duck(x): ...\nduck(1)\n", _a='"""duck(1)"""\n')
    workspace.write("packages/sy-commons/src/sy_commons/b.py", "from sy_commons._duck import duck")
    assert duck.check(packages(workspace.root)) == []


def test_a_relative_import_names_no_distribution() -> None:
    assert list(imports.imported(ast.parse("from . import a\nfrom .b import c"))) == []


def test_our_own_workspace_is_what_the_checks_are_for() -> None:
    """Guards against a check that looks into nothing: the paths it is given have files."""
    every = packages()
    assert len(every) == 7
    assert all(list((package.folder / "src").rglob("*.py")) for package in every)
    assert Path(every[0].folder / "pyproject.toml").is_file()
