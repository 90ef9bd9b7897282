"""What nodes gave, and what others are given of it: the values beside the core's decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from sy_dag._errors import NotMappable, ReferenceUnresolved
from sy_dag._graph._node import Node
from sy_dag._graph._order import Shape
from sy_dag._graph._ref import INPUTS, Ref, follow, refs_in
from sy_dag._run._runners import Source

_MAX_KEY = 200
_KEY_FIELDS = ("path", "key", "name", "id")


@attrs.frozen
class Hole:
    """Stands in ``$node.all`` for an item that was skipped: which one, and why. It is false.

    >>> bool(Hole("a.py", "not UTF-8"))
    False
    """

    item: str
    error: str

    def __bool__(self) -> bool:
        return False


class _Unset:
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNSET"


UNSET = _Unset()


class Items:
    """What a node that maps gave, item by item."""

    __slots__ = ("keys", "references", "values")

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        self.values: list[Any] = [UNSET] * len(keys)
        self.references: list[str | None] = [None] * len(keys)

    def positions(self, *, holes: bool) -> list[int]:
        """Return the positions of the items there are, with or without the holes."""
        return [
            k
            for k, value in enumerate(self.values)
            if value is not UNSET and (holes or type(value) is not Hole)
        ]

    def select(self, path: Sequence[str], reference: str) -> tuple[list[Any], list[int]]:
        """Return what *path* selects, ``ok`` or ``all`` first, and the items' positions."""
        holes = bool(path) and path[0] == "all"
        rest = path[1:] if path and path[0] in ("ok", "all") else path
        chosen = self.positions(holes=holes)
        if not rest:
            return [self.values[k] for k in chosen], chosen
        values = [
            value if type(value) is Hole else follow(value, rest, reference)
            for value in (self.values[k] for k in chosen)
        ]
        return values, chosen


@attrs.define(eq=False)
class Recipe:
    """How a node's arguments are made: constants, whole outputs, and everything else."""

    fixed: dict[str, Any]
    direct: tuple[tuple[str, int], ...]
    listed: tuple[tuple[str, tuple[int, ...]], ...]
    general: tuple[tuple[str, Any], ...]


def recipes(shape: Shape, nodes: Mapping[str, Node]) -> tuple[Recipe, ...]:
    """Return how the arguments of each node are made; good for every run of the workflow."""
    return tuple([_recipe(nodes[name], shape.index) for name in shape.names])


def _recipe(node: Node, index: Mapping[str, int]) -> Recipe:
    fixed: dict[str, Any] = {}
    direct: list[tuple[str, int]] = []
    listed: list[tuple[str, tuple[int, ...]]] = []
    general: list[tuple[str, Any]] = []
    for name, value in node.arguments.items():
        if type(value) is Ref:
            if value.path:
                general.append((name, value))
            else:
                direct.append((name, index[value.node]))
        elif type(value) is list and all(type(v) is Ref and not v.path for v in value):
            listed.append((name, tuple([index[v.node] for v in value])))
        elif isinstance(value, list | tuple | Mapping):
            general.append((name, value))
        else:
            fixed[name] = value
    return Recipe(fixed, tuple(direct), tuple(listed), tuple(general))


@attrs.frozen(eq=False)
class _Columns:
    """The mapped arguments of a node, item by item, and the upstream items they came from."""

    values: dict[str, list[Any]]
    origins: tuple[tuple[int, list[int] | None], ...]


