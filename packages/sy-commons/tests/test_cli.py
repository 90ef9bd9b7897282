import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from sy_commons import Conflict, NotFound, SymphonyError, ValidationError, cli
from sy_commons.cli import Command, run_program


def command(run: Callable[[argparse.Namespace], int | None]) -> Command:
    return Command("Do it.", lambda parser: None, run)


def fail(error: BaseException) -> Command:
    def run(options: argparse.Namespace) -> int:
        raise error

    return command(run)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValidationError("v"), 2),
        (NotFound("n"), 2),
        (Conflict("c"), 1),
        (ValueError("v"), 1),
        (KeyboardInterrupt(), 130),
        (ExceptionGroup("two", [ValidationError("v"), NotFound("n")]), 2),
        (ExceptionGroup("two", [ValidationError("v"), Conflict("c")]), 1),
    ],
)
def test_whatever_is_raised_becomes_a_message_and_a_status(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("demo", {"go": fail(error)}, ["go"]) == status

    shown = capsys.readouterr()
    assert shown.err.startswith("demo: ")
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_debug_lets_the_traceback_through() -> None:
    with pytest.raises(ValueError, match="v"):
        run_program("demo", {"go": fail(ValueError("v"))}, ["go", "--debug"])


def test_json_gives_the_wire_form(capsys: pytest.CaptureFixture[str]) -> None:
    run_program("demo", {"go": fail(NotFound("é", hint="h"))}, ["go", "--json"])

    assert json.loads(capsys.readouterr().err)["error"]["hint"] == "h"


def test_a_message_carries_notes_and_hint_and_no_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = SymphonyError("no", hint="try")
    error.add_note("password=canary")
    run_program("demo", {"go": fail(error)}, ["go"])
    run_program("demo", {"go": fail(RuntimeError("token=canary"))}, ["go"])

    shown = capsys.readouterr().err
    assert shown.startswith("demo: no\n  note: password=***\n  hint: try\n")
    assert "canary" not in shown


def test_no_command_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program("demo", {"go": command(lambda options: None)}, []) == 2
    assert "Do it." in capsys.readouterr().out


def test_an_unknown_command_is_named_with_a_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_program("demo", {"artifacts": fail(ValueError())}, ["artefacts"]) == 2
    assert "did you mean 'artifacts'?" in capsys.readouterr().err


def test_a_wrong_option_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program("demo", {"go": command(lambda options: 0)}, ["go", "--nope"]) == 2
    assert "--nope" in capsys.readouterr().err


def test_a_command_gives_its_own_status() -> None:
    assert run_program("demo", {"go": command(lambda options: 7)}, ["go"]) == 7


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Install three commands: one that works, one that does not import, one that is none."""
    (tmp_path / "fine_cmd.py").write_text(
        "from sy_commons.cli import Command\n"
        "COMMAND = Command('Fine.', lambda parser: None, lambda options: print('fine'))\n"
    )
    (tmp_path / "broken_cmd.py").write_text("import not_installed_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint("fine", "fine_cmd:COMMAND", cli.GROUP),
        EntryPoint("broken", "broken_cmd:COMMAND", cli.GROUP),
        EntryPoint("odd", "json:loads", cli.GROUP),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    return tmp_path


def test_a_command_that_does_not_load_is_shown_with_the_reason(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--help"]) == 0

    help_text = " ".join(capsys.readouterr().out.split())
    assert "Fine." in help_text
    assert "No module named 'not_installed_anywhere'" in help_text
    assert "json:loads is no Command" in help_text


def test_running_a_command_that_does_not_load_says_why(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["broken", "some", "--json"]) == 1
    assert "not_installed_anywhere" in capsys.readouterr().err


def test_only_the_chosen_command_is_loaded(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (installed / "broken_cmd.py").write_text("raise SystemExit('was loaded')\n")

    assert cli.main(["fine"]) == 0
    assert capsys.readouterr().out == "fine\n"
    assert cli.main(["--version"]) == 0


def test_home_is_what_the_variable_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SYMPHONY_HOME", str(tmp_path))
    assert cli.home() == tmp_path
    monkeypatch.delenv("SYMPHONY_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert cli.home() == tmp_path / "symphony"


def test_the_command_line_is_what_the_launcher_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYMPHONY_COMMAND", raising=False)
    assert cli.command_line() == "sy"
    monkeypatch.setenv("SYMPHONY_COMMAND", "./tools/sy")
    assert cli.command_line() == "./tools/sy"


@pytest.mark.integration
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    program = (
        "from sy_commons.cli import Command, run_program\n"
        "def run(options):\n"
        "    for n in range(100_000): print('line', n)\n"
        "raise SystemExit(run_program('demo', {'go': Command('.', lambda p: None, run)}, ['go']))"
    )
    running: Any = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    running.stdout.readline()
    running.stdout.close()

    assert running.wait(10) == 0
    assert running.stderr.read() == b""
    running.stderr.close()
