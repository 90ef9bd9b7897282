"""Check what a reviewer should not have to: format, lint, types, and the house's own rules."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from house.environment import ensure, inside, python
from house.installer import SetupFailed
from house.places import ROOT, Package, packages
from house.selection import Unknown, explain, select

DESCRIPTION = """\
Run every check, and print a line for each; what a failing one found stands below its line, with
the package, the place and the mend. Without packages, the whole workspace is checked."""


@dataclass(frozen=True)
class Outcome:
    """How a check went: what there is to mend, and what is merely said beside it."""

    found: str = ""
    note: str = ""


@dataclass(frozen=True)
class Scope:
    """What is looked at: the packages, and whether the rest of the workspace is too."""

    packages: Sequence[Package]
    whole: bool

    def paths(self, part: str = "") -> list[str]:
        """Return the folders to look into, as seen from the root."""
        folders = [package.folder / part for package in self.packages]
        return [str(folder.relative_to(ROOT)) for folder in folders if folder.is_dir()]


def main(arguments: list[str]) -> int:
    """Run ``tools/check``, under the environment's own Python."""
    options = _parse(arguments)
    try:
        scope = Scope(select(options.packages), whole=not options.packages)
        wanted = _wanted(options.only)
        venv = ensure()
    except Unknown as error:
        print(f"tools/check: {error}", file=sys.stderr)
        return 2
    except SetupFailed as error:
        print(f"tools/check: {error}", file=sys.stderr)
        return 1
    if Path(sys.prefix) != venv:
        os.execve(python(venv), [str(python(venv)), *sys.argv], inside(venv))  # noqa: S606 - no shell is the point
    return check(scope, wanted, fix=options.fix)


def check(scope: Scope, wanted: Sequence[str], *, fix: bool = False) -> int:
    """Run the *wanted* checks on *scope*, print how each went, and return the exit status."""
    if fix:
        _fix(scope)
    start = time.monotonic()
    with ThreadPoolExecutor(max(2, len(os.sched_getaffinity(0)))) as pool:
        running = {name: pool.submit(_timed, CHECKS[name], scope) for name in wanted}
        failed = [name for name, future in running.items() if not _show(name, *future.result())]
    took_s = time.monotonic() - start
    if failed:
        print(f"{len(failed)} of {len(wanted)} checks failed in {took_s:.1f} s: {' '.join(failed)}")
        return 1
    print(f"{len(wanted)} checks passed in {took_s:.1f} s")
    return 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/check",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("packages", metavar="PACKAGE", nargs="*")
    parser.add_argument("--fix", action="store_true", help="first let ruff mend what it can")
    parser.add_argument("--only", metavar="CHECK,…", default="", help=f"of {', '.join(CHECKS)}")
    return parser.parse_args(arguments)


def _wanted(only: str) -> list[str]:
    names = [name for name in only.split(",") if name] or list(CHECKS)
    for name in names:
        if name not in CHECKS:
            raise Unknown(explain(f"no check {name!r}", name, list(CHECKS)))
    return names


def _fix(scope: Scope) -> None:
    where = ["."] if scope.whole else scope.paths()
    _program("ruff", "format", "--quiet", *where)
    _program("ruff", "check", "--quiet", "--fix", *where)


def _timed(run: Callable[[Scope], Outcome], scope: Scope) -> tuple[Outcome, float]:
    start = time.monotonic()
    try:
        outcome = run(scope)
    except (SyntaxError, tomllib.TOMLDecodeError, OSError, KeyError) as error:
        outcome = Outcome(found=f"{type(error).__name__}: {error}")
    return outcome, time.monotonic() - start


def _show(name: str, outcome: Outcome, took_s: float) -> bool:
    word = "FAIL" if outcome.found else "PASS"
    note = f"  {outcome.note}" if outcome.note else ""
    print(f"{word}  {name:<11} {took_s:5.1f} s  {SAYS[name]}{note}", flush=True)
    for line in outcome.found.splitlines():
        print(f"      {line}")
    return not outcome.found


def _program(name: str, *arguments: str) -> Outcome:
    """Run a program of the environment; what it says is what it found, where it fails."""
    command = [str(Path(sys.executable).parent / name), *arguments]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return (
        Outcome(found=done.stdout.strip() or f"status {done.returncode}")
        if done.returncode
        else Outcome()
    )


def _format(scope: Scope) -> Outcome:
    return _program(
        "ruff", "format", "--check", "--quiet", *(["."] if scope.whole else scope.paths())
    )


def _lint(scope: Scope) -> Outcome:
    where = ["."] if scope.whole else scope.paths()
    return _program("ruff", "check", "--quiet", "--output-format", "concise", *where)


def _types(scope: Scope) -> Outcome:
    where = [*scope.paths("src"), *(["tools/house"] if scope.whole else [])]
    return _program("mypy", "--no-error-summary", *where)


def _examples(scope: Scope) -> Outcome:
    where = [*scope.paths("src"), *(["tools/house"] if scope.whole else [])]
    settings = ["-c", "pyproject.toml", "-p", "no:cacheprovider", "-p", "no:xdist"]
    outcome = _program("python", "-m", "pytest", "-q", "--doctest-modules", *settings, *where)
    return Outcome() if outcome.found.endswith(NO_EXAMPLES) else outcome


NO_EXAMPLES = "no tests ran"


def _findings(found: Sequence[object], note: str = "") -> Outcome:
    return Outcome(found="\n".join(str(finding) for finding in found), note=note)


def _imports(scope: Scope) -> Outcome:
    from house.checks import imports  # noqa: PLC0415 - what it needs is in the environment alone

    root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return _findings(imports.check(scope.packages, packages(ROOT), root))


def _manifests(scope: Scope) -> Outcome:
    from house.checks import manifests  # noqa: PLC0415 - as above

    return _findings(manifests.check(scope.packages, packages(ROOT)))


def _names(scope: Scope) -> Outcome:
    from house.checks import names  # noqa: PLC0415 - as above

    seen = names.check(scope.packages)
    count = len(seen.without_example)
    return _findings(seen.findings, f"({count} public names have no example yet)" if count else "")


def _lock(_scope: Scope) -> Outcome:
    from house.checks import lock  # noqa: PLC0415 - as above

    return _findings(lock.check(ROOT))


def _exceptions(scope: Scope) -> Outcome:
    from house.checks import exceptions  # noqa: PLC0415 - as above

    found = [
        f for package in scope.packages for f in exceptions.check(package.name, package.folder)
    ]
    return _findings([*found, *(exceptions.check_rest(ROOT) if scope.whole else [])])


def _duck(scope: Scope) -> Outcome:
    from house.checks import duck  # noqa: PLC0415 - as above

    return _findings(duck.check(scope.packages))


# The slow ones first: each check runs beside the others, and is shown in this order.
CHECKS: dict[str, Callable[[Scope], Outcome]] = {
    "types": _types,
    "examples": _examples,
    "format": _format,
    "lint": _lint,
    "imports": _imports,
    "manifests": _manifests,
    "names": _names,
    "lock": _lock,
    "exceptions": _exceptions,
    "duck": _duck,
}
SAYS = {
    "types": "mypy --strict over what ships, and the tools",
    "examples": "the examples in the docstrings run",
    "format": "ruff format",
    "lint": "ruff check",
    "imports": "imports are declared; nothing private of a sibling is used",
    "manifests": "siblings by range; entry points lead somewhere",
    "names": "public names exist and are documented",
    "lock": "uv.lock names no index and agrees with every pyproject.toml",
    "exceptions": "each exception to a rule carries its reason",
    "duck": "no duck() was left in",
}
