"""Where an artifact comes from and what became of it."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from sy_artifacts._artifact import Artifact
from sy_artifacts._index import Source, decode, load_blob, load_version
from sy_commons import Database, DatabaseCorrupt

Node = TypeVar("Node", bound=Hashable)


@attrs.frozen
class Step(Generic[Node]):
    """One step of a walk: the node it leads to, and who made the one of the other."""

    node: Node
    made_by: str = ""
    parameters: str = "{}"


@attrs.frozen
class Walk(Generic[Node]):
    """Everything that can be reached from a node, the nearest first, and by which steps."""

    root: Node
    nodes: tuple[Node, ...]
    steps: Mapping[Node, tuple[Step[Node], ...]]

    def ends(self) -> list[Node]:
        """Return the nodes from which no step leads on."""
        return [node for node in self.nodes if not self.steps[node]]

    def ways(self, targets: Collection[Node]) -> set[Node]:
        """Return the nodes that lie on a way from the root to one of *targets*."""
        back: dict[Node, list[Node]] = {}
        for node, steps in self.steps.items():
            for step in steps:
                back.setdefault(step.node, []).append(node)
        found, waiting = set(targets), deque(targets)
        while waiting:
            for node in back.get(waiting.popleft(), ()):
                if node not in found:
                    found.add(node)
                    waiting.append(node)
        return found


def walk(root: Node, expand: Callable[[Node], Sequence[Step[Node]]]) -> Walk[Node]:
    """Follow every step from *root*, breadth first; a node that comes again is not followed again.

    >>> walk("c", {"c": [Step("b"), Step("a")], "b": [Step("a")], "a": []}.__getitem__).nodes
    ('b', 'a')
    """
    steps: dict[Node, tuple[Step[Node], ...]] = {}
    seen, waiting = {root: None}, deque([root])
    while waiting:
        node = waiting.popleft()
        steps[node] = tuple(expand(node))
        for step in steps[node]:
            if step.node not in seen:
                seen[step.node] = None
                waiting.append(step.node)
    return Walk(root, tuple(seen)[1:], steps)


def draw(
    walked: Walk[Node],
    label: Callable[[Node], str],
    *,
    only: Collection[Node] | None = None,
) -> str:
    """Return a walk as an indented tree; what comes again is drawn once and then named only.

    >>> graph = {"c": [Step("b"), Step("a")], "b": [Step("a")], "a": []}
    >>> print(draw(walk("c", graph.__getitem__), str))
    c
    ├─ b
    │  └─ a
    └─ a
    """
    lines = [label(walked.root)]
    drawn = {walked.root}
    # An explicit stack: a chain of thousands of versions is no deeper than the interpreter's.
    stack = _branches(walked, walked.root, "", only)
    while stack:
        step, indent, last = stack.pop()
        again = step.node in drawn and bool(walked.steps[step.node])
        branch = f"{indent}{'└─' if last else '├─'} {label(step.node)}"
        lines.append(f"{branch}  …as above" if again else branch)
        if not again:
            drawn.add(step.node)
            stack += _branches(walked, step.node, indent + ("   " if last else "│  "), only)
    return "\n".join(lines)


def _branches(
    walked: Walk[Node], node: Node, indent: str, only: Collection[Node] | None
) -> list[tuple[Step[Node], str, bool]]:
    unique = {step.node: step for step in walked.steps[node]}
    kept = [step for step in unique.values() if only is None or step.node in only]
    branches = [(step, indent, step is kept[-1]) for step in kept]
    return branches[::-1]


def holds(content: bytes, text: str) -> bool:
    r"""Whether *content* has the words of *text* in this order, with nothing but marks between.

    Line ends, indentation, comment marks and Markdown's signs do not count, so that a sentence
    is found where it was wrapped; large and small letters do.

    >>> holds(b"# One type for\n#   all errors.", "One type for all errors")
    True
    """
    words = re.findall(r"\w+", text)
    if not words:
        return False
    between = r"(?:\\[nrt]|\W|_)+"  # JSON writes a line end as backslash and n
    pattern = rf"(?:(?<!\w)|(?<=\\[nrt])){between.join(map(re.escape, words))}(?!\w)"
    return re.search(pattern, content.decode("utf-8", "replace")) is not None


class Lineage:
    """What one artifact was derived from, and what was derived from it.

    Ancestors and descendants are looked up when first asked for, and then stay as they were.
    A source that was given by name and version is that version; one given by digest stands
    for all that have these bytes.

    >>> from sy_artifacts import ArtifactStore
    >>> store = ArtifactStore.memory()
    >>> for name, sources in {"a.py": [], "a.json": ["a.py"], "brief.md": ["a.json"]}.items():
    ...     _ = store.put(f"about {name}".encode(), name=name, derived_from=sources)
    >>> lineage = store.lineage("brief.md")
    >>> [artifact.ref for artifact in lineage.ancestors]
    ['a.json@1', 'a.py@1']
    >>> [artifact.ref for artifact in lineage.containing("about a.py")]
    ['a.py@1']
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        root: Source,
        database: Database,
        read: Callable[[Artifact], bytes],
    ) -> None:
        self.artifact = artifact
        self._root = root
        self._database = database
        self._read = read
        self._walks: dict[bool, Walk[Source]] = {}
        self._artifacts: dict[Source, Artifact] = {root: artifact}

    def load(self) -> Lineage:
        """Look up both directions now, and return this lineage."""
        for down in (False, True):
            self._load(self._walk(down=down).nodes)
        return self

    @property
    def ancestors(self) -> tuple[Artifact, ...]:
        """All that it was derived from, directly or not, the nearest first."""
        return self._load(self._walk(down=False).nodes)

    @property
    def descendants(self) -> tuple[Artifact, ...]:
        """All that was derived from it, directly or not, the nearest first."""
        return self._load(self._walk(down=True).nodes)

    @property
    def sources(self) -> tuple[Artifact, ...]:
        """The ancestors that were derived from nothing: where it all began."""
        return self._load(self._walk(down=False).ends())

    def containing(self, text: str) -> tuple[Artifact, ...]:
        """Return the ancestors whose content holds the words of *text*, the nearest first.

        Line ends, indentation and punctuation do not count; large and small letters do. Reads
        every ancestor, verified.
        """
        return tuple(self._artifacts[node] for node in self._containing(text))

    def tree(self, *, descendants: bool = False, containing: str | None = None) -> str:
        """Return a readable tree from the artifact to its sources, or to its *descendants*.

        With *containing*, only the ways to the ancestors whose content holds these words.
        """
        walked = self._walk(down=descendants)
        self._load(walked.nodes)
        only = None if containing is None else walked.ways(self._containing(containing))
        return draw(walked, self._label, only=only)

    def to_dict(self) -> dict[str, Any]:
        """Return both directions as data for JSON: artifacts, and edges between their refs."""
        nodes: dict[str, Artifact] = {}
        edges: dict[str, dict[str, Any]] = {}
        for down in (False, True):
            walked = self._walk(down=down)
            for one in (self.artifact, *self._load(walked.nodes)):
                nodes[one.ref] = one
            for edge in self._edges(walked, down=down):
                edges[json.dumps(edge, sort_keys=True)] = edge
        return {
            "artifact": self.artifact.to_dict(),
            "ancestors": [one.ref for one in self.ancestors],
            "descendants": [one.ref for one in self.descendants],
            "sources": [one.ref for one in self.sources],
            "artifacts": [nodes[ref].to_dict() for ref in sorted(nodes)],
            "edges": list(edges.values()),
        }

    def __repr__(self) -> str:
        return f"<Lineage of {self.artifact.ref}>"

    def _walk(self, *, down: bool) -> Walk[Source]:
        if down not in self._walks:
            expand = _products if down else _sources
            with self._database.snapshot():
                self._walks[down] = walk(self._root, lambda node: expand(self._database, node))
        return self._walks[down]

    def _load(self, nodes: Iterable[Source]) -> tuple[Artifact, ...]:
        return tuple(self._artifact(node) for node in nodes)

    def _artifact(self, node: Source) -> Artifact:
        if node not in self._artifacts:
            if node.version_id is not None:
                self._artifacts[node] = load_version(self._database, node.version_id)
            else:
                found = load_blob(self._database, node.blob_id)
                assert found is not None  # noqa: S101 - a relation's source has a version
                self._artifacts[node] = found
        return self._artifacts[node]

    def _containing(self, text: str) -> list[Source]:
        nodes = self._walk(down=False).nodes
        return [node for node in nodes if holds(self._read(self._artifact(node)), text)]

    def _edges(self, walked: Walk[Source], *, down: bool) -> Iterable[dict[str, Any]]:
        for node, steps in walked.steps.items():
            for step in steps:
                here, there = self._artifact(node).ref, self._artifact(step.node).ref
                yield {
                    "from": here if down else there,
                    "to": there if down else here,
                    "made_by": step.made_by or None,
                    "parameters": self._parameters(step),
                }

    def _parameters(self, step: Step[Source]) -> dict[str, Any]:
        try:
            return decode(step.parameters)
        except ValueError as error:
            reason = f"parameters that do not read: {error}"
            raise DatabaseCorrupt(path=str(self._database.path), reason=reason) from error

    def _label(self, node: Source) -> str:
        one = self._artifact(node)
        label = one.ref if one.name is not None else f"{one.digest[:19]}  {one.content_type}"
        return f"{label}  by {one.made_by}" if one.made_by is not None else label


