from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sy_artifacts import ArtifactStore
from sy_artifacts._lineage import Step, draw, holds, walk


@pytest.fixture
def store() -> Iterator[ArtifactStore]:
    with ArtifactStore.memory() as opened:
        yield opened


@pytest.fixture
def brief(store: ArtifactStore) -> ArtifactStore:
    """Two files, read, outlined and joined to a brief."""
    a = store.put(b"def play():\n    '''Play the\n    first note.'''\n", name="src/a.py")
    b = store.put(b"# Conductors wave.\n", name="src/b.py")
    outline = store.put(b"[play]", derived_from=[a], made_by="outline@1", parameters={"deep": 2})
    store.put(b"notes", name="notes.md", derived_from=[outline.digest, b])
    store.put(b"# Brief", name="brief.md", derived_from=["notes.md", a.ref], made_by="join@2")
    return store


def test_ancestors_are_all_it_was_derived_from_the_nearest_first(brief: ArtifactStore) -> None:
    lineage = brief.lineage("brief.md")
    refs = [artifact.ref for artifact in lineage.ancestors]
    outline = brief.put(b"[play]").digest
    assert refs == ["notes.md@1", "src/a.py@1", outline, "src/b.py@1"]
    assert [artifact.ref for artifact in lineage.sources] == ["src/a.py@1", "src/b.py@1"]
    assert lineage.descendants == ()
    assert repr(lineage) == "<Lineage of brief.md@1>"


def test_descendants_are_all_that_would_change_with_it(brief: ArtifactStore) -> None:
    refs = [artifact.ref for artifact in brief.lineage("src/a.py").descendants]
    assert refs[1:] == ["brief.md@1", "notes.md@1"]
    by_digest = brief.lineage(brief.stat("src/b.py").digest).descendants
    assert [artifact.ref for artifact in by_digest] == ["notes.md@1", "brief.md@1"]


def test_the_tree_shows_every_way_and_each_subtree_once(brief: ArtifactStore) -> None:
    outline = brief.put(b"[play]").digest[:19]
    assert brief.lineage("brief.md").tree() == "\n".join(
        [
            "brief.md@1  by join@2",
            "├─ notes.md@1",
            f"│  ├─ {outline}  text/plain  by outline@1",
            "│  │  └─ src/a.py@1",
            "│  └─ src/b.py@1",
            "└─ src/a.py@1",
        ]
    )
    assert brief.lineage("src/b.py").tree(descendants=True) == (
        "src/b.py@1\n└─ notes.md@1\n   └─ brief.md@1  by join@2"
    )


def test_a_sentence_leads_back_to_the_source_that_has_it(brief: ArtifactStore) -> None:
    lineage = brief.lineage("brief.md")
    assert [artifact.ref for artifact in lineage.containing("Play the first note")] == [
        "src/a.py@1"
    ]
    assert lineage.containing("no such sentence") == ()
    assert lineage.containing("...") == ()
    assert lineage.tree(containing="Conductors wave").splitlines()[1:] == [
        "└─ notes.md@1",
        "   └─ src/b.py@1",
    ]


def test_the_lineage_is_data_for_json(brief: ArtifactStore) -> None:
    told = json.loads(json.dumps(brief.lineage("brief.md").to_dict()))
    assert told["artifact"]["name"] == "brief.md"
    outline = brief.put(b"[play]").digest
    assert told["sources"] == ["src/a.py@1", "src/b.py@1"]
    assert {
        "from": "src/a.py@1",
        "to": outline,
        "made_by": "outline@1",
        "parameters": {"deep": 2},
    } in told["edges"]
    assert len(told["edges"]) == 5
    assert [artifact["digest"] for artifact in told["artifacts"]] == [
        brief.stat(ref).digest
        for ref in sorted(["brief.md@1", "notes.md@1", outline, "src/a.py@1", "src/b.py@1"])
    ]


def test_equal_bytes_under_other_names_keep_their_own_sources(store: ArtifactStore) -> None:
    """Two empty files are one blob and still two files, where they are given by name."""
    for name in ("a", "b"):
        store.put(b"", name=f"{name}.py")
        store.put(b"[]", name=f"{name}.json", derived_from=[f"{name}.py"])
    assert [a.ref for a in store.lineage("a.json").ancestors] == ["a.py@1"]
    assert [a.ref for a in store.lineage("b.py").descendants] == ["b.json@1"]
    by_digest = store.lineage(store.stat("a.json").digest)
    assert {a.ref for a in by_digest.ancestors} == {"a.py@1", "b.py@1"}


