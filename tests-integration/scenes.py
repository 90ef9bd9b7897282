"""Programs of this checkout, run as a user runs them: other processes, a home of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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
