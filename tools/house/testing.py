"""Run the tests: every one of every package, or a layer's, or a package's."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from house.environment import ensure, inside, python
from house.installer import SetupFailed
from house.places import ROOT, Package, packages
from house.selection import Unknown, explain, select

DESCRIPTION = """\
Run every test of every package, of the tools and across packages, and the examples in the
docstrings. Name layers (unit, integration, proof) and packages (sy-dag, dag, tools, or a test
file) to run less. What stands after -- goes to pytest."""

LAYERS = {
    "unit": "not integration and not proof",
    "integration": "integration",
    "proof": "proof",
}
# What is tested beside the packages, and where its tests and docstrings are.
BESIDE = {
    "tools": ("tools/house", "tools/tests"),
    "tests-integration": ("tests-integration",),
}
# What of the caller's settings reaches the tests: a user's own SYMPHONY_HOME must not.
KEPT = ("SYMPHONY_REQUIRE", "SYMPHONY_FULL")


@dataclass
class Selection:
    """What to run: layers, and the files and folders the tests are in; all, where none."""

    layers: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    rooms: int = 0


def main(arguments: list[str]) -> NoReturn:
    """Run ``tools/test``: bring the environment up if need be, then become pytest.

    Becoming it rather than waiting for it leaves Ctrl-C, and the exit status, to pytest.
    """
    options = _parse(arguments)
    try:
        selection = choose(options.what)
        venv = ensure()
    except Unknown as error:
        print(f"tools/test: {error}", file=sys.stderr)
        sys.exit(2)
    except SetupFailed as error:
        sys.exit(f"tools/test: {error}")
    command = [str(python(venv)), "-m", "pytest", *pytest_words(options, selection)]
    os.chdir(ROOT)
    os.execve(command[0], command, variables(inside(venv), full=options.full))  # noqa: S606 - no shell is the point


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/test",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", metavar="LAYER|PACKAGE|FILE", nargs="*")
    parser.add_argument("--full", action="store_true", help="every proof with its full counts")
    parser.add_argument("-k", metavar="EXPR", help="tests whose name matches")
    parser.add_argument("-x", action="store_true", help="stop at the first failure")
    parser.add_argument("-n", type=int, metavar="N", help="processes; 0 for this one alone")
    parser.add_argument("-v", action="store_true", help="a line for every test")
    parser.add_argument("--durations", type=int, metavar="N", help="list the N slowest")
    own, passed_on = _divided(arguments)
    options = parser.parse_args(own)
    options.passed_on = passed_on
    return options


def _divided(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def choose(words: list[str], root: Path = ROOT) -> Selection:
    """Sort *words* into layers, packages and paths; a word that is none of them is refused."""
    chosen = Selection()
    for word in words:
        if word in LAYERS:
            chosen.layers.append(word)
        elif word.rstrip("/") in BESIDE:
            chosen.paths += _beside(word.rstrip("/"), root)
            chosen.rooms += 1
        elif _is_test_path(word):
            chosen.paths.append(os.path.abspath(word))  # noqa: PTH100 - "file.py::name" is no path
            chosen.rooms += 1
        else:
            chosen.paths += package_paths(_package(word, root))
            chosen.rooms += 1
    if not chosen.paths:
        every = packages(root)
        chosen.paths = [path for package in every for path in package_paths(package)]
        chosen.paths += [path for name in BESIDE for path in _beside(name, root)]
        chosen.rooms = len(every) + len(BESIDE)
    return chosen


def _package(word: str, root: Path) -> Package:
    try:
        return select([word], root)[0]
    except Unknown:
        known = [*LAYERS, *(package.name for package in packages(root)), *BESIDE]
        raise Unknown(explain(f"no layer or package {word!r}", word, known)) from None


def _is_test_path(word: str) -> bool:
    path = Path(word.split("::", maxsplit=1)[0])
    return path.suffix == ".py" and path.exists()


def _beside(name: str, root: Path) -> list[str]:
    return [str(root / path) for path in BESIDE[name] if (root / path).is_dir()]


def package_paths(package: Package) -> list[str]:
    """Return where the tests of *package* are: its docstrings' examples and its tests."""
    return [str(path) for path in (package.source, package.tests) if path.is_dir()]


def pytest_words(options: argparse.Namespace, selection: Selection) -> list[str]:
    """Return the words pytest is called with."""
    words = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "house.layers"]
    words += ["--doctest-modules", "-v" if options.v else "-q"]
    processes = options.n if options.n is not None else default_processes(selection)
    words += ["-n", str(processes), "--dist", "worksteal"] if processes > 1 else ["-p", "no:xdist"]
    if selection.layers:
        marks = [f"({LAYERS[layer]})" for layer in dict.fromkeys(selection.layers)]
        words += ["-m", " or ".join(marks)]
    words += ["-k", options.k] if options.k else []
    words += ["-x"] if options.x else []
    words += [f"--durations={options.durations}"] if options.durations is not None else []
    return [*words, *options.passed_on, *dict.fromkeys(selection.paths)]


def default_processes(selection: Selection) -> int:
    """Return how many processes to test in: one a core, unless their start costs more."""
    return len(os.sched_getaffinity(0)) if selection.rooms > 1 else 0


def variables(environ: Mapping[str, str], *, full: bool) -> dict[str, str]:
    """Return the variables the tests see: none of the user's own settings of Symphony.

    >>> variables({"SYMPHONY_HOME": "/home/ann", "TERM": "dumb"}, full=True)  # doctest: +ELLIPSIS
    {'TERM': 'dumb', 'SYMPHONY_FULL': '1', 'PYTHONPATH': '...tools'}
    """
    kept = {k: v for k, v in environ.items() if not k.startswith("SYMPHONY_") or k in KEPT}
    if full:
        kept["SYMPHONY_FULL"] = "1"
    kept["PYTHONPATH"] = str(ROOT / "tools")  # for the plugin, which takes it away again
    return kept
