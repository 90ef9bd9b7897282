"""What tests of Symphony packages, and of programs built on them, share."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str) -> str:
    """Return the path of a program a test needs; skip the test where it is missing.

    ``SYMPHONY_REQUIRE=strace,bwrap`` names the programs that must be there: for those a missing
    one fails the test, so that no proof is skipped unseen.
    """
    found = shutil.which(name)
    if found is not None:
        return found
    required = os.environ.get("SYMPHONY_REQUIRE", "").split(",")
    if name in (word.strip() for word in required):
        pytest.fail(f"{name} is missing, and SYMPHONY_REQUIRE names it", pytrace=False)
    pytest.skip(f"needs {name}, which is not installed")


def proof_count(sampled: int, full: int) -> int:
    """Return how many cases a proof tries: *full* under ``./tools/test --full``, else *sampled*."""
    return full if os.environ.get("SYMPHONY_FULL") else sampled
