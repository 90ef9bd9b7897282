from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sy_commons.cli import main as sy
from sy_extensions.cli import main

SHOUT = '''
from sy_extensions import Operator

class Shout(Operator):
    """Makes a text loud.

    As loud as marks.
    """
    async def process(self, text: str, *, marks: int = 1) -> str:
        return text.upper() + "!" * marks
'''
GOOD = 'id = "acme.x"\nversion = "1.0.0"\ntype = "operator"\nentry_point = "m:C"\n'

Install = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


def test_list_shows_each_extension_and_the_broken_ones_too(
    install: Install, capsys: Capture
) -> None:
    install("acme-loud", {"acme.loud": "cli_loud:Shout", "acme.gone": "cli_gone:X"}, cli_loud=SHOUT)
    assert sy(["ext", "list"]) == 0
    lines = {
        line.split()[0]: line.split(maxsplit=4) for line in capsys.readouterr().out.splitlines()
    }
    assert lines["ID"][:4] == ["ID", "TYPE", "VERSION", "DISTRIBUTION"]
    assert lines["acme.loud"] == [
        "acme.loud",
        "operator",
        "1.0.0",
        "acme-loud",
        "Makes a text loud.",
    ]
    assert lines["acme.gone"][1:4] == ["broken", "1.0.0", "acme-loud"]


def test_list_as_json(install: Install, capsys: Capture) -> None:
    install("acme-loud", {"acme.loud": "cli_json:Shout"}, cli_json=SHOUT)
    assert main(["list", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["acme.loud"] == {
        "id": "acme.loud",
        "version": "1.0.0",
        "distribution": "acme-loud",
        "type": "operator",
        "summary": "Makes a text loud.",
    }


def test_describe_shows_the_parameters(install: Install, capsys: Capture) -> None:
    install("acme-loud", {"acme.loud": "cli_describe:Shout"}, cli_describe=SHOUT)
    assert main(["describe", "acme.loud"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("acme.loud 1.0.0 (operator, from acme-loud)\n\nMakes a text loud.\n")
    assert out.endswith("\nprocess(text: str, marks: int = 1) -> str\n")
    assert main(["describe", "acme.loud", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"][0]["name"] == "text"


def test_describe_of_an_unknown_id_is_wrong_usage(install: Install, capsys: Capture) -> None:
    install("acme-loud", {"acme.loud": "m:X"})
    assert main(["describe", "acme.luod"]) == 2
    assert "did you mean 'acme.loud'?" in capsys.readouterr().err


def test_check_tells_every_problem_of_every_manifest(tmp_path: Path, capsys: Capture) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad.toml"
    good.mkdir()
    (good / "extension.toml").write_text(GOOD)
    bad.write_text(GOOD.replace("1.0.0", "1.0").replace('"operator"', '"x"'))
    assert main(["check", str(good)]) == 0
    assert capsys.readouterr().out == f"{good}: acme.x 1.0.0\n"
    assert main(["check", str(good), str(bad)]) == 2
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{good}: acme.x 1.0.0"
    assert out[1].startswith(f"{bad}:2: version: ")
    assert out[2].startswith(f"{bad}:3: type: ")
    assert main(["check", "--json", str(bad)]) == 2
    (result,) = json.loads(capsys.readouterr().out)
    assert len(result["problems"]) == 2


def test_two_claims_on_one_id_are_one_clear_message(install: Install, capsys: Capture) -> None:
    install("acme-one", {"acme.same": "m:A"})
    install("acme-two", {"acme.same": "n:B"})
    assert main(["list"]) == 1
    assert "claimed by acme-one (m:A) and acme-two (n:B)" in capsys.readouterr().err


def test_without_a_command_the_usage_is_shown(capsys: Capture) -> None:
    assert sy(["ext"]) == 2
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "COMMAND" in captured.err + captured.out
