import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import sy_commons
from sy_commons import DuckInProduction, Secret, SymphonyError, duck  # noqa: TID251 - under test
from sy_commons._duck import COMMAND, find_ducks
from sy_commons.cli import run_program


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("SYMPHONY_ENV", raising=False)

    def read() -> list[str]:
        lines = capsys.readouterr().err.splitlines()
        assert all(line.startswith("[DUCK DEBUGGING] test_duck.py:") for line in lines)
        return [line.split(" ", 3)[3] for line in lines]

    return read


def line_of_caller() -> int:
    return sys._getframe(1).f_lineno


def test_it_shows_place_expression_and_value_and_returns_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    price, count = 10.5, 4

    total, line = duck(price * count), line_of_caller()

    assert total == 42.0
    assert capsys.readouterr().err == (
        f"[DUCK DEBUGGING] test_duck.py:{line} price * count = 42.0\n"
    )


def test_the_expression_is_exact_wherever_the_call_stands(told: Any) -> None:
    word = "größe"
    things = [1, 2]

    assert duck(len(things)) == 2, "inside an assert that pytest rewrites"
    assert [duck(n  +  1) for n in things] == [2, 3]  # fmt: skip
    duck(
        things * 1  # a comment in between
        + things
    )
    print("größe", duck(word), sy_commons.duck(word.upper()))  # noqa: TID251 - what it shows is what is tried
    duck(duck(things[0]) + 1)
    duck(value=things)
    duck(word + ")(")
    f"{duck(things)!r}"

    assert told() == [
        "len(things) = 2",
        "n  +  1 = 2",
        "n  +  1 = 3",
        "things * 1 + things = [1, 2, 1, 2]",
        "word = 'größe'",
        "word.upper() = 'GRÖSSE'",
        "things[0] = 1",
        "duck(things[0]) + 1 = 2",
        "things = [1, 2]",
        "word + \")(\" = 'größe)('",
        "things = [1, 2]",
    ]


def test_a_multi_line_call_is_told_at_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = line_of_caller() + 1
    duck(
        1
        + 1
    )  # fmt: skip

    assert f"test_duck.py:{line} 1 + 1 = 2" in capsys.readouterr().err


def test_without_a_source_the_value_still_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert eval(compile("duck(1 + 1)", "<nowhere>", "eval"), {"duck": duck}) == 2
    assert capsys.readouterr().err == "[DUCK DEBUGGING] <nowhere>:1 ? = 2\n"


def test_nothing_it_looks_at_breaks_it(told: Any) -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    broken = Broken()
    many = "x" * 100_000

    assert duck(broken) is broken
    assert duck(many) is many
    assert len("".join(told())) < 17_000


def test_secrets_do_not_show(told: Any) -> None:
    api_key, box = "canary", {"password": "canary"}

    duck(api_key)
    duck(box)
    duck(Secret("canary"))

    assert "canary" not in " ".join(told()).replace('Secret("canary")', "")


def test_it_refuses_in_production(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYMPHONY_ENV", " Production")

    with pytest.raises(DuckInProduction, match=r"at test_duck\.py:\d+") as caught:
        duck("anything")
    assert "sy duck --check" in caught.value.hint
    assert capsys.readouterr().err == ""


def test_lines_of_several_threads_do_not_mix(told: Any) -> None:
    threads = [threading.Thread(target=lambda: [duck("ab") for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told() == ["\"ab\" = 'ab'"] * 200


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("from sy_commons import duck\nprint(duck(1))\nf = duck\n", [2, 3]),
        ("from sy_commons import duck as d\n[d(x) for x in y]\n", [2]),
        ("import sy_commons\nsy_commons.duck(1)\n", [2]),
        ("import sy_commons as sc\nif x:\n  y = (\n    sc.duck(1))\n", [4]),
        ("import sy_commons.cli\nsy_commons.duck(1)\n", [2]),
        ("from sy_commons import *\nduck(1)\n", [2]),
        ("from sy_commons._duck import duck\nduck(1)", [2]),
        ("from sy_commons import duck\n", []),
        ("from sy_commons import SymphonyError\n# duck(1)\n'duck(1)'\n", []),
        ("from zoo import duck\nduck(1)\n", []),
        ("import zoo\nzoo.duck(1)\n", []),
        ("def duck(x): return x\nduck(1)\n", []),
        ("print 'duck'\n", [1]),
        ("print 'swan'\n", []),
        ("", []),
    ],
)
def test_every_duck_of_ours_is_found_and_no_other(source: str, lines: list[int]) -> None:
    assert [found.line for found in find_ducks(source.encode(), file="x.py")] == lines


def test_other_encodings_are_read() -> None:
    source = "# coding: latin-1\nfrom sy_commons import duck\nduck('ö')\n".encode("latin-1")

    assert [found.line for found in find_ducks(source, file="x.py")] == [3]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    ducks = "from sy_commons import duck\nduck(1)\n"
    files = {
        "clean.py": "x = 1\n",
        "pkg/shop.py": ducks,
        "pkg/notes.txt": ducks,
        ".hidden/a.py": ducks,
        "env/pyvenv.cfg": "",
        "env/b.py": ducks,
        "node_modules/c.py": ducks,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_check_lists_every_one_and_fails(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("sy", {"duck": COMMAND}, ["duck", "--check", str(tree)]) == 1

    shop = tree / "pkg" / "shop.py"
    assert capsys.readouterr().out.splitlines() == [
        f"{shop}:2:1: duck(1)",
    ]


def test_the_check_speaks_json(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program("sy", {"duck": COMMAND}, ["duck", "--check", "--json", str(tree)]) == 1

    answer = json.loads(capsys.readouterr().out)
    assert answer["files"] == 2
    assert [found["line"] for found in answer["found"]] == [2]


def test_a_clean_tree_passes_and_a_missing_one_is_a_wrong_call(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program("sy", {"duck": COMMAND}, ["duck", "--check", str(tree / "clean.py")]) == 0
    assert run_program("sy", {"duck": COMMAND}, ["duck", "--check", str(tree / "gone")]) == 2
    assert run_program("sy", {"duck": COMMAND}, ["duck"]) == 2
    assert "sy duck --check" in capsys.readouterr().err


def test_no_duck_ships_in_this_package() -> None:
    source = Path(sy_commons.__file__).parent

    assert [found for path in source.rglob("*.py") for found in find_ducks(
        path.read_bytes(), file=str(path))] == []  # fmt: skip


@pytest.mark.integration
def test_it_works_in_a_script(tmp_path: Path) -> None:
    script = tmp_path / "shop.py"
    script.write_text("from sy_commons import duck\nx = duck(6 *\n  7)\nprint(x)\n")
    environment = {name: v for name, v in os.environ.items() if name != "SYMPHONY_ENV"}

    run = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env=environment
    )

    assert (run.stdout, run.stderr) == ("42\n", "[DUCK DEBUGGING] shop.py:2 6 * 7 = 42\n")


def test_the_errors_are_ours() -> None:
    assert issubclass(DuckInProduction, SymphonyError)
