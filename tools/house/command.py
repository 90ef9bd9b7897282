"""Be ``sy`` inside the environment: ``tools/sy ARGS`` is ``sy ARGS``."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from house.environment import ensure, inside
from house.installer import SetupFailed


def main(arguments: list[str]) -> NoReturn:
    """Run ``tools/sy``: bring the environment up if need be, then become ``sy``."""
    try:
        venv = ensure()
    except SetupFailed as error:
        sys.exit(f"tools/sy: {error}")
    # Commands that sy prints must be ones the user can type here: it is told how it was called.
    variables = {**inside(venv), "SYMPHONY_COMMAND": sys.argv[0]}
    program = str(venv / "bin" / "sy")
    os.execve(program, [program, *arguments], variables)  # noqa: S606 - no shell is the point
