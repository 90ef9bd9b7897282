"""References: how a node's argument says that it is another node's output."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sy_dag._errors import ReferenceUnresolved

if TYPE_CHECKING:
    from sy_dag._graph._workflow import Workflow

R = TypeVar("R")

INPUTS = "inputs"
SECRET = "secret"  # noqa: S105 - the word that stands before a secret's name, not a secret
RESERVED = frozenset({INPUTS, SECRET})
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_-]*)((?:\.[A-Za-z0-9_-]+)*)\Z")


class Ref(Generic[R]):
    """What a node will give, or a part of it: ``ref.text``, ``ref["text"]``, ``ref[0]``.

    Of a node that maps, ``ref.ok`` is the list of what its items gave, holes left out, and
    ``ref.all`` the same with a :class:`Hole` for each item that was skipped; any further part is
    taken from each item. A value: equal references are equal, and hash alike.

    >>> Ref("files").paths
    Ref('$files.paths')
    """

    __slots__ = ("_owner", "node", "path")
    node: str
    path: tuple[str, ...]
    _owner: Workflow | None

    def __init__(
        self, node: str, path: tuple[str, ...] = (), *, owner: Workflow | None = None
    ) -> None:
        object.__setattr__(self, "node", node)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "_owner", owner)

    def named(self, name: str) -> Ref[R]:
        """Give the node just recorded a name, and return the reference to it.

        Raises ``WorkflowInvalid`` where the name is taken, or other nodes use the old one.
        """
        if self._owner is None or self.path:
            raise ReferenceUnresolved(
                reference=str(self), reason="only what a task's call returned can be named"
            )
        owner: Workflow = self._owner
        owner.rename(self.node, name)
        return Ref(name, owner=owner)

    def __getattr__(self, name: str) -> Ref[Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return Ref(self.node, (*self.path, name), owner=self._owner)

    def __getitem__(self, key: str | int) -> Ref[Any]:
        return Ref(self.node, (*self.path, str(key)), owner=self._owner)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            f"{self} is not known before the workflow runs; map a task over it: task.map({self})"
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a reference does not change ({name})")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ref):
            return NotImplemented
        return self.node == other.node and self.path == other.path

    def __hash__(self) -> int:
        return hash((self.node, self.path))

    def __reduce__(self) -> tuple[Any, ...]:
        return Ref, (self.node, self.path)

    def __str__(self) -> str:
        return "$" + ".".join((self.node, *self.path))

    def __repr__(self) -> str:
        return f"Ref({str(self)!r})"


def parse_text(text: str) -> str | Ref[Any]:
    """Return the reference that a melody's *text* is, or the text itself; ``$$`` stands for ``$``.

    Raises ValueError where the text begins with ``$`` and is no reference.

    >>> parse_text("$files.paths"), parse_text("$$5 off"), parse_text("plain")
    (Ref('$files.paths'), '$5 off', 'plain')
    """
    if not text.startswith("$"):
        return text
    if text.startswith("$$"):
        return text[1:]
    match = _REFERENCE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no reference")
    return Ref(match[1], tuple(match[2].split(".")[1:]) if match[2] else ())


def format_text(value: str | Ref[Any]) -> str:
    """Return how a melody writes *value*: the other way round of :func:`parse_text`.

    >>> format_text(Ref("files", ("paths",))), format_text("$5 off")
    ('$files.paths', '$$5 off')
    """
    if isinstance(value, Ref):
        return str(value)
    return "$" + value if value.startswith("$") else value


def refs_in(value: object) -> Iterator[Ref[Any]]:
    """Yield every reference in *value*, lists and tables included, in order."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from refs_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from refs_in(part)


def follow(value: Any, path: Sequence[str], reference: str) -> Any:
    """Return the part of *value* that *path* leads to: keys, then indexes, then attributes.

    >>> follow({"parts": ["a", "b"]}, ("parts", "1"), "$x.parts.1")
    'b'
    """
    for part in path:
        value = _step(value, part, reference)
    return value


def _step(value: Any, part: str, reference: str) -> Any:
    if isinstance(value, Mapping):
        if part in value:
            return value[part]
        keys = ", ".join(sorted(map(str, value))[:12]) or "nothing"
        raise ReferenceUnresolved(reference=reference, reason=f"no {part!r} among {keys}")
    if part.isdecimal() and isinstance(value, Sequence):
        if int(part) < len(value):
            return value[int(part)]
        raise ReferenceUnresolved(
            reference=reference, reason=f"no index {part} in {len(value)} items"
        )
    try:
        return getattr(value, part)
    except AttributeError:
        kind = type(value).__name__
        raise ReferenceUnresolved(
            reference=reference, reason=f"a value of type {kind} has no {part!r}"
        ) from None