class Data:
    """The values of one run. Not safe between threads."""

    def __init__(
        self,
        shape: Shape,
        nodes: Mapping[str, Node],
        inputs: Mapping[str, Any],
        recipes: tuple[Recipe, ...] = (),
    ) -> None:
        self.values: list[Any] = [UNSET] * len(shape.names)
        self.references: dict[int, str] = {}
        self._names = shape.names
        self._index = shape.index
        self._nodes = nodes
        self._inputs = inputs
        self._recipes = recipes
        self._columns: dict[int, _Columns] = {}
        self._stand_ins: dict[int, int] = {}

    def arguments(self, i: int, k: int) -> dict[str, Any]:
        """Return the arguments of node *i*, item *k*; raise ``ReferenceUnresolved``."""
        recipe = self._recipes[i]
        values = self.values
        made = recipe.fixed.copy()
        for name, j in recipe.direct:
            value = values[j]
            made[name] = value.select((), "")[0] if type(value) is Items else value
        for name, several in recipe.listed:
            made[name] = [self._whole(j) for j in several]
        for name, template in recipe.general:
            made[name] = self.resolve(template)
        if k >= 0:
            for name, column in self._columns[i].values.items():
                made[name] = column[k]
        return made

    def resolve(self, template: Any) -> Any:
        """Return *template* with what its references lead to."""
        if isinstance(template, Ref):
            return self._look_up(template)[0]
        if isinstance(template, Mapping):
            return {key: self.resolve(part) for key, part in template.items()}
        if isinstance(template, list | tuple):
            return type(template)(self.resolve(part) for part in template)
        return template

    def is_there(self, template: Any) -> bool:
        """Tell whether every node that *template* refers to has given its value."""
        return all(
            ref.node == INPUTS or self.values[self._index[ref.node]] is not UNSET
            for ref in refs_in(template)
        )

    def expand(self, i: int) -> list[str]:
        """Take the lists that node *i* maps over apart and return the items' keys."""
        node = self._nodes[self._names[i]]
        values: dict[str, list[Any]] = {}
        origins: list[tuple[int, list[int] | None]] = []
        inherited: list[str] | None = None
        for name, template in node.map.items():
            column, origin, keys = self._column(node, name, template)
            values[name] = column
            if origin is not None:
                origins.append(origin)
            inherited = inherited or keys
        lengths = {len(column) for column in values.values()}
        if len(lengths) > 1:
            told = ", ".join(f"{name}: {len(column)}" for name, column in values.items())
            raise NotMappable(node=node.name, reason=f"its lists differ in length ({told})")
        self._columns[i] = _Columns(values, tuple(origins))
        return inherited or item_keys(next(iter(values.values())))

    def set_items(self, i: int, keys: list[str]) -> Items:
        """Begin the values of node *i*, which maps over items of these *keys*."""
        items = self.values[i] = Items(keys)
        return items

    def keep(self, i: int, k: int, value: Any, reference: str | None) -> None:
        """Keep what node *i*, item *k*, gave."""
        if k >= 0:
            items = self.values[i]
            items.values[k], items.references[k] = value, reference
            return
        self.values[i] = value
        if reference is not None:
            self.references[i] = reference

    def stand_in(self, f: int, g: int) -> None:
        """From now on what *g* gave is what *f* gives."""
        self.values[f] = self.values[g]
        self._stand_ins[f] = g

    def sources(self, i: int, k: int) -> tuple[Source, ...]:
        """Return every upstream output in the arguments of node *i*, item *k*, in their order."""
        found = dict.fromkeys(self.sources_of(self._nodes[self._names[i]].arguments))
        if k >= 0:
            for j, positions in self._columns[i].origins:
                chosen = None if positions is None else [positions[k]]
                found.update(dict.fromkeys(self._sources(j, chosen)))
        return tuple(found)

    def sources_of(self, template: Any) -> tuple[Source, ...]:
        """Return every node's output in *template*, in its order, without duplicates."""
        found: dict[Source, None] = {}
        for ref in refs_in(template):
            if ref.node != INPUTS:
                found.update(dict.fromkeys(self._sources(self._index[ref.node], None)))
        return tuple(found)

    def _sources(self, j: int, positions: list[int] | None) -> Iterator[Source]:
        origin = j
        while origin in self._stand_ins:
            origin = self._stand_ins[origin]
        name, items = self._names[origin], self.values[origin]
        if type(items) is not Items:
            yield Source(name, None, self.references.get(origin))
            return
        for k in items.positions(holes=False) if positions is None else positions:
            if type(items.values[k]) is not Hole:
                yield Source(name, items.keys[k], items.references[k])

    def _whole(self, j: int) -> Any:
        value = self.values[j]
        return value.select((), "")[0] if type(value) is Items else value

    def _look_up(self, ref: Ref[Any]) -> tuple[Any, Items | None, list[int]]:
        """Return the value; and, where it is that of a node that maps, the items it is made of."""
        if ref.node == INPUTS:
            return follow(self._inputs, ref.path, str(ref)), None, []
        value = self.values[self._index[ref.node]]
        if value is UNSET:
            raise ReferenceUnresolved(reference=str(ref), reason=f"{ref.node} gave nothing")
        if type(value) is Items:
            selected, positions = value.select(ref.path, str(ref))
            return selected, value, positions
        return follow(value, ref.path, str(ref)), None, []

    def _column(
        self, node: Node, name: str, template: Any
    ) -> tuple[list[Any], tuple[int, list[int] | None] | None, list[str] | None]:
        """Return a mapped argument's list, where it comes from, and the keys it brings along."""
        if not isinstance(template, Ref):
            return self._as_list(node, name, self.resolve(template)), None, None
        value, items, positions = self._look_up(template)
        if items is not None:
            origin = (self._index[template.node], positions)
            return value, origin, [items.keys[k] for k in positions]
        column = self._as_list(node, name, value)
        if template.node == INPUTS:
            return column, None, None
        return column, (self._index[template.node], None), None

    def _as_list(self, node: Node, name: str, value: Any) -> list[Any]:
        if isinstance(value, list | tuple):
            return list(value)
        reason = f"{name} is a {type(value).__name__}, and no list"
        raise NotMappable(node=node.name, reason=reason)


def item_keys(values: Sequence[Any]) -> list[str]:
    """Return keys for the items that stay the same: short unique text, a telling field, or place.

    >>> item_keys(["a.py", "b.py"]), item_keys([{"path": "a"}, {"path": "b"}]), item_keys([5, 5])
    (['a.py', 'b.py'], ['a', 'b'], ['0', '1'])
    """
    if _are_keys(values):
        return list(values)
    if all(isinstance(value, Mapping) for value in values):
        for field in _KEY_FIELDS:
            keys = [value.get(field) for value in values]
            if _are_keys(keys):
                return keys
    return [str(k) for k in range(len(values))]


def _are_keys(values: Sequence[Any]) -> bool:
    return all(
        type(value) is str and 0 < len(value) <= _MAX_KEY and value.isprintable()
        for value in values
    ) and len(set(values)) == len(values)
