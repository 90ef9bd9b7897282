"""Bring an environment up from uv.lock, once, and prove in milliseconds that it still stands.

``uv sync`` is not used: it wants the index's address in the lock. The lock is exported to
requirements with hashes, synced, and the workspace is then installed editable; the second
step repairs what the first removes, so the two belong together.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from house.installer import SetupFailed, find_uv, run_uv, say
from house.places import BENCH_VENV, LOCK, PRIVATE, ROOT, VENV, packages

STAMP = "symphony-stamp"
# Counted up when _build changes what it makes: environments of before are then made anew.
RECIPE = 1
# What of a pyproject.toml an environment is made from; how ruff or pytest are set is not.
INGREDIENTS = ("build-system", "project", "dependency-groups")

# What each environment holds beyond the packages themselves, in uv export's words.
SELECTIONS = {
    VENV: ["--all-groups", "--no-group", "bench", "--no-group", "docs"],
    BENCH_VENV: ["--no-default-groups", "--group", "build", "--group", "bench"],
}


def main(arguments: list[str]) -> int:
    """Run ``tools/setup``."""
    parser = argparse.ArgumentParser(
        prog="tools/setup",
        description="Bring the development environment up in .venv; a repeat takes under a second.",
    )
    parser.add_argument("--force", action="store_true", help="build it anew, whatever stands")
    parser.add_argument("--bench", action="store_true", help="the benchmarks' environment instead")
    options = parser.parse_args(arguments)
    try:
        venv = ensure(BENCH_VENV if options.bench else VENV, force=options.force)
    except SetupFailed as error:
        print(f"tools/setup: {error}", file=sys.stderr)
        return 1
    name = venv.relative_to(ROOT)
    print(f"{name} is ready: {name}/bin/python, {name}/bin/sy", file=sys.stderr)
    return 0


def ensure(venv: Path = VENV, *, force: bool = False) -> Path:
    """Return *venv*, brought up to date with the lock and every pyproject.toml.

    One process at a time builds; the others wait, and find it standing.
    """
    if not force and stands(venv):
        return venv
    try:
        with _alone():
            if force or not stands(venv):
                _build(venv)
    except OSError as error:
        raise SetupFailed(f"{error}\n  hint: the checkout must be writable") from error
    return venv


def python(venv: Path = VENV) -> Path:
    """Return the interpreter of *venv*."""
    return venv / "bin" / "python"


def run_inside(
    command: list[str], *, venv: Path = VENV, extra: dict[str, str] | None = None
) -> int:
    """Run *command* with the tools of *venv* first on PATH and return its exit status."""
    variables = {**inside(venv), **(extra or {})}
    return subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode


def inside(venv: Path = VENV) -> dict[str, str]:
    """Return the process's variables as they are inside *venv*."""
    path = os.pathsep.join([str(venv / "bin"), os.environ.get("PATH", os.defpath)])
    variables = {**os.environ, "PATH": path, "VIRTUAL_ENV": str(venv)}
    for name in ("PYTHONPATH", "PYTHONHOME"):  # they would mix another environment in
        variables.pop(name, None)
    return variables


def stamp(root: Path = ROOT) -> str:
    """Return the digest of all that an environment is made from."""
    digest = hashlib.sha256(f"recipe {RECIPE}\0".encode())
    digest.update((root / LOCK.name).read_bytes())
    for folder in (root, *(package.folder for package in packages(root))):
        digest.update(f"\0{folder}\0".encode())  # a moved checkout has editables that point away
        digest.update(ingredients((folder / "pyproject.toml").read_text(encoding="utf-8")))
    return digest.hexdigest()


def ingredients(pyproject: str) -> bytes:
    r"""Return the part of a pyproject.toml that decides what is installed, in one spelling.

    >>> ingredients('[project]\nname = "a"') == ingredients('[tool.ruff]\n[project]\nname="a"')
    True
    """
    table = tomllib.loads(pyproject)
    tools = {name: table.get("tool", {}).get(name) for name in ("uv", "hatch")}
    kept = {name: table.get(name) for name in INGREDIENTS}
    return json.dumps({**kept, "tool": tools}, sort_keys=True, default=str).encode()


def stands(venv: Path) -> bool:
    """Tell whether *venv* was finished, is up to date, and still has the Python it was made of."""
    try:
        if (venv / STAMP).read_text(encoding="utf-8") != stamp():
            return False
        settings = (venv / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return False
    except tomllib.TOMLDecodeError as error:
        raise SetupFailed(f"a pyproject.toml is no TOML: {error}") from error
    return python(venv).exists() and _home(settings) == python(venv).resolve().parent


def _home(settings: str) -> Path:
    lines = dict(line.split(" = ", 1) for line in settings.splitlines() if " = " in line)
    return Path(lines.get("home", "")).resolve()


@contextmanager
def _alone() -> Iterator[None]:
    PRIVATE.mkdir(exist_ok=True)
    with (PRIVATE / "setup.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another setup of this checkout")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(venv: Path) -> None:
    say(f"bringing up {venv.name} (once; later runs reuse it)")
    uv = find_uv()
    made_from = stamp()
    (venv / STAMP).unlink(missing_ok=True)
    requirements = export(uv, ["--all-packages", "--all-extras", *SELECTIONS[venv]])
    run_uv(uv, ["venv", "--quiet", "--clear", "--python", sys.executable, str(venv)])
    sync(uv, venv, requirements)
    editables = [word for p in packages() for word in ("-e", str(p.folder))]
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *editables]
    run_uv(uv, [*install, "--python", str(python(venv))])
    # Last: an interrupted setup starts over, and what changed meanwhile is seen.
    (venv / STAMP).write_text(made_from, encoding="utf-8")


def export(uv: Path, selection: list[str]) -> str:
    """Return the locked requirements, with hashes, of what *selection* names."""
    return run_uv(uv, ["export", "--quiet", "--frozen", "--no-emit-workspace", *selection])


def sync(uv: Path, venv: Path, requirements: str) -> None:
    """Make *venv* hold exactly *requirements*, every file checked against its hash."""
    target = ["--python", str(python(venv))]
    run_uv(uv, ["pip", "sync", "--quiet", "--require-hashes", *target, "-"], text=requirements)
