"""Bring an environment up from uv.lock, once, and prove in milliseconds that it still stands.

``uv sync`` is not used: it wants the index's address in the lock. The lock is exported to
requirements with hashes, synced, and the workspace is then installed editable; the second
step repairs what the first removes, so the two belong together.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from house.places import BENCH_VENV, LOCK, PRIVATE, ROOT, VENV, packages

STAMP = "symphony-stamp"

# What each environment holds beyond the packages themselves, in uv export's words.
SELECTIONS = {
    VENV: ["--all-groups", "--no-group", "bench", "--no-group", "docs"],
    BENCH_VENV: ["--no-default-groups", "--group", "build", "--group", "bench"],
}


class SetupFailed(Exception):
    """The environment could not be brought up; the text says why and what to do."""


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
    """Return *venv*, brought up to date with the lock and every pyproject.toml."""
    if not force and _stands(venv):
        return venv
    with _alone():
        if force or not _stands(venv):
            _build(venv)
    return venv


def python(venv: Path = VENV) -> Path:
    """Return the interpreter of *venv*."""
    return venv / "bin" / "python"


def run_inside(command: list[str], *, venv: Path = VENV) -> int:
    """Run *command* with the tools of *venv* first on PATH and return its exit status."""
    return subprocess.run(command, cwd=ROOT, env=inside(venv), check=False).returncode


def inside(venv: Path = VENV) -> dict[str, str]:
    """Return the process's variables as they are inside *venv*."""
    path = os.pathsep.join([str(venv / "bin"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(venv)}


def find_uv() -> Path:
    """Return a uv as new as the lock, from PATH or from a private folder, installed if need be."""
    version, hashes = _locked_uv()
    private = PRIVATE / "uv" / "bin" / "uv"
    for candidate in (private, shutil.which("uv")):
        if candidate and _uv_version(Path(candidate)) >= _numbers(version):
            return Path(candidate)
    _install_uv(version, hashes)
    return private


def uv_variables() -> dict[str, str]:
    """Return the variables uv is run with: the system's certificates and no Python downloads."""
    variables = {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", **os.environ}
    variables.pop("VIRTUAL_ENV", None)
    if "PIP_INDEX_URL" in variables:  # a mirror set up for pip serves uv too
        variables.setdefault("UV_DEFAULT_INDEX", variables["PIP_INDEX_URL"])
    return variables


def stamp() -> str:
    """Return the digest of all that an environment is made from."""
    digest = hashlib.sha256(sys.version.encode())
    sources = [LOCK, ROOT / "pyproject.toml", Path(__file__)]
    sources += [package.folder / "pyproject.toml" for package in packages()]
    for source in sources:
        digest.update(source.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def _stands(venv: Path) -> bool:
    try:
        return (venv / STAMP).read_text() == stamp() and python(venv).exists()
    except OSError:
        return False


@contextmanager
def _alone() -> Iterator[None]:
    PRIVATE.mkdir(exist_ok=True)
    with (PRIVATE / "setup.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another setup of this checkout")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(venv: Path) -> None:
    _say(f"bringing up {venv.name} (once; later runs reuse it)")
    uv = find_uv()
    (venv / STAMP).unlink(missing_ok=True)
    requirements = export(uv, ["--all-packages", "--all-extras", *SELECTIONS[venv]])
    _run(uv, ["venv", "--quiet", "--clear", "--python", sys.executable, str(venv)])
    sync(uv, venv, requirements)
    editables = [word for p in packages() for word in ("-e", str(p.folder))]
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *editables]
    _run(uv, [*install, "--python", str(python(venv))])
    (venv / STAMP).write_text(stamp())  # last: an interrupted setup starts over


def export(uv: Path, selection: list[str]) -> str:
    """Return the locked requirements, with hashes, of what *selection* names."""
    return _run(uv, ["export", "--quiet", "--frozen", "--no-emit-workspace", *selection])


def sync(uv: Path, venv: Path, requirements: str) -> None:
    """Make *venv* hold exactly *requirements*, every file checked against its hash."""
    target = ["--python", str(python(venv))]
    _run(uv, ["pip", "sync", "--quiet", "--require-hashes", *target, "-"], text=requirements)


def _run(uv: Path, arguments: list[str], *, text: str | None = None) -> str:
    done = subprocess.run(
        [str(uv), *arguments],
        cwd=ROOT,
        env=uv_variables(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip()
        raise SetupFailed(f"uv {arguments[0]} failed with status {done.returncode}:\n{said}")
    return done.stdout


def _install_uv(version: str, hashes: list[str]) -> None:
    folder = PRIVATE / "uv"
    _say(f"installing uv {version} into {folder.relative_to(ROOT)}")
    shutil.rmtree(folder, ignore_errors=True)
    made = _quietly([sys.executable, "-m", "venv", str(folder)])
    if made.returncode != 0:
        raise SetupFailed(
            f"this Python cannot make environments: {made.stdout.strip()}\n"
            "  hint: on Debian, apt-get install python3-venv; or put uv on PATH"
        )
    pins = folder / "uv.txt"
    pins.write_text(f"uv=={version} " + " ".join(f"--hash={h}" for h in hashes) + "\n")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done = _quietly([*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(pins)])
    if done.returncode != 0:
        raise SetupFailed(f"pip could not install uv {version}:\n{done.stdout.strip()}")


def _quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def _locked_uv() -> tuple[str, list[str]]:
    lock = tomllib.loads(LOCK.read_text(encoding="utf-8"))
    entry = next(p for p in lock["package"] if p["name"] == "uv")
    files = [*entry.get("wheels", []), entry["sdist"]]
    return entry["version"], [file["hash"] for file in files]


def _uv_version(uv: Path) -> tuple[int, ...]:
    try:
        said = subprocess.run([str(uv), "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return _numbers(said.stdout)


def _numbers(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(number) for number in found.groups()) if found else ()


def _say(text: str) -> None:
    print(f"tools/setup: {text}", file=sys.stderr)
