"""Keep uv.lock free of any index's address, so that it serves behind every mirror."""

from __future__ import annotations

import argparse
import re
import sys

from house.installer import SetupFailed, find_uv, run_uv
from house.places import LOCK


def main(arguments: list[str]) -> int:
    """Run ``tools/lock``."""
    parser = argparse.ArgumentParser(
        prog="tools/lock",
        description="Resolve the dependencies into an index-free uv.lock. Pins that still "
        "satisfy every pyproject.toml stay as they are.",
    )
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    parser.add_argument(
        "--upgrade-package", metavar="NAME", action="append", default=[], help="take its newest"
    )
    options = parser.parse_args(arguments)
    words = ["--upgrade"] if options.upgrade else []
    words += [word for name in options.upgrade_package for word in ("--upgrade-package", name)]
    before = LOCK.read_text(encoding="utf-8")
    try:
        run_uv(find_uv(), ["lock", *words])
    except SetupFailed as error:
        LOCK.write_text(before, encoding="utf-8")
        print(f"tools/lock: {error}", file=sys.stderr)
        return 1
    after = index_free(LOCK.read_text(encoding="utf-8"))
    LOCK.write_text(after, encoding="utf-8")
    said = "is as it was" if after == before else "was brought up to date"
    print(f"tools/lock: uv.lock {said}", file=sys.stderr)
    return 0


def index_free(lock: str) -> str:
    """Return *lock* with every registry named "index" and every file by its bare name.

    >>> index_free('source = { registry = "https://mirror.example/simple" }')
    'source = { registry = "index" }'
    >>> index_free('{ url = "https://mirror.example/ab/attrs-1.whl", hash = "sha256:0" }')
    '{ path = "attrs-1.whl", hash = "sha256:0" }'
    """
    lock = re.sub(r'registry = "[^"]*"', 'registry = "index"', lock)
    return re.sub(r'url = "[^"]*/([^"/]+)"', r'path = "\1"', lock)


def addresses(lock: str) -> list[str]:
    r"""Return the lines of *lock* that name an address, numbered.

    >>> addresses('version = 1\nurl = "https://mirror.example/a.whl"')
    ['2: url = "https://mirror.example/a.whl"']
    """
    return [f"{n}: {line}" for n, line in enumerate(lock.splitlines(), 1) if "://" in line]
