"""Measure us beside our peers, in an environment that holds them, and say which budgets held."""

from __future__ import annotations

import argparse
import subprocess
import sys

from house.environment import ensure, inside, python
from house.installer import SetupFailed
from house.places import BENCH_VENV, ROOT, Package
from house.selection import Unknown, select

DESCRIPTION = """\
Run packages/*/benches/bench_*.py: our code and its peers in interleaved rounds. The last lines
are one for every budget: PASS, FAIL, NOISY (rounds strayed by more than 30 %), SKIP (its peer is
not installed), with the absolutes beside the ratio. A broken budget informs: the status is 0
unless a bench crashes, or --strict is given."""


def main(arguments: list[str]) -> int:
    """Run ``tools/bench``."""
    options = _parse(arguments)
    try:
        chosen = select(options.packages)
        files = [str(file) for package in chosen for file in benches(package)]
        if not files:
            print(f"tools/bench: no bench yet in {', '.join(p.name for p in chosen)}")
            return 0
        venv = ensure(BENCH_VENV)
    except Unknown as error:
        print(f"tools/bench: {error}", file=sys.stderr)
        return 2
    except SetupFailed as error:
        print(f"tools/bench: {error}", file=sys.stderr)
        return 1
    command = [str(python(venv)), "-m", "house.rounds", *_passed_on(options), *files]
    variables = {**inside(venv), "PYTHONPATH": str(ROOT / "tools")}
    return subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode


def benches(package: Package) -> list[str]:
    """List the bench files of *package*, by name."""
    return [str(file) for file in sorted((package.folder / "benches").glob("bench_*.py"))]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/bench",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("packages", metavar="PACKAGE", nargs="*", help="all, if none is named")
    parser.add_argument("--rounds", type=_positive, default=7, metavar="N")
    parser.add_argument("--only", default="", metavar="NAME", help="cases with NAME in their name")
    parser.add_argument("--json", action="store_true", help="every number, for a program")
    parser.add_argument("--strict", action="store_true", help="a broken budget exits with 1")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one round is needed")
    return number


def _passed_on(options: argparse.Namespace) -> list[str]:
    words = [f"--rounds={options.rounds}", f"--only={options.only}"]
    words += ["--json"] if options.json else []
    words += ["--strict"] if options.strict else []
    return words
