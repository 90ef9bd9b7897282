import ast
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[1]
COMMANDS = ("setup", "lock", "sy", "test", "check", "bench")


@pytest.mark.parametrize("file", [*COMMANDS, "house/launch.py"])
def test_what_an_old_python_reads_it_can_parse(file: str) -> None:
    ast.parse((TOOLS / file).read_text(), feature_version=(3, 4))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_executable(command: str) -> None:
    assert (TOOLS / command).stat().st_mode & 0o111


@pytest.mark.integration
@pytest.mark.parametrize("command", ["setup", "lock", "test", "check", "bench"])
def test_help_needs_no_environment_and_a_bare_python(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-E", TOOLS / command, "--help"],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"usage: tools/{command}" in done.stdout


STEP_ASIDE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
sys.version_info = (3, 6, 9, "final", 0)
from house.launch import launch
launch("environment")
"""


@pytest.mark.integration
def test_an_old_python_steps_aside_for_a_newer_one(tmp_path: Path) -> None:
    newer = tmp_path / "python3.12"
    newer.write_text('#!/bin/sh\necho "newer python with $2"\n')
    newer.chmod(0o755)
    command = [sys.executable, "-c", STEP_ASIDE, TOOLS, "--help"]
    found = subprocess.run(
        command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert found.stdout == "newer python with --help\n"
    alone = subprocess.run(
        command, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False
    )
    assert alone.returncode == 1
    assert alone.stderr.startswith("tools: Python 3.11 or newer is needed, and python3 is 3.6.9")
