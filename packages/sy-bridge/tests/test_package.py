"""The package as a whole: its names, its errors, its examples."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sy_bridge
from sy_bridge.cli import main, parse_inputs
from sy_commons import SymphonyError

README = Path(__file__).parents[1] / "README.md"


def test_the_table_the_list_and_the_type_checkers_imports_agree() -> None:
    tree = ast.parse(Path(sy_bridge.__file__).read_text(encoding="utf-8"))
    imported = {
        alias.name: str(node.module).removeprefix("sy_bridge.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("sy_bridge.")
        for alias in node.names
    }

    assert imported == sy_bridge._ROOMS
    assert sorted(sy_bridge._ROOMS) == sy_bridge.__all__ == dir(sy_bridge)
    assert [name for name in sy_bridge.__all__ if not getattr(sy_bridge, name).__doc__] == []
    with pytest.raises(AttributeError, match="nothing"):
        sy_bridge.nothing  # noqa: B018 - the look-up itself is what is tried


def test_importing_it_loads_none_of_the_others() -> None:
    program = "import sys, sy_bridge; print([m for m in sys.modules if m.startswith('sy_')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "['sy_bridge']"


@pytest.mark.integration
def test_the_examples_of_the_readme_run(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    variables = {**os.environ, "SYMPHONY_HOME": str(tmp_path / "home")}
    for block in blocks:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", block],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Counts the money of every sale." in done.stdout


@pytest.mark.parametrize("given", ["path", "=x", "", " =x"])
def test_an_input_that_is_no_pair_is_refused(given: str) -> None:
    with pytest.raises(SymphonyError, match="NAME=VALUE"):
        parse_inputs([given])


def test_an_input_given_twice_is_refused() -> None:
    with pytest.raises(SymphonyError, match="'a' was given before"):
        parse_inputs(["a=1", "a=2"])


@pytest.mark.parametrize("option", ["--home", "-o"])
def test_a_folder_that_is_a_file_is_refused_before_anything_runs(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    words = ["run", "repo-brief", "--input", f"path={tmp_path}", option, str(file / "below")]
    monkeypatch.setattr("sys.argv", ["sy-bridge", *words])
    monkeypatch.setenv("SYMPHONY_HOME", str(tmp_path / "home"))

    assert main() == 2
    assert f"{file} is no folder" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_the_program_tells_what_it_can(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["sy-bridge"])
    main()

    said = "".join(capsys.readouterr())
    assert all(word in said for word in ("run", "runs", "resume"))
