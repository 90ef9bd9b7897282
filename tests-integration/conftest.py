"""What the scenarios share: the checkout, a copy of it, and its programs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from scenes import ROOT, Sy, command, variables


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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with nothing in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def sy(home: Path) -> Sy:
    """Run ``sy`` to its end; *status* is the exit status it must have."""

    def run(
        *words: object, status: int = 0, at: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command(*words),
            cwd=ROOT,
            env=variables(at or home),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, (
            f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small source tree with a README, two packages and their tests."""
    files = {
        "README.md": "# Shop\n\nSells books to readers by post.\n\n## Till\n\nCounts the money.\n",
        "shop/__init__.py": '"""Sells books to readers."""\n',
        "shop/till.py": '"""Counts the money of every sale."""\n\n\ndef count(): ...\n',
        "shop/_stock.py": "class Stock:\n    '''Knows which books are on the shelf.'''\n",
        "post/__init__.py": '"""Sends parcels round the world."""\nfrom shop import till\n',
        "post/silent.py": "weight = 3\n",
        "tests/test_till.py": "def test_count(): ...\n",
    }
    folder = tmp_path / "tree"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
