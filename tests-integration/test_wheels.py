"""Each wheel, alone in a clean environment with only what it declares, passes its own tests."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from sy_commons.testing import proof_count

PACKAGES = Path(__file__).resolve().parents[1] / "packages"
NAMES = sorted(path.parent.name for path in PACKAGES.glob("*/pyproject.toml"))
# The one that all others need, and one that needs only it; ./tools/test --full proves all seven.
SAMPLED = ["sy-commons", "sy-pool"]


def run(command: list[Any], cwd: Path, **variables: str) -> str:
    """Return what *command* printed; it sees nothing of this environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SYMPHONY", "VIRT"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"UV_SYSTEM_CERTS": "1", **kept, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command[:4]))}…\n{done.stdout}"
    return done.stdout


def siblings(name: str) -> list[str]:
    """Return the packages of the workspace that *name* needs, directly or through another."""
    manifest = tomllib.loads((PACKAGES / name / "pyproject.toml").read_text())
    found: dict[str, None] = {}
    for requirement in manifest["project"].get("dependencies", []):
        needed = re.match(r"[\w-]+", requirement)
        if needed and needed[0] in NAMES:
            found |= {needed[0]: None, **dict.fromkeys(siblings(needed[0]))}
    return list(found)


def build(name: str, into: Path, programs: Path) -> Path:
    """Build the wheel of a package with the pinned hatchling, asking nobody for anything."""
    folder = into / name
    run([programs / "hatchling", "build", "-t", "wheel", "-d", folder], PACKAGES / name)
    (wheel,) = folder.glob("*.whl")
    return wheel


class Environment:
    """A clean environment beside the checkout, in which one wheel is tried."""

    def __init__(self, name: str, folder: Path, programs: Path, root: Path) -> None:
        self.name, self.folder, self.root = name, folder, root
        self.uv = programs / "uv"
        self.python = folder / "bin" / "python"
        run([self.uv, "venv", "-q", "--python", sys.executable, folder], root)

    def install(self, wheels: list[Path], *declared: str) -> None:
        """Hold the wheels and what the package declares, chosen in uv's words; pins hashed."""
        selection = ["--package", self.name, "--no-default-groups", *declared]
        command = [self.uv, "export", "-q", "--frozen", "--no-emit-workspace", *selection]
        requirements = self.folder / "requirements.txt"
        requirements.write_text(run(command, self.root))
        self._pip("sync", "--require-hashes", requirements)
        self._pip("install", "--offline", "--no-deps", *wheels)
        self._pip("check")

    def import_it(self, cwd: Path) -> Path:
        """Return the file that the package is imported from."""
        module = self.name.replace("-", "_")
        code = f"import {module}; print({module}.__file__)"
        return Path(run([self.python, "-I", "-c", code], cwd).strip())

    def _pip(self, command: str, *words: object) -> None:
        run([self.uv, "pip", command, "-q", "--python", self.python, *words], self.root)


def test_the_sample_is_of_packages_that_exist() -> None:
    assert set(SAMPLED) < set(NAMES)
    assert len(NAMES) == 7


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES if proof_count(0, 1) else SAMPLED)
def test_a_wheel_alone_passes_its_own_tests(
    name: str, tmp_path: Path, programs: Path, root: Path
) -> None:
    wheels = [build(each, tmp_path / "dist", programs) for each in [name, *siblings(name)]]
    away = tmp_path / "away"
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(PACKAGES / name / "tests", away / "tests", ignore=ignored)
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(PACKAGES / name / file, away)

    env = Environment(name, tmp_path / "env", programs, root)
    env.install(wheels)  # first without its extras: it must not need them to be imported
    assert env.import_it(away).is_relative_to(env.folder)
    env.install(wheels, "--all-extras", "--group", "test")
    assert env.import_it(away).is_relative_to(env.folder)

    layer = [] if proof_count(0, 1) else ["-m", "not integration and not proof"]
    said = run(
        [env.python, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", *layer],
        away,
        PATH=f"{env.python.parent}:/usr/local/bin:/usr/bin:/bin",
        HOME=str(tmp_path / "home"),
        CI="true",  # hypothesis: no deadline, and the same examples every time
        # Its proofs stay sampled: what is tried here is the wheel; the checkout proves the counts.
        SYMPHONY_REQUIRE=os.environ.get("SYMPHONY_REQUIRE", ""),
    )
    assert re.search(r"\b[1-9]\d* passed", said.splitlines()[-1]), said


@pytest.mark.integration
@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_carries_its_types_its_licence_and_nothing_else(
    name: str, tmp_path: Path, programs: Path
) -> None:
    module = name.replace("-", "_")
    with ZipFile(build(name, tmp_path, programs)) as wheel:
        files = set(wheel.namelist())
    assert f"{module}/py.typed" in files
    assert any(file.endswith(".dist-info/licenses/LICENSE") for file in files)
    tops = {file.split("/", maxsplit=1)[0] for file in files}
    assert tops == {module, f"{module}-0.1.0.dist-info"}
