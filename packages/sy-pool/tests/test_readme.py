from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
TESTS = Path(__file__).parent


def test_the_example_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(block, {"__name__": "readme"})
    said = [line.removeprefix("# ") for line in block.splitlines() if line.startswith("# ")]
    assert capsys.readouterr().out.splitlines() == said


def test_every_test_it_names_exists() -> None:
    for line in README.read_text().splitlines():
        file = ""
        for named, test in re.findall(r"`(test_\w+\.py|…)(?:::(\w+))?`", line):
            file = file if named == "…" else named
            assert not test or f"def {test}(" in (TESTS / file).read_text()
            assert (TESTS / file).is_file()
