"""Find uv, as new as the one that wrote the lock, and run it so that no host's habits show."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from house.places import LOCK, PRIVATE, ROOT

PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")


class SetupFailed(Exception):
    """The environment could not be brought up; the text says why and what to do."""


def find_uv() -> Path:
    """Return a uv as new as the lock's: from PATH, or a private one, installed if need be."""
    version, hashes = locked_uv(tomllib.loads(LOCK.read_text(encoding="utf-8")))
    private = PRIVATE / "uv" / "bin" / "uv"
    for candidate in (private, shutil.which("uv")):
        if candidate and is_new_enough(uv_version(Path(candidate)), version):
            return Path(candidate)
    _install_uv(version, hashes)
    return private


def run_uv(uv: Path, arguments: list[str], *, text: str | None = None) -> str:
    """Return what uv printed; where it fails, say what it said and what may help."""
    done = subprocess.run(
        [str(uv), *arguments],
        cwd=ROOT,
        env=uv_variables(os.environ),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SetupFailed(explain(f"uv {arguments[0]}", done.returncode, done.stderr))
    return done.stdout


def uv_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables uv is run with: the system's certificates, no Python downloads.

    >>> uv_variables({"PIP_INDEX_URL": "https://mirror/simple"})["UV_DEFAULT_INDEX"]
    'https://mirror/simple'
    """
    variables = {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", **environ}
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"):
        variables.pop(name, None)
    mirror = variables.get("PIP_INDEX_URL") or pip_mirror(PIP_FILES)
    if mirror and "UV_INDEX_URL" not in variables:  # a mirror set up for pip serves uv too
        variables.setdefault("UV_DEFAULT_INDEX", mirror)
    return variables


def pip_mirror(files: tuple[str, ...]) -> str | None:
    """Return the index that pip's configuration names, the last file's first, if any does."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read([Path(file).expanduser() for file in files])
    except (configparser.Error, UnicodeDecodeError, RuntimeError):  # pip will say what is wrong
        return None
    return parser.get("global", "index-url", fallback=None)


def explain(what: str, status: int, said: str) -> str:
    """Return why *what* failed, and a hint where the cause is the network or the disk."""
    text = f"{what} failed with status {status}:\n{said.strip()}"
    lowered = said.lower()
    if re.search(r"connect|dns|resolve host|network|timed out|failed to fetch|retries", lowered):
        text += (
            "\n  hint: this step needs a package index once. Behind a mirror, set UV_DEFAULT_INDEX "
            "(or PIP_INDEX_URL) to its address; behind a proxy, HTTPS_PROXY"
        )
    if "no space left" in lowered:
        text += "\n  hint: the disk is full; about 500 MB are needed, UV_CACHE_DIR included"
    return text


def is_new_enough(found: tuple[int, ...], wanted: str) -> bool:
    """Tell whether version *found* can read a lock that version *wanted* wrote.

    >>> is_new_enough((0, 11, 2), "0.9.30"), is_new_enough((), "0.9.30")
    (True, False)
    """
    return found >= numbers(wanted)


def numbers(text: str) -> tuple[int, ...]:
    """Return the three numbers of the first version in *text*, none where there is none.

    >>> numbers("uv 0.9.30 (linux)"), numbers("uv?")
    ((0, 9, 30), ())
    """
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(number) for number in found.groups()) if found else ()


def locked_uv(lock: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the version of uv that *lock* pins, and the hashes of its files."""
    entry = next(package for package in lock["package"] if package["name"] == "uv")
    files = [*entry.get("wheels", []), *([entry["sdist"]] if "sdist" in entry else [])]
    return entry["version"], [file["hash"] for file in files]


def uv_version(uv: Path) -> tuple[int, ...]:
    """Return the version of the program *uv*, nothing where it does not run as uv."""
    try:
        said = subprocess.run(
            [str(uv), "--version"], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return numbers(said.stdout) if said.stdout.startswith("uv ") else ()


def _install_uv(version: str, hashes: list[str]) -> None:
    folder = PRIVATE / "uv"
    say(f"installing uv {version} into {folder.relative_to(ROOT)}")
    shutil.rmtree(folder, ignore_errors=True)
    made = _quietly([sys.executable, "-m", "venv", str(folder)])
    if made.returncode != 0:
        raise SetupFailed(
            f"{sys.executable} cannot make environments:\n{made.stdout.strip()}\n"
            "  hint: on Debian and Ubuntu, apt-get install python3-venv; "
            f"or put uv {version} or newer on PATH"
        )
    pins = folder / "uv.txt"
    pins.write_text(f"uv=={version} " + " ".join(f"--hash={h}" for h in hashes) + "\n")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done = _quietly([*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(pins)])
    if done.returncode != 0:
        raise SetupFailed(explain(f"pip install uv=={version}", done.returncode, done.stdout))


def _quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    return subprocess.run(
        command,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def say(text: str) -> None:
    """Tell the user what is going on, where it does not mix with what the tool prints."""
    print(f"tools/setup: {text}", file=sys.stderr, flush=True)
