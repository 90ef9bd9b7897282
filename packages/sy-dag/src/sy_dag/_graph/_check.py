"""Whether a workflow can run: every problem at once, each with its nodes and the mend."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sy_dag._errors import Problem, nearest
from sy_dag._graph import _order
from sy_dag._graph._inputs import TYPES
from sy_dag._graph._node import Input, Node, node_problems
from sy_dag._graph._ref import INPUTS, NAME, RESERVED, SECRET, Ref, refs_in

if TYPE_CHECKING:
    from sy_dag._graph._workflow import Workflow

_Place = tuple[str, ...]
_SCALARS = frozenset({str, int, float, bool, bytes, type(None)})


def name_problem(name: str, taken: Container[str]) -> Problem | None:
    """Return why *name* cannot be a node's, if so."""
    if not isinstance(name, str) or not NAME.match(name):
        return Problem(
            "dag.name",
            f"{name!r} cannot name a node",
            "a letter, then letters, digits, '_' and '-'",
        )
    if name in RESERVED:
        return Problem(
            "dag.name", f"{name!r} cannot name a node", f"${name} means something else: rename it"
        )
    if name in taken:
        return Problem("dag.duplicate", f"node {name!r} is there twice", "rename one", (name,))
    return None


def input_problem(declaration: Input, taken: Container[str]) -> Problem | None:
    """Return why an input cannot be declared so, if it cannot."""
    name = declaration.name
    if not NAME.match(name):
        return Problem(
            "dag.name", f"{name!r} cannot name an input", "a letter, then letters, digits, _ and -"
        )
    if name in taken:
        return Problem("dag.duplicate", f"input {name!r} is there twice", "rename one of them")
    if declaration.type not in TYPES:
        mend = nearest(declaration.type, TYPES)
        return Problem("dag.input_type", f"input {name!r} has type {declaration.type!r}", mend)
    return None


def cycle_problem(cycle: tuple[str, ...]) -> Problem:
    """Return the problem that *cycle* is."""
    way = " -> ".join((*cycle, cycle[0]))
    mend = "take one edge away; a fallback comes after the node it stands in for"
    return Problem("dag.cycle", f"nodes wait for each other: {way}", mend, cycle)


def problems(workflow: Workflow) -> list[Problem]:
    """Return everything that keeps *workflow* from running, in the order of its nodes."""
    nodes = workflow.nodes
    found = [
        problem
        for node in nodes.values()
        if not _is_plainly_fine(node, nodes)
        for problem in _node_problems(workflow, node)
    ]
    for output in workflow.outputs.values():
        where = ("outputs", output.name, "value")
        for ref in refs_in(output.value):
            found += _ref_problems(workflow, ref, f"output {output.name!r}", (), where)
    if workflow.shape.cycle:
        place = workflow.place(("nodes", workflow.shape.cycle[0]))
        cycle = cycle_problem(workflow.shape.cycle)
        found.append(Problem(cycle.code, cycle.text, cycle.hint, cycle.nodes, place))
    return found


def _is_plainly_fine(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Tell in a glance what is so of most nodes: no options, and references that lead somewhere."""
    if not node.is_plain or node.after or node.only_fallback:
        return False
    for value in node.arguments.values():
        kind = type(value)
        if kind is Ref:
            if value.node not in nodes:
                return False
        elif kind not in _SCALARS:
            return False
    return True


def _node_problems(workflow: Workflow, node: Node) -> Iterator[Problem]:
    here: _Place = ("nodes", node.name)
    for field, text, mend in node_problems(node):
        place = workflow.place((*here, *field.split(".")))
        yield Problem("dag.node", text, mend, (node.name,), place)
    for table, values in (("with", node.arguments), ("map", node.map)):
        for argument, value in values.items():
            if type(value) is Ref and value.node in workflow.nodes and value.node != node.name:
                continue
            for ref in refs_in(value):
                where = (*here, table, argument)
                yield from _ref_problems(workflow, ref, "", (node.name,), where)
    for name in node.after:
        if name not in workflow.nodes:
            yield _unknown(workflow, name, "after", node, (*here, "after"))
    yield from _fallback_problems(workflow, node, here)


def _ref_problems(
    workflow: Workflow, ref: Ref[Any], who: str, nodes: tuple[str, ...], where: _Place
) -> Iterator[Problem]:
    prefix = f"{who}: " if who else ""
    place = workflow.place(where)
    if ref.node == SECRET:
        text, mend = f"{prefix}{ref}: secrets are not available", "pass the value another way"
        yield Problem("dag.secret", text, mend, nodes, place)
    elif ref.node == INPUTS:
        yield from _input_ref_problems(workflow.inputs, ref, prefix, nodes, place)
    elif ref.node not in workflow.nodes:
        text = f"{prefix}{ref} names a node that does not exist"
        yield Problem("dag.unknown_node", text, nearest(ref.node, workflow.nodes), nodes, place)


def _input_ref_problems(
    inputs: Mapping[str, Input], ref: Ref[Any], prefix: str, nodes: tuple[str, ...], place: str
) -> Iterator[Problem]:
    if not ref.path:
        text, mend = f"{prefix}{ref} names no input", "write $inputs.NAME"
        yield Problem("dag.unknown_input", text, mend, nodes, place)
    elif ref.path[0] not in inputs:
        text = f"{prefix}{ref} names an input that is not declared"
        mend = nearest(ref.path[0], inputs)
        yield Problem("dag.unknown_input", text, mend, nodes, place)


def _needs_what_it_replaces(workflow: Workflow, name: str, fallback: str) -> bool:
    """Tell whether *fallback* uses or comes after *name*; longer ways round are cycles."""
    node = workflow.nodes.get(fallback)
    return node is not None and (name in _order.needs(node) or name in node.after)


def _fallback_problems(workflow: Workflow, node: Node, here: _Place) -> Iterator[Problem]:
    fallback = node.on_error.fallback
    where = (*here, "on_error", "fallback")
    if fallback is not None and fallback not in workflow.nodes:
        yield _unknown(workflow, fallback, "fallback", node, where)
    if fallback == node.name:
        yield Problem(
            "dag.fallback",
            "it is its own fallback",
            "name another node",
            (node.name,),
            workflow.place(where),
        )
    elif fallback is not None and _needs_what_it_replaces(workflow, node.name, fallback):
        yield Problem(
            "dag.fallback",
            f"its fallback {fallback!r} needs it, and it will have failed by then",
            "let the fallback use what this node uses",
            (node.name, fallback),
            workflow.place(where),
        )
    if node.only_fallback and not any(
        other.on_error.fallback == node.name for other in workflow.nodes.values()
    ):
        yield Problem(
            "dag.fallback",
            "it runs only as a fallback, and no node names it as one",
            f"write fallback = {node.name!r} in a node's on_error, or take `only` away",
            (node.name,),
            workflow.place((*here, "only")),
        )


def _unknown(workflow: Workflow, name: str, field: str, node: Node, where: _Place) -> Problem:
    return Problem(
        "dag.unknown_node",
        f"{field} names {name!r}, and there is no such node",
        nearest(name, workflow.nodes),
        (node.name,),
        workflow.place(where),
    )
