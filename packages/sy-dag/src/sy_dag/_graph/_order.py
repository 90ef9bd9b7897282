"""Who waits for whom, and in what order the ready ones go: nothing here depends on hashes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from sy_dag._graph._node import Node
from sy_dag._graph._ref import INPUTS, Ref, refs_in


@attrs.frozen(eq=False)
class Shape:
    """A workflow as numbers: node *i* is the *i*-th in the order in which ready nodes go.

    That order is (user priority, highest first; upward rank, longest way to the end first; name).
    ``data`` holds the nodes whose output *i* takes, ``waits`` those and the ones it comes after,
    ``successors`` the other way round. ``cycle`` names the nodes of one cycle, if there is any,
    and then ranks are not whole.
    """

    names: tuple[str, ...]
    index: Mapping[str, int]
    data: tuple[tuple[int, ...], ...]
    waits: tuple[tuple[int, ...], ...]
    successors: tuple[tuple[int, ...], ...]
    ranks: tuple[int, ...]
    cycle: tuple[str, ...] = ()


def needs(node: Node) -> dict[str, None]:
    """Return the names of the nodes whose output *node* takes, in order of appearance."""
    found: dict[str, None] = {}
    for values in (node.arguments, node.map):
        for value in values.values():
            if type(value) is Ref:
                found[value.node] = None
            elif isinstance(value, list | tuple | Mapping):
                found.update((ref.node, None) for ref in refs_in(value))
    found.pop(INPUTS, None)
    return found


def shape(nodes: Mapping[str, Node]) -> Shape:
    """Return the shape of a workflow; references to nodes that do not exist are left out."""
    names = list(nodes)
    number = {name: i for i, name in enumerate(names)}
    data, waits = _edges(nodes, number)
    full = _with_implied(nodes, number, waits)
    ranks, stuck = _ranks(full)
    priorities = [-node.priority for node in nodes.values()]
    ordered = [
        i
        for *_, i in sorted(
            zip(priorities, [-r for r in ranks], names, range(len(names)), strict=True)
        )
    ]
    return _renumbered(names, ordered, data, waits, ranks, _told(_cycle(full, stuck, names), nodes))


def _edges(
    nodes: Mapping[str, Node], number: Mapping[str, int]
) -> tuple[list[list[int]], list[list[int]]]:
    data, waits = [], []
    for node in nodes.values():
        own = [number[name] for name in needs(node) if name in number]
        data.append(own)
        if node.after:
            own = list(dict.fromkeys((*own, *(number[n] for n in node.after if n in number))))
        waits.append(own)
    return data, waits


def _with_implied(
    nodes: Mapping[str, Node], number: Mapping[str, int], waits: list[list[int]]
) -> list[list[int]]:
    """A fallback follows the node it stands in for, and comes before that one's dependants."""
    stands_in = {
        i: number[name]
        for i, node in enumerate(nodes.values())
        if (name := node.on_error.fallback) is not None and name in number
    }
    if not stands_in:
        return waits
    full = [
        dict.fromkeys((*own, *(stands_in[i] for i in own if stands_in.get(i, j) != j)))
        for j, own in enumerate(waits)
    ]
    for i, fallback in stands_in.items():
        full[fallback][i] = None
    return [list(before) for before in full]


def _ranks(waits: list[list[int]]) -> tuple[list[int], set[int]]:
    """Return how many nodes the longest way from each to the end has, and those on a cycle."""
    open_ends = [0] * len(waits)
    for before in waits:
        for i in before:
            open_ends[i] += 1
    ranks = [0] * len(waits)
    ready = [i for i, count in enumerate(open_ends) if not count]
    for j in ready:  # grows while it is walked
        rank = ranks[j] + 1
        for i in waits[j]:
            ranks[i] = max(ranks[i], rank)
            open_ends[i] -= 1
            if not open_ends[i]:
                ready.append(i)
    return ranks, {i for i, count in enumerate(open_ends) if count}


def _cycle(waits: list[list[int]], stuck: set[int], names: list[str]) -> tuple[str, ...]:
    """Return one cycle among the nodes that Kahn's algorithm could not take away, in run order."""
    if not stuck:
        return ()
    has_dependants_in = {i for j in stuck for i in waits[j] if i in stuck}
    at = min(has_dependants_in, key=lambda i: names[i])
    # Every stuck node has a stuck dependant; walking to the least of them must come round.
    dependants: dict[int, list[int]] = {i: [] for i in stuck}
    for j in sorted(stuck, key=lambda i: names[i]):
        for i in waits[j]:
            if i in stuck:
                dependants[i].append(j)
    walked: dict[int, int] = {}
    while at not in walked:
        walked[at] = len(walked)
        at = dependants[at][0]
    return tuple(names[i] for i in list(walked)[walked[at] :])


def _told(cycle: tuple[str, ...], nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Put the node that a fallback stands in for between it and those that wait for that node."""
    told: list[str] = []
    for name, following in zip(cycle, (*cycle[1:], *cycle[:1]), strict=True):
        told.append(name)
        before = {**needs(nodes[following]), **dict.fromkeys(nodes[following].after)}
        if name not in before and nodes[name].on_error.fallback != following:
            told += [f for f in before if f in nodes and nodes[f].on_error.fallback == name][:1]
    return tuple(told)


def _renumbered(  # noqa: PLR0913, PLR0917 - the parts of a shape
    names: list[str],
    ordered: list[int],
    data: list[list[int]],
    waits: list[list[int]],
    ranks: list[int],
    cycle: tuple[str, ...],
) -> Shape:
    new = [0] * len(names)
    for position, i in enumerate(ordered):
        new[i] = position
    successors: list[list[int]] = [[] for _ in names]
    for position, i in enumerate(ordered):
        for before in waits[i]:
            successors[new[before]].append(position)
    in_order = tuple(names[i] for i in ordered)
    return Shape(
        names=in_order,
        index={name: position for position, name in enumerate(in_order)},
        data=tuple([tuple([new[b] for b in data[i]]) for i in ordered]),
        waits=tuple([tuple([new[b] for b in waits[i]]) for i in ordered]),
        successors=tuple(map(tuple, successors)),
        ranks=tuple([ranks[i] for i in ordered]),
        cycle=cycle,
    )


def topological(graph: Shape) -> list[str]:
    """Return the nodes so that each comes after what it waits for, the most urgent ready first."""
    open_waits = [len(before) for before in graph.waits]
    ready = [i for i, count in enumerate(open_waits) if not count]  # sorted, hence a heap
    order: list[str] = []
    while ready:
        i = heapq.heappop(ready)
        order.append(graph.names[i])
        for j in graph.successors[i]:
            open_waits[j] -= 1
            if not open_waits[j]:
                heapq.heappush(ready, j)
    return order


def reachable(start: Iterable[int], neighbours: tuple[tuple[int, ...], ...]) -> list[int]:
    """Return everything that can be reached from *start* over *neighbours*, in ready order."""
    seen: set[int] = set()
    todo: list[Any] = list(start)
    while todo:
        i = todo.pop()
        if i not in seen:
            seen.add(i)
            todo.extend(neighbours[i])
    return sorted(seen)
