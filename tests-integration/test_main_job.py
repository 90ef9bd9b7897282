"""The main job from the outside: a brief of a tree, where it came from, and what can go wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from scenes import MELODY, ROOT, Sy

from sy_artifacts import ArtifactStore

pytestmark = pytest.mark.integration

TOLD = re.compile(
    r"^(?:- )?(?:\[`[^`]+`\]\((?P<module>[^)#]+)#L\d+\): )?(?:`\w+`: )?(?P<text>.+?)"
    r"(?: \(\[[^\]]+:\d+\]\((?P<place>[^)#]+)#L\d+\)\))?$"
)


def brief_of(sy: Sy, folder: Path, at: Path | None = None) -> str:
    sy("run", MELODY, "--input", f"path={folder}", at=at)
    return sy("artifacts", "get", "brief.md", at=at).stdout


def told(brief: str) -> Iterator[tuple[str, str]]:
    """Yield every sentence that the brief takes from a file, with that file's path."""
    for line in brief.splitlines():
        found = TOLD.match(line)
        if found and (found["module"] or found["place"]):
            yield found["text"], found["module"] or found["place"]


def test_the_brief_says_what_the_tree_and_each_module_is_for(sy: Sy, tree: Path) -> None:
    brief = brief_of(sy, tree)

    assert brief.startswith("# Shop\n")
    assert "- Sells books to readers by post. ([README.md:3](README.md#L3))" in brief
    assert "[`shop.till`](shop/till.py#L1): Counts the money of every sale." in brief
    assert (
        "[`shop._stock`](shop/_stock.py#L2): `Stock`: Knows which books are on the shelf." in brief
    )
    assert "[`post.silent`](post/silent.py) defines `weight`." in brief
    assert "`tests` (1)" in brief


def test_two_runs_give_the_same_bytes(sy: Sy, tree: Path, tmp_path: Path) -> None:
    """No time, run id or absolute path is in the brief: homes and run ids differ here."""
    homes = [tmp_path / "one", tmp_path / "two"]
    for folder in homes:
        folder.mkdir()

    first, second = (brief_of(sy, tree, at) for at in homes)

    assert first == second
    assert str(tmp_path) not in first


def test_every_sentence_traces_to_the_file_it_came_from(sy: Sy, tree: Path, home: Path) -> None:
    brief = brief_of(sy, tree)
    sentences = list(told(brief))
    assert len(sentences) >= 6
    with ArtifactStore.open(home / "symphony" / "artifacts") as store:
        for text, path in sentences:
            holding = store.lineage("brief.md").containing(text.rstrip("."))
            sources = {
                found.name.removeprefix("repo-brief/").partition("/")[2]
                for artifact in holding
                for found in store.lineage(artifact.ref).ancestors
                if found.name
                and found.name.startswith(("repo-brief/read/", "repo-brief/read_pages/"))
            }
            assert path in sources, (text, path, sources)


