"""What the scenarios share: the checkout, a copy of it, and its programs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def programs() -> Path:
    """Return the folder of the environment's programs: uv, hatchling, ruff."""
    return Path(sys.executable).parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of the checkout as it stands, committed or not, with no environment in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    copy = tmp_path / "checkout"
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # listed and deleted, it is not there to copy
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    return copy