_STEP = "p.made_by, p.parameters FROM productions p JOIN relations r ON r.production_id = p.id"


def _sources(database: Database, node: Source) -> list[Step[Source]]:
    if node.version_id is not None:
        condition, bindings = "p.version_id = ?", (node.version_id,)
    else:
        condition = "p.version_id IN (SELECT id FROM versions WHERE blob_id = ?)"
        bindings = (node.blob_id,)
    rows = database.execute(
        f"SELECT r.source_blob_id, r.source_version_id, {_STEP} WHERE {condition} ORDER BY r.rowid",
        bindings,
    )
    return [Step(Source(blob, version), *made) for blob, version, *made in rows]


def _products(database: Database, node: Source) -> list[Step[Source]]:
    if node.version_id is not None:
        condition = "ifnull(r.source_version_id, ?) = ?"
        bindings: tuple[int, ...] = (node.version_id, node.version_id)
    else:
        condition, bindings = "TRUE", ()
    rows = database.execute(
        f"SELECT v.blob_id, v.id, {_STEP} JOIN versions v ON v.id = p.version_id"
        f" WHERE r.source_blob_id = ? AND {condition} ORDER BY r.rowid",
        (node.blob_id, *bindings),
    )
    return [Step(Source(blob, version), *made) for blob, version, *made in rows]
