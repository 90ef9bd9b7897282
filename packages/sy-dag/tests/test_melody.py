"""Melodies: the TOML of people, and errors that lead to the line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sy_dag import (
    Engine,
    MelodySyntax,
    MelodyUnreadable,
    Node,
    OnError,
    Ref,
    Workflow,
    WorkflowInvalid,
)
from sy_dag._graph._places import lines
from sy_dag.cli import main

MELODY = """\
[melody]
name = "repo-brief"
version = "1.0.0"
[inputs.path]
type = "path"
[nodes.files]
operator = "fs.glob"
with = { root = "$inputs.path", pattern = "**/*.py", price = "$$5" }
[nodes.outline]
operator = "python.outline"
map = { file = "$files.paths" }
on_error = { retries = 3, backoff = "exponential", then = "skip" }
[nodes.brief]
instrument = "summarizer"
with = { text = "$outline.ok", more = [{ all = "$outline.all" }] }
on_error = { fallback = "short_brief" }
timeout_s = 30
after = ["files"]
[nodes.short_brief]
operator = "text.join"
with = { parts = "$outline.ok" }
only = "fallback"
[outputs.brief]
value = "$brief.text"
artifact = "brief.md"
"""


def test_a_melody_is_the_workflow_it_says() -> None:
    wf = Workflow.from_toml(MELODY)
    assert (wf.name, wf.version) == ("repo-brief", "1.0.0")
    assert wf.nodes["files"] == Node(
        "files",
        "operator",
        "fs.glob",
        arguments={"root": Ref("inputs", ("path",)), "pattern": "**/*.py", "price": "$5"},
    )
    assert wf.nodes["outline"].map == {"file": Ref("files", ("paths",))}
    assert wf.nodes["outline"].on_error == OnError(3, "exponential", "skip")
    assert wf.nodes["brief"] == Node(
        "brief",
        "instrument",
        "summarizer",
        arguments={"text": Ref("outline", ("ok",)), "more": [{"all": Ref("outline", ("all",))}]},
        on_error=OnError(fallback="short_brief"),
        timeout_s=30,
        after=("files",),
    )
    assert wf.nodes["short_brief"].only_fallback
    assert wf.outputs["brief"].artifact == "brief.md"
    assert wf.order() == ["files", "outline", "brief", "short_brief"]


def told(text: str) -> list[str]:
    with pytest.raises(WorkflowInvalid) as caught:
        Workflow.from_toml(text, source="m.toml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("$files.paths", "$fils.paths", 11, "did you mean 'files'?"),
        ("retries = 3", "retires = 3", 12, "unknown key 'retires'; did you mean 'retries'?"),
        ("retries = 3", "retries = -3", 12, "node outline: retries=-3 is no count"),
        ("retries = 3", 'retries = "3"', 12, "node outline: retries is a whole number"),
        ("$inputs.path", "$inputs.pth", 8, "did you mean 'path'?"),
        ("$inputs.path", "$secret.KEY", 8, "secrets are not available"),
        ("$inputs.path", "$ 5", 8, "or $$ for a dollar sign itself"),
        ('operator = "text.join"', "", 19, "nothing says what runs"),
        ('type = "path"', 'type = "pth"', 5, "did you mean 'path'?"),
        ("[outputs.brief]", "[output.brief]", 23, "did you mean 'outputs'?"),
        ('then = "skip"', 'then = "ship"', 12, "did you mean 'skip'?"),
        ('only = "fallback"', 'only = "never"', 22, "only = 'never' is unknown"),
        ("timeout_s = 30", "timeout_s = 0", 17, "seconds, more than 0"),
        ('after = ["files"]', 'after = ["filse"]', 18, "did you mean 'files'?"),
        ('fallback = "short_brief"', 'fallback = "short"', 16, "did you mean 'short_brief'?"),
        ("[nodes.files]", "[nodes.inputs]", 6, "$inputs means something else"),
        ("$brief.text", "$breif.text", 24, "did you mean 'brief'?"),
        ('name = "repo-brief"', "", 1, "the melody has no name"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_the_mend(
    old: str, new: str, line: int, words: str
) -> None:
    assert MELODY.count(old) >= 1
    found = told(MELODY.replace(old, new, 1))
    assert any(p.startswith(f"m.toml:{line}: ") and words in p for p in found), found


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines() -> None:
    text = (
        MELODY.replace("$files.paths", "$fils")
        .replace("$brief.text", "$x")
        .replace("retries", "retires")
    )
    assert [problem.split(":")[1] for problem in told(text)] == ["11", "12", "24"]


def test_a_cycle_is_told_with_the_way_round() -> None:
    text = MELODY.replace("$inputs.path", "$brief.text")
    assert any("brief -> files -> brief" in problem for problem in told(text)), told(text)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("[melody\n", 1, 8), ('[melody]\nname = "x\n', 2, 10), ("a = 1\na = 2\n", 2, 6)],
)
def test_what_is_not_toml_is_told_with_line_and_column(text: str, line: int, column: int) -> None:
    with pytest.raises(MelodySyntax) as caught:
        Workflow.from_toml(text, source="m.toml")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("m.toml", line, column)
    assert str(caught.value).startswith(f"m.toml:{line}:{column}: ")


def test_runners_are_complained_of_with_their_line() -> None:
    engine = Engine(operators={"fs.globe": len, "text.join": lambda parts: parts})
    with pytest.raises(WorkflowInvalid) as caught:
        engine.validate(Workflow.from_toml(MELODY, source="m.toml"))
    text = str(caught.value)
    assert "m.toml:7: node files: there is no operator fs.glob; did you mean 'fs.globe'?" in text
    assert "m.toml:14: node brief: there is no instrument summarizer; there is none" in text


@pytest.mark.parametrize("content", [None, b"\xff\xfe[melody]"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MelodyUnreadable, match=r"m\.toml"):
        Workflow.load(path)
    with pytest.raises(MelodyUnreadable):
        Workflow.load(tmp_path)


@settings(deadline=None)
@given(st.text(alphabet="[]{}=\".'#\n\\ab1,$ ", max_size=60))
def test_the_line_finder_ends_on_anything(text: str) -> None:
    lines(text)


KEYS = st.text(alphabet="ab._-\"' é", min_size=1, max_size=4)
VALUES = st.recursive(
    st.integers() | st.text(alphabet="a\"'\\\n#[]{}=,", max_size=6) | st.booleans(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(KEYS, part, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.data())
def test_every_key_is_found_on_its_line(document: dict[str, object], data: st.DataObject) -> None:
    text, expected, line = "", {}, 1
    for key, value in document.items():
        blank = data.draw(st.sampled_from(["", "# [x] = 1\n", "\n"]))
        text += blank
        line += blank.count("\n")
        expected[key,] = line
        written = f"{quoted(key)} = {toml(value)}\n"
        text += written
        line += written.count("\n")
    assert tomllib.loads(text) == document
    found = lines(text)
    assert {path: number for path, number in found.items() if len(path) == 1} == expected


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return str(value)


def test_the_commands_answer_and_fail_as_commands_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text(MELODY)
    bad.write_text(MELODY.replace("$files", "$fils"))
    assert main(["check", str(good)]) == 0
    assert main(["show", str(good)]) == 0
    assert main(["show", "--mermaid", str(good)]) == 0
    shown = capsys.readouterr().out
    assert "outline              operator python.outline (for each item)  after files" in shown
    assert "flowchart TD" in shown
    assert main(["check", str(bad)]) == 2
    assert "did you mean 'files'?" in capsys.readouterr().err
    assert main(["check", "--runners", str(good)]) == 2
    assert main(["check", str(tmp_path / "none.toml")]) == 2
