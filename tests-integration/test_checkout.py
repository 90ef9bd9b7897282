"""What the tools make of a whole checkout: locked twice, spoilt on purpose, set up from nothing."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sy_commons.testing import proof_count

PACKAGES = sorted(
    path.parent.name
    for path in (Path(__file__).resolve().parents[1] / "packages").glob("*/pyproject.toml")
)


@pytest.mark.integration
def test_the_lock_names_no_address(root: Path) -> None:
    assert "://" not in (root / "uv.lock").read_text()


def relock(checkout: Path, programs: Path) -> str:
    """Run tools/lock in *checkout* and return the lock; skip where no index is in reach."""
    done = subprocess.run(
        [sys.executable, checkout / "tools" / "lock"],
        env={**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "needs a package index once" in done.stderr:
        pytest.skip("needs a package index, which is out of reach")
    assert done.returncode == 0, done.stderr
    return (checkout / "uv.lock").read_text()


@pytest.mark.integration
def test_locking_twice_changes_nothing(checkout: Path, programs: Path) -> None:
    before = (checkout / "uv.lock").read_text()
    assert relock(checkout, programs) == before
    assert relock(checkout, programs) == before


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_adding_a_dependency_keeps_every_pin(checkout: Path, programs: Path) -> None:
    before = (checkout / "uv.lock").read_text()
    manifest = checkout / "packages" / "sy-pool" / "pyproject.toml"
    text = manifest.read_text()
    manifest.write_text(text.replace("dependencies = [", 'dependencies = ["rich>=13",', 1))
    after = relock(checkout, programs)
    assert "://" not in after
    assert pins(after) == pins(before)
    assert '{ name = "rich", specifier = ">=13" }' in after
    assert relock(checkout, programs) == after


def pins(lock: str) -> list[Any]:
    """Return what a lock pins: each distribution's version, and its files with their hashes."""
    keys = ("name", "version", "sdist", "wheels")
    return [[entry.get(key) for key in keys] for entry in tomllib.loads(lock)["package"]]


CHECK = """
import sys
sys.path.insert(0, sys.argv[1])
from house.checking import Scope, check
from house.selection import select
sys.exit(check(Scope(select([sys.argv[2]]), whole=False), ["imports"]))
"""


def check_imports(checkout: Path, package: str) -> subprocess.CompletedProcess[str]:
    """Run the check of imports on a package of *checkout*, with the tools that are there."""
    return subprocess.run(
        [sys.executable, "-c", CHECK, checkout / "tools", package],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.integration
@pytest.mark.parametrize("package", PACKAGES)
def test_an_undeclared_but_used_import_fails_the_check_naming_both(
    checkout: Path, package: str
) -> None:
    """Pygments is installed, since another package's dependencies bring it: it would work here."""
    before = check_imports(checkout, package)
    assert before.returncode == 0, before.stdout
    module = package.replace("-", "_")
    spoilt = checkout / "packages" / package / "src" / module / "_spoilt.py"
    spoilt.write_text('"""Paint."""\n\nimport pygments\n\nprint(pygments.__version__)\n')
    after = check_imports(checkout, package)
    assert after.returncode == 1
    assert f"{package}: {module}._spoilt:3: imports pygments" in after.stdout


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_a_fresh_clone_sets_itself_up_under_an_almost_empty_environment(
    checkout: Path, tmp_path: Path
) -> None:
    """With an empty home, nothing cached, and no uv: everything comes through Python's own pip."""
    if not proof_count(0, 1):
        pytest.skip("sampled: ./tools/test --full sets a fresh clone up")
    home = tmp_path / "home"
    home.mkdir()
    path = f"{Path(sys.base_prefix) / 'bin'}{os.pathsep}{os.defpath}"
    done = subprocess.run(
        [checkout / "tools" / "check", "--only", "imports,lock"],
        env={"PATH": path, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 checks passed" in done.stdout
    again = subprocess.run(
        [checkout / "tools" / "setup"],
        env={"PATH": path, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert "bringing up" not in again.stderr
