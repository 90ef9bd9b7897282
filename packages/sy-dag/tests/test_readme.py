"""The README is true: its code runs, its melody reads, the tests it names are there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from sy_dag import RunState, Workflow

HERE = Path(__file__).parent
README = (HERE.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_code_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec", dont_inherit=True), names)
    assert capsys.readouterr().out == "completed 6\n"
    result = asyncio.run(names["nightly"](tmp_path))
    assert result.state is RunState.COMPLETED
    assert (tmp_path / "nightly-42" / "journal").exists()


def test_the_melody_reads() -> None:
    [melody] = blocks("toml")
    assert Workflow.from_toml(melody).order() == ["files", "outline", "brief"]


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", README))
    written = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    assert named
    assert {name for name in named if f"def {name}(" not in written} == set()
