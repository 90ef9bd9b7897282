"""The README is true: its examples run, its links lead somewhere, its commands are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from scenes import ROOT, variables

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = dict(
    re.findall(r"^### (sy-\w+)[^\n]*\n[^#]*?```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
)
PRINTED = {
    "sy-commons": "shelf A is full at 9 books | take one out first | 9",
    "sy-dag": "[2, 1]",
    "sy-artifacts": "b'# Brief\\n' ['a.py']",
    "sy-pool": "LEASED",
    "sy-ipc": "3",
    "sy-extensions": "2",
    "sy-bridge": "# sy-dag",
}


@pytest.mark.integration
@pytest.mark.parametrize("name", sorted(PRINTED))
def test_the_example_of_each_package_prints_what_it_should(name: str, tmp_path: Path) -> None:
    for folder in ("melodies", "packages"):
        (tmp_path / folder).symlink_to(ROOT / folder)

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLES[name]],
        cwd=tmp_path,
        env=variables(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(PRINTED[name])


def test_every_package_has_an_example_and_a_readme_of_its_own() -> None:
    folders = sorted(folder.name for folder in (ROOT / "packages").iterdir())

    assert sorted(EXAMPLES) == folders == sorted(PRINTED)
    short = [
        name
        for name in folders
        if "```python" not in (ROOT / "packages" / name / "README.md").read_text(encoding="utf-8")
    ]
    assert short == []


def test_every_file_it_names_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGE)
    tools = re.findall(r"\./(tools/\w+)", PAGE)

    assert [name for name in [*links, *tools] if not (ROOT / name).exists()] == []
