"""The workflow: nodes by name, what it asks for, what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import attrs

from sy_dag._errors import Listing, NodeUnknown, Problem, WorkflowInvalid, nearest
from sy_dag._graph import _check, _codec, _draw, _inputs, _melody, _order, _trace
from sy_dag._graph._node import REQUIRED, Input, Node, Output
from sy_dag._graph._ref import INPUTS, Ref, parse_text


class Workflow:
    """A directed acyclic graph of nodes, recorded, read from a melody, or built.

    Not safe to edit from several threads; safe to run from many once it is whole.

    >>> from sy_dag import task
    >>> @task
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> with Workflow("doubling") as wf:
    ...     twice = double(wf.input("number", int))
    ...     wf.output("result", double(twice))
    >>> wf.order()
    ['double', 'double-2']
    """

    def __init__(self, name: str, *, version: str = "0", description: str = "") -> None:
        self.name = name
        self.version = version
        self.description = description
        self._nodes: dict[str, Node] = {}
        self._inputs: dict[str, Input] = {}
        self._outputs: dict[str, Output] = {}
        self._shape: _order.Shape | None = None
        self._counts: dict[str, int] = {}
        self._place: Callable[[tuple[str, ...]], str] | None = None
        self.revision = 0

    def __enter__(self) -> Self:
        _trace.enter(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _trace.leave(self)

    def add(self, node: Node) -> Ref[Any]:
        """Add *node* and return the reference to what it gives.

        Raises ``WorkflowInvalid`` where its name is taken or cannot be one.
        """
        problem = _check.name_problem(node.name, self._nodes)
        if problem is not None:
            self._refuse(problem)
        self._nodes[node.name] = node
        self._changed()
        return Ref(node.name, owner=self)

    def connect(self, source: str, target: str) -> None:
        """Give what *source* ("node" or "node.part") names to *target* ("node.argument").

        >>> wf = Workflow("two")
        >>> _ = wf.add(Node("a", "operator", "x")), wf.add(Node("b", "operator", "y"))
        >>> wf.connect("a.text", "b.text")
        >>> wf.node("b").arguments
        {'text': Ref('$a.text')}
        """
        ref = parse_text("$" + source)
        name, _, argument = target.partition(".")
        node = self.node(name)
        if not argument or not isinstance(ref, Ref):
            raise ValueError(f"connect takes 'node.part' and 'node.argument', not {target!r}")
        self._nodes[name] = attrs.evolve(node, arguments={**node.arguments, argument: ref})
        self._changed()

    def input(
        self,
        name: str,
        type: object = "any",  # noqa: A002 - the word that the melody uses
        *,
        default: Any = REQUIRED,
        description: str = "",
    ) -> Ref[Any]:
        """Declare an input and return the reference to it; without *default* it must be given."""
        kind = _inputs.type_name(type)
        declaration = Input(name, kind, default, description)
        problem = _check.input_problem(declaration, self._inputs)
        if problem is not None:
            self._refuse(problem)
        self._inputs[name] = declaration
        self.revision += 1
        return Ref(INPUTS, (name,))

    def output(self, name: str, value: Any, *, artifact: str | None = None) -> None:
        """Declare what the workflow gives under *name*: a reference, or data that holds some."""
        if name in self._outputs:
            self._refuse(
                Problem("dag.duplicate", f"output {name!r} is there twice", "rename one of them")
            )
        self._outputs[name] = Output(name, value, artifact)
        self.revision += 1

    def rename(self, old: str, new: str) -> None:
        """Give node *old* the name *new*, as long as nothing refers to it yet."""
        node = self.node(old)
        problem = _check.name_problem(new, self._nodes)
        users = [name for name, other in self._nodes.items() if old in _order.needs(other)]
        if problem is None and users:
            problem = Problem(
                "dag.renamed_late",
                f"{old} is already used by {users[0]}",
                "name a node right where it is recorded",
                nodes=(old,),
            )
        if problem is not None:
            self._refuse(problem)
        renamed = attrs.evolve(node, name=new)
        self._nodes = {
            new if name == old else name: renamed if name == old else other
            for name, other in self._nodes.items()
        }
        self._changed()

    def fresh_name(self, wanted: str) -> str:
        """Return *wanted*, or the first of ``wanted-2``, ``wanted-3``, … that is not taken."""
        if wanted not in self._nodes:
            return wanted
        count = self._counts.get(wanted, 1) + 1
        while f"{wanted}-{count}" in self._nodes:
            count += 1
        self._counts[wanted] = count
        return f"{wanted}-{count}"

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name, in the order they were added."""
        return MappingProxyType(self._nodes)

    @property
    def inputs(self) -> Mapping[str, Input]:
        """What the workflow asks for."""
        return MappingProxyType(self._inputs)

    @property
    def outputs(self) -> Mapping[str, Output]:
        """What the workflow gives."""
        return MappingProxyType(self._outputs)

    def node(self, name: str) -> Node:
        """Return the node called *name*; raise ``NodeUnknown`` with a nearest."""
        try:
            return self._nodes[name]
        except KeyError:
            mend = nearest(name, self._nodes)
            raise NodeUnknown(workflow=self.name, node=name, mend=mend) from None

    @property
    def shape(self) -> _order.Shape:
        """The graph as numbers, made once for each state of the workflow."""
        if self._shape is None:
            self._shape = _order.shape(self._nodes)
        return self._shape

    def order(self) -> list[str]:
        """Return the nodes in the order one worker would take them: the same in every process.

        Among ready nodes: user priority, then upward rank, then name. Raises ``WorkflowInvalid``
        where there is a cycle.
        """
        if self.shape.cycle:
            self._refuse(_check.cycle_problem(self.shape.cycle), cycle=self.shape.cycle)
        return _order.topological(self.shape)

    def dependencies(self, name: str, *, transitive: bool = False) -> list[str]:
        """Return the nodes that *name* waits for; all the way up with ``transitive=True``."""
        self.node(name)
        graph = self.shape
        direct = graph.waits[graph.index[name]]
        found = _order.reachable(direct, graph.waits) if transitive else sorted(direct)
        return [graph.names[i] for i in found]

    def validate(self) -> None:
        """Return if the workflow can run; else raise ``WorkflowInvalid`` with every problem."""
        problems = _check.problems(self)
        if problems:
            raise WorkflowInvalid(
                source=self.source, problems=Listing(problems), cycle=self.shape.cycle
            )

    def check_inputs(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs converted to their types, defaults filled in.

        Text is read as the declared type says, as a command line gives it. Raises
        ``InputsInvalid`` with every problem at once.
        """
        return _inputs.check_inputs(self.name, self._inputs, given)

    @property
    def source(self) -> str:
        """How errors call this workflow: its file, or its name."""
        return (self.place(()) if self._place else "") or f"workflow {self.name}"

    def place(self, path: tuple[str, ...]) -> str:
        """Return ``file:line`` of a part of the melody this was read from, else ""."""
        return self._place(path) if self._place else ""

    @classmethod
    def from_toml(cls, text: str, *, source: str = "melody.toml") -> Workflow:
        """Return the workflow that a melody describes.

        Raises ``MelodySyntax``, or ``WorkflowInvalid`` with every problem's file, line and node.
        """
        return _melody.read(cls, text, source)

    @classmethod
    def load(cls, path: str | Path) -> Workflow:
        """Return the workflow of the melody in the file at *path*; errors as :meth:`from_toml`."""
        return _melody.load(cls, Path(path))

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as JSON data with a schema version."""
        return _codec.to_dict(self)

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any]) -> Workflow:
        """Return the workflow that :meth:`to_dict` described; tasks are found when it runs."""
        return _codec.from_dict(cls, definition)

    def to_json(self) -> str:
        """Return the definition as JSON; the same workflow gives the same text."""
        return _codec.to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Workflow:
        """Return the workflow that :meth:`to_json` wrote."""
        return _codec.from_json(cls, text)

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flow chart."""
        return _draw.mermaid(self)

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __repr__(self) -> str:
        return (
            f"Workflow({self.name!r}, version={self.version!r}, nodes={len(self._nodes)}, "
            f"inputs={len(self._inputs)}, outputs={len(self._outputs)})"
        )

    def _changed(self) -> None:
        self._shape = None
        self.revision += 1

    def _refuse(self, problem: Problem, cycle: tuple[str, ...] = ()) -> None:
        raise WorkflowInvalid(source=self.source, problems=Listing((problem,)), cycle=cycle)