@pytest.mark.parametrize("name", ["rich", "hypothesis"])
def test_a_package_somebody_else_wrote_is_told_module_by_module(sy: Sy, name: str) -> None:
    """At least nine in ten of its top-level modules are named."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent

    brief = brief_of(sy, folder)

    modules = {
        entry.name.removesuffix(".py")
        for entry in folder.iterdir()
        if entry.suffix == ".py" or (entry / "__init__.py").is_file()
    } - {"__init__"}
    named = {module for module in modules if f"`{name}.{module}`" in brief}
    assert len(named) >= 0.9 * len(modules), sorted(modules - named)
    assert brief.startswith(f"# {name}\n")


def test_this_repository_is_told_by_its_packages(sy: Sy) -> None:
    brief = brief_of(sy, ROOT)

    packages = [folder.name.replace("-", "_") for folder in (ROOT / "packages").iterdir()]
    assert brief.startswith("# Symphony for Python\n")
    assert [name for name in packages if f"### {name}" not in brief] == []


def test_the_end_says_where_things_are_in_commands_that_work(sy: Sy, tree: Path) -> None:
    said = sy("run", MELODY, "--input", f"path={tree}").stdout

    file = Path(next(line for line in said.splitlines() if line.startswith("  file")).split()[1])
    assert file.read_text(encoding="utf-8").startswith("# Shop")
    commands = re.findall(r"sy (artifacts|runs)(.*)$", said, re.MULTILINE)
    assert len(commands) == 3
    for word, rest in commands:
        assert sy(word, *rest.split()).stdout


def test_json_is_one_object_a_line_and_nothing_else(sy: Sy, tree: Path) -> None:
    done = sy("run", MELODY, "--input", f"path={tree}", "--json")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["kind"] for event in events]
    assert kinds[0] == "run.started"
    assert kinds[-2:] == ["run.completed", "performance"]
    assert done.stderr == ""
    [run] = json.loads(sy("runs", "--json").stdout)
    assert (run["run_id"], run["state"]) == (events[-1]["run_id"], "completed")


def test_a_melody_that_comes_along_is_found_by_name(sy: Sy, tree: Path) -> None:
    """The wheel carries the same Melodies as the checkout."""
    carried = ROOT / "packages" / "sy-bridge" / "src" / "sy_bridge" / "melodies"

    assert (carried / MELODY.name).read_bytes() == MELODY.read_bytes()
    assert sy("run", "repo-brief", "--input", f"path={tree}").stdout


class TestBadInput:
    """Each gets one clear message and a hint, no traceback, and what had finished is kept."""

    def fails(self, sy: Sy, *words: object, status: int) -> str:
        said = sy(*words, status=status).stderr
        assert "Traceback" not in said
        assert "hint: " in said
        return said

    def test_a_folder_that_is_missing(self, sy: Sy, tmp_path: Path) -> None:
        said = self.fails(sy, "run", MELODY, "--input", f"path={tmp_path}/gone", status=2)

        assert f"{tmp_path}/gone" in said

    def test_a_folder_that_is_empty(self, sy: Sy, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()

        said = self.fails(sy, "run", MELODY, "--input", f"path={tmp_path}/empty", status=1)

        assert "**/*.py" in said
        assert "resume" in said

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((MELODY,), "path"),
            ((MELODY, "--input", "paht=."), "path"),
            ((MELODY, "--input", "path"), "NAME=VALUE"),
            (("melodies/repo-breif.toml", "--input", "path=."), "repo-brief"),
            (("run-brief",), "repo-brief"),
        ],
    )
    def test_a_call_that_is_wrong(self, sy: Sy, words: tuple[object, ...], said: str) -> None:
        assert said in self.fails(sy, "run", *words, status=2)

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('root = "$inputs.path", pattern = "**/*.py"', "root = ", "bad.toml:1"),
            ('operator = "python.outline"', 'operator = "python.outlien"', "python.outline"),
            ('operator = "python.outline"', 'instrument = "python.outline"', "operator"),
            ('parts = ["$overview"]', 'parts = ["$brief"]', "short_brief"),
            ("sentences = 2 }", 'sentences = "two" }', "gist"),
            ("sentences = 2 }", "sentenses = 2 }", "sentences"),
            ("$outline.ok", "$outlien.ok", "outline"),
            ('type = "path"', 'type = "pth"', "path"),
            ("[nodes.pages]", "[nodes.sources]", "bad.toml"),
            ('artifact = "brief.md"', 'artifact = "../brief.md"', "'../brief.md'"),
        ],
    )
    def test_a_melody_that_is_wrong(
        self, sy: Sy, tree: Path, tmp_path: Path, old: str, new: str, said: str
    ) -> None:
        bad = tmp_path / "bad.toml"
        text = MELODY.read_text(encoding="utf-8")
        assert old in text
        bad.write_text(text.replace(old, new), encoding="utf-8")

        told = self.fails(sy, "run", bad, "--input", f"path={tree}", status=2)

        assert said in told
        assert "bad.toml" in told

    def test_a_cycle_is_shown(self, sy: Sy, tmp_path: Path) -> None:
        bad = tmp_path / "bad.toml"
        bad.write_text(
            '[melody]\nname = "round"\n'
            '[nodes.a]\noperator = "text.join"\nwith = { parts = ["$b"] }\n'
            '[nodes.b]\noperator = "text.join"\nwith = { parts = ["$a"] }\n'
        )

        said = self.fails(sy, "run", bad, status=2)

        assert "a -> b -> a" in said or "b -> a -> b" in said

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("binary.py", b"\x7fELF\0\0\0", "binary"),
            ("latin.py", "caf\xe9 = 1\n".encode("latin-1"), "utf-8"),
            ("two.py", b"print 'two'\n", "two.py:1"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_told_and_left_out(
        self, sy: Sy, tree: Path, name: str, content: bytes, said: str
    ) -> None:
        (tree / "shop" / name).write_bytes(content)

        told = self.fails(sy, "run", MELODY, "--input", f"path={tree}", status=1)

        assert said in told
        assert f"shop/{name}" in told
        brief = sy("artifacts", "get", "brief.md").stdout
        assert "Counts the money of every sale." in brief
        assert f"- `shop/{name}`" in brief
        assert sy("run", MELODY, "--input", f"path={tree}", "--skipped-ok")

    def test_a_file_of_200_mb_is_refused_unread(self, sy: Sy, tree: Path) -> None:
        with (tree / "shop" / "huge.py").open("wb") as file:
            file.truncate(200_000_000)

        told = self.fails(sy, "run", MELODY, "--input", f"path={tree}", status=1)

        assert "huge.py" in told
        assert "too large" in told

    def test_what_is_no_file_does_not_hang(self, sy: Sy, tree: Path) -> None:
        os.mkfifo(tree / "shop" / "pipe.py")
        (tree / "shop" / "loose.py").symlink_to("nowhere.py")

        told = self.fails(sy, "run", MELODY, "--input", f"path={tree}", status=1)

        assert "pipe.py" in told
        assert "loose.py" in told

    def test_an_unknown_run_and_an_unknown_artifact(self, sy: Sy, tree: Path) -> None:
        self.fails(sy, "resume", "last", status=2)
        brief_of(sy, tree)
        assert "brief.md" in self.fails(sy, "artifacts", "get", "breif.md", status=2)
        assert "nothing" in self.fails(sy, "resume", "nothing", status=2)

    def test_an_output_whose_node_was_skipped_is_missing_and_said_so(
        self, sy: Sy, tree: Path, tmp_path: Path
    ) -> None:
        odd = tmp_path / "odd.toml"
        text = MELODY.read_text(encoding="utf-8").replace("$outline.ok", "$outline.okk")
        odd.write_text(text, encoding="utf-8")

        done = sy("run", odd, "--input", f"path={tree}", status=1)

        assert "Traceback" not in done.stderr
        assert "brief" in done.stderr
