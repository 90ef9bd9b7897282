import subprocess
from pathlib import Path
from typing import Any

import pytest

from house import benching
from house.benching import benches
from house.places import ROOT


def test_the_benches_of_a_package_are_its_bench_files(workspace: Any) -> None:
    package = workspace.package("sy-dag")
    for name in ("bench_b", "bench_a", "graphs"):
        workspace.write(f"packages/sy-dag/benches/{name}.py", "")
    assert [Path(file).name for file in benches(package)] == ["bench_a.py", "bench_b.py"]


def test_a_package_without_benches_says_so(
    workspace: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = workspace.package("sy-dag")
    monkeypatch.setattr(benching, "select", lambda names: [package])
    assert benching.main(["dag"]) == 0
    assert capsys.readouterr().out == "tools/bench: no bench yet in sy-dag\n"


def test_the_peers_run_in_their_own_environment(
    workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is the bench environment's Python, and the options are passed on."""
    package = workspace.package("sy-dag")
    bench = workspace.write("packages/sy-dag/benches/bench_a.py", "")
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(benching, "select", lambda names: [package])
    monkeypatch.setattr(benching, "ensure", lambda venv: venv)
    monkeypatch.setattr(benching.subprocess, "run", run)
    assert benching.main(["dag", "--rounds", "3", "--only", "put", "--json", "--strict"]) == 1
    assert commands == [
        [
            *(str(ROOT / ".venv-bench" / "bin" / "python"), "-m", "house.rounds"),
            *("--rounds=3", "--only=put", "--json", "--strict", str(bench)),
        ]
    ]


@pytest.mark.parametrize("words", [["dga"], ["--rounds", "0"], ["--rounds", "x"]])
def test_what_cannot_be_meant_exits_with_2(words: list[str]) -> None:
    try:
        status: object = benching.main(words)
    except SystemExit as left:
        status = left.code
    assert status == 2
