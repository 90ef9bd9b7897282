"""A workflow made ready for the core: numbers in place of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

import attrs

from sy_commons import Backoff, backoff
from sy_dag._graph._node import Node, Then
from sy_dag._graph._order import Shape


class Lane(IntEnum):
    """Where a node runs: each lane has its own number of places."""

    INLINE = 0
    ASYNC = 1
    THREAD = 2


@attrs.frozen(eq=False)
class Plan:
    """What the core has to know; node *i* is the *i*-th in the order of ready nodes.

    ``waits`` counts what a node waits for, one more for a fallback that is held back until it is
    needed. ``fallback`` is -1 where there is none; ``primaries`` has the nodes that a fallback
    stands in for.
    """

    shape: Shape
    waits: tuple[int, ...]
    lanes: tuple[Lane, ...]
    retries: tuple[int, ...]
    backoffs: Mapping[int, Backoff]
    skips: frozenset[int]
    fallback: tuple[int, ...]
    held: frozenset[int]
    primaries: Mapping[int, tuple[int, ...]]
    mapped: frozenset[int]
    tags: Mapping[int, tuple[str, ...]]


def make_plan(shape: Shape, nodes: Mapping[str, Node], lanes: Sequence[Lane]) -> Plan:
    """Return the plan of a valid workflow; *lanes* are in the order of ``shape.names``."""
    ordered = [nodes[name] for name in shape.names]
    fallback = [shape.index.get(node.on_error.fallback or "", -1) for node in ordered]
    primaries: dict[int, tuple[int, ...]] = {}
    for i, stands_in in enumerate(fallback):
        if stands_in >= 0:
            primaries[stands_in] = (*primaries.get(stands_in, ()), i)
    held = frozenset(i for i, node in enumerate(ordered) if node.only_fallback)
    return Plan(
        shape=shape,
        waits=tuple([len(before) + (i in held) for i, before in enumerate(shape.waits)]),
        lanes=tuple(lanes),
        retries=tuple([node.on_error.retries for node in ordered]),
        backoffs={
            i: backoff(node.on_error.backoff)
            for i, node in enumerate(ordered)
            if node.on_error.retries
        },
        skips=frozenset(i for i, node in enumerate(ordered) if node.on_error.then is Then.SKIP),
        fallback=tuple(fallback),
        held=held,
        primaries=primaries,
        mapped=frozenset(i for i, node in enumerate(ordered) if node.map),
        tags={i: tuple(sorted(node.tags)) for i, node in enumerate(ordered) if node.tags},
    )