def test_a_version_keeps_its_sources_when_the_name_moves_on(store: ArtifactStore) -> None:
    store.put(b"1", name="src")
    store.put(b"a", name="out", derived_from=["src"])
    store.put(b"2", name="src")
    store.put(b"b", name="out", derived_from=["src"])
    assert [a.ref for a in store.lineage("out@1").ancestors] == ["src@1"]
    assert [a.ref for a in store.lineage("out").ancestors] == ["src@2"]


def test_the_same_bytes_made_again_of_something_else_have_both_sources(
    store: ArtifactStore,
) -> None:
    for name in ("a", "b"):
        store.put(name.encode(), name=name)
        store.put(b"same", name="out", derived_from=[name], made_by="m@1")
        store.put(b"same", name="out", derived_from=[name], made_by="m@1")
    assert [a.ref for a in store.lineage("out").ancestors] == ["a@1", "b@1"]
    assert len(store.lineage("out").to_dict()["edges"]) == 2


def test_bytes_that_come_back_make_a_circle_and_no_endless_walk(store: ArtifactStore) -> None:
    first = store.put(b"a").digest
    second = store.put(b"b", derived_from=[first]).digest
    store.put(b"a", derived_from=[second])
    lineage = store.lineage(first)
    assert [a.digest for a in lineage.ancestors] == [second]
    assert "as above" in lineage.tree()


def test_a_chain_deeper_than_the_interpreters_stack_is_walked_and_drawn(
    store: ArtifactStore,
) -> None:
    with store.batch():
        previous: list[str] = []
        for number in range(1_050):
            previous = [store.put(b"%d" % number, derived_from=previous).digest]
    lineage = store.lineage(previous[0])
    assert len(lineage.ancestors) == 1_049
    assert len(lineage.tree().splitlines()) == 1_050


graphs = st.integers(1, 12).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, size - 1), max_size=4), min_size=size, max_size=size
    )
)


@given(graph=graphs)
def test_a_walk_finds_what_can_be_reached_once_each(graph: list[list[int]]) -> None:
    walked = walk(0, lambda node: [Step(step) for step in graph[node]])
    reached: set[int] = set()
    waiting = list(graph[0])
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting += graph[node]
    assert set(walked.nodes) == reached - {0}
    assert len(walked.nodes) == len(set(walked.nodes))
    lines = draw(walked, str).splitlines()
    assert {line.split()[-1] for line in lines if "above" not in line} == {
        str(node) for node in reached | {0}
    }


@given(graph=graphs, targets=st.sets(st.integers(0, 11)))
def test_the_ways_are_the_nodes_from_which_a_target_is_reached(
    graph: list[list[int]], targets: set[int]
) -> None:
    def reach(start: int) -> set[int]:
        return {start, *walk(start, lambda node: [Step(step) for step in graph[node]]).nodes}

    walked = walk(0, lambda node: [Step(step) for step in graph[node]])
    present = targets & {0, *walked.nodes}
    expected = {node for node in (0, *walked.nodes) if reach(node) & present}
    assert walked.ways(present) == expected


@pytest.mark.parametrize(
    ("content", "text", "held"),
    [
        (b"'''Opens SQLite\n    safely, always.'''", "Opens SQLite safely, always.", True),
        (b"# One thing\n# after another", "One thing after another", True),
        (rb'{"doc": "One thing\nafter\tanother"}', "One thing after another", True),
        (rb'{"doc": "\nOne thing"}', "One thing", True),
        (b"- **One** `thing`", "One thing", True),
        (b"Someone things", "one thing", False),
        (b"one thing", "One thing", False),
        (b"one other thing", "one thing", False),
        (b"caf\xe9 \xff one thing", "one thing", True),
        ("naïve Bäume".encode(), "naïve Bäume", True),
        (b"anything", "...", False),
        (b"a.b+c", "a.b+c", True),
    ],
)
def test_a_text_is_held_by_its_words_in_order(content: bytes, text: str, held: bool) -> None:
    assert holds(content, text) is held
