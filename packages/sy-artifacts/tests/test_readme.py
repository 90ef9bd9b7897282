import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def test_the_readmes_programs_run_and_print_what_they_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    for program in programs:
        exec(compile(program, str(README), "exec"), {"__name__": "readme"})
    out = capsys.readouterr().out
    assert len(programs) == 2
    assert "brief.md@1  by summarizer@1.2\n└─ notes.md@1\nnotes.md@1\n" in out
    assert out.endswith("b'7'\n")


def test_the_readme_names_tests_that_exist() -> None:
    tests = {file.name: file.read_text() for file in Path(__file__).parent.glob("test_*.py")}
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?…?`", README.read_text())
    assert named
    for file, test in named:
        assert f"def {test or 'test_'}" in tests[file] or file == "test_model.py"
