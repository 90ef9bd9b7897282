import re
from pathlib import Path

import pytest

from sy_commons import silence_logging

README = Path(__file__).parent.parent / "README.md"


def test_the_readmes_program_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYMPHONY_ENV", raising=False)
    programs = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    try:
        for program in programs:
            exec(compile(program, str(README), "exec"), {"__name__": "readme"})
    finally:
        silence_logging()
    printed = capsys.readouterr().out.splitlines()

    promised = re.findall(r"  # (.+)$", "".join(programs), re.MULTILINE)
    assert len(programs) == 1
    assert [line for line in promised if line not in printed] == []


def test_the_readme_names_tests_that_exist() -> None:
    tests = {file.name: file.read_text() for file in Path(__file__).parent.glob("test_*.py")}
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?…?`", README.read_text())

    assert len(named) > 8
    for file, test in named:
        assert f"def {test or 'test_'}" in tests[file], (file, test)
