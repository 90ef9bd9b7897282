from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import pytest

from sy_artifacts import ArtifactStore
from sy_artifacts.cli import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYMPHONY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SYMPHONY_COMMAND", raising=False)
    return tmp_path / "home"


@pytest.fixture
def full(home: Path) -> Path:
    """The user's own store, with a brief and what it was made of."""
    path = home / "artifacts"
    with ArtifactStore.open(path) as store:
        store.put(b"Play the first note.", name="src/a.py", tags={"source"})
        store.put(b"Other.", name="src/b.py")
        store.put(b"old", name="brief.md")
        store.put(
            b"# Brief\xff\0", name="brief.md", derived_from=["src/a.py", "src/b.py"], made_by="m@1"
        )
    return path


def test_ls_lists_names_by_prefix_and_tag(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "--recursive"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[4] for line in out.splitlines()] == [
        "brief.md@2",
        "src/a.py@1",
        "src/b.py@1",
    ]
    assert main(["ls", "src/", "--tag", "source"]) == 0
    assert "#source" in capsys.readouterr().out
    assert main(["ls", "src/", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["src/a.py", "src/b.py"]


def test_get_writes_the_bytes_alone(
    full: Path, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    assert main(["get", "brief.md"]) == 0
    assert capfdbinary.readouterr() == (b"# Brief\xff\0", b"")
    assert main(["get", "brief.md@1", "-o", str(tmp_path / "out")]) == 0
    assert capfdbinary.readouterr() == (b"", b"")
    assert (tmp_path / "out").read_bytes() == b"old"


def test_get_as_json_tells_the_artifact_and_its_text(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["get", "src/a.py", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["text"]) == ("src/a.py", "Play the first note.")


def test_put_stores_a_file_and_tells_how_to_get_it(
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "brief.md"
    file.write_text("hello")
    monkeypatch.setenv("SYMPHONY_COMMAND", "./tools/sy")
    assert main(["put", str(file), "--name", "a b.md", "--tag", "t", "--made-by", "me@1"]) == 0
    out = capsys.readouterr().out
    assert out == "a b.md@1  5 B\nget it: ./tools/sy artifacts get 'a b.md'\n"
    with ArtifactStore.open(home / "artifacts", create=False) as store:
        artifact = store.stat("a b.md")
        assert (artifact.tags, artifact.made_by) == ({"t"}, "me@1")


def test_put_reads_standard_input_and_notes_the_sources(
    full: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped\xff")))
    words = ["put", "-", "--from", "src/a.py", "--from", "src/b.py", "--type", "x/y", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["content_type"] == "x/y"
    with ArtifactStore.open(full) as store:
        assert [a.ref for a in store.lineage(told["digest"]).sources] == [
            "src/a.py@1",
            "src/b.py@1",
        ]
        assert store.get(told["digest"]) == b"piped\xff"


def test_log_lists_the_versions_the_newest_first(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", "brief.md"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["brief.md@2" in lines[0], "brief.md@1" in lines[1]] == [True, True]
    assert main(["log", "brief.md", "--json"]) == 0
    assert [one["version"] for one in json.loads(capsys.readouterr().out)] == [1, 2]


def test_lineage_draws_the_tree_and_finds_where_a_text_comes_from(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lineage", "brief.md"]) == 0
    assert capsys.readouterr().out == "brief.md@2  by m@1\n├─ src/a.py@1\n└─ src/b.py@1\n"
    assert main(["lineage", "brief.md", "--find", "the first note"]) == 0
    assert capsys.readouterr().out == "brief.md@2  by m@1\n└─ src/a.py@1\n"
    assert main(["lineage", "brief.md", "--find", "nowhere said"]) == 0
    assert "no ancestor" in capsys.readouterr().out
    assert main(["lineage", "src/b.py", "--descendants"]) == 0
    assert capsys.readouterr().out == "src/b.py@1\n└─ brief.md@2  by m@1\n"
    assert main(["lineage", "brief.md", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sources"] == ["src/a.py@1", "src/b.py@1"]
    assert main(["lineage", "brief.md", "--find", "Other", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["src/b.py"]


def test_check_tells_damage_and_how_to_heal_it(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out.startswith("sound: 4 versions")
    with ArtifactStore.open(full) as store, store._core.database.transaction():
        store._core.database.execute("UPDATE contents SET data = CAST('older' AS BLOB)")
    assert main(["check", "--scrub"]) == 1
    out = capsys.readouterr().out
    assert "repair: sy artifacts put FILE --store" in out
    assert "src/a.py@1" in out
    assert main(["check", "--scrub", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_stats_tells_how_much_there_is(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats"]) == 0
    assert "3 names, 4 versions, 4 different contents" in capsys.readouterr().out
    assert main(["stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(full)


@pytest.mark.parametrize(
    "words", [["ls"], ["get", "a"], ["log", "a"], ["lineage", "a"], ["check"], ["stats"]]
)
def test_looking_makes_no_store(
    words: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    err = capsys.readouterr().err
    assert f"there is no artifact store at {home / 'artifacts'}" in err
    assert "hint: " in err
    assert not home.exists()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["get", "nope"], 2, "no artifact nope"),
        (["get", "brief.md@9"], 2, "versions 1 to 2"),
        (["get", "../x"], 2, "no artifact's name"),
        (["log", "../x"], 2, "cannot name"),
        (["put", "/nowhere/at/all"], 2, "/nowhere/at/all"),
        (["put", "/"], 2, "/"),
        (["put", "/dev/null", "--name", "a@b"], 2, "cannot name"),
        (["get", "brief.md", "-o", "/nowhere/at/all"], 1, "could not be written"),
        (["ls", "--store", "/dev/null"], 2, "/dev/null"),
        ([], 2, ""),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_bad_input_is_one_clear_message(
    full: Path, words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == status
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_the_store_can_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "other store")
    file = tmp_path / "f"
    file.write_bytes(b"x")
    assert main(["put", str(file), "--name", "f", "--store", store]) == 0
    assert f"--store '{store}'" in capsys.readouterr().out
    assert main(["ls", "--store", store]) == 0
    assert "f@1" in capsys.readouterr().out


def test_a_listing_shows_folders_as_one_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ArtifactStore.open(tmp_path / "s") as store:
        for name in ("brief.md", "run/a", "run/deep/b", "run/deep/c", "runner"):
            store.put(name.encode(), name=name)

    def listed(*words: str) -> list[str]:
        main(["ls", *words, "--store", str(tmp_path / "s")])
        return [re.sub(r".* B  ", "", line) for line in capsys.readouterr().out.splitlines()]

    assert listed() == ["brief.md@1", "run/  3 artifacts", "runner@1"]
    assert listed("run/") == ["run/a@1", "run/deep/  2 artifacts"]
    assert len(listed("-r")) == 5


def test_a_name_that_is_not_there_suggests_one_of_its_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ArtifactStore.open(tmp_path / "s") as store:
        store.put(b"x", name="run/brief.md")

    assert main(["get", "run/breif.md", "--store", str(tmp_path / "s")]) == 2
    assert "did you mean 'run/brief.md'?" in capsys.readouterr().err
    assert main(["get", "breif.md", "--store", str(tmp_path / "s")]) == 2
    assert "did you mean" not in capsys.readouterr().err
