"""Programs of this checkout, run as a user runs them: other processes, a home of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MELODY = ROOT / "melodies" / "repo-brief.toml"

Sy = Callable[..., subprocess.CompletedProcess[str]]


def variables(home: Path) -> dict[str, str]:
    """Almost nothing, and a home that is this test's own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(home), "SYMPHONY_HOME": str(home / "symphony")}


def command(*words: object) -> list[str]:
    """``sy WORDS``, the one beside the interpreter that runs the tests."""
    return [str(Path(sys.executable).parent / "sy"), *map(str, words)]


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
