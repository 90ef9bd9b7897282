"""What a node runs: functions, and whatever satisfies the ``NodeRunner`` protocol."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from types import CodeType
from typing import Any, Protocol, runtime_checkable

import attrs

from sy_commons import SymphonyError
from sy_dag._errors import Problem, RunnerUnavailable, nearest
from sy_dag._graph._node import Node
from sy_dag._graph._ref import Ref
from sy_dag._graph._trace import Task
from sy_dag._run._context import Context
from sy_dag._run._plan import Lane

GROUP = "sy_dag.operators"


@attrs.frozen
class Source:
    """One upstream output that flowed into a node's arguments, by its reference if it has one."""

    node: str
    item: str | None
    reference: str | None


@attrs.frozen
class Outcome:
    """A value with an opaque reference to where it is kept; dependants see it in ``sources``.

    >>> Outcome({"text": "…"}, reference="sha256:ab").reference
    'sha256:ab'
    """

    value: Any
    reference: str | None = None


@attrs.frozen
class NodeCall:
    """What a ``NodeRunner`` is called with.

    ``arguments`` are resolved; ``sources`` name every upstream output that flowed into them, in
    the order of the arguments and without duplicates, each completed item of a node that maps.
    """

    run_id: str
    workflow: str
    node: str
    item: str | None
    attempt: int
    arguments: dict[str, Any]
    sources: tuple[Source, ...]
    _context: Context = attrs.field(repr=False, eq=False, alias="context")

    def progress(self, fraction: float, message: str = "") -> None:
        """Tell how far the node is, from 0 to 1."""
        self._context.progress(fraction, message)

    def log(self, message: str, **fields: Any) -> None:
        """Tell something; it is an event of the run."""
        self._context.log(message, **fields)


@runtime_checkable
class NodeRunner(Protocol):
    """Runs nodes. It may also have ``check(arguments) -> Sequence[str]``.

    ``check`` says before a run what is wrong with the arguments; those that come from other nodes
    are :class:`Ref` there. ``fingerprint`` names the code: a run whose code changed is not resumed
    unasked.
    """

    @property
    def fingerprint(self) -> str:
        """The identity of the code behind the name, such as "fs.read@0.1.0"."""
        ...

    async def run(self, call: NodeCall) -> object:
        """Return the node's value, or an :class:`Outcome`."""
        ...


Runner = NodeRunner | Callable[..., Any]


@attrs.frozen(eq=False)
class Bound:
    """A node's runner, found: which lane it takes and how its arguments are passed."""

    lane: Lane
    call: Callable[..., Any]
    runner: NodeRunner | None = None
    positional: tuple[str, ...] = ()
    variadic: str | None = None

    by_position: bool = attrs.field(init=False)

    @by_position.default
    def _by_position(self) -> bool:
        return bool(self.positional) or self.variadic is not None


class Registry:
    """Says what the names in melodies mean: what was given first, then the entry points."""

    def __init__(self, operators: Mapping[str, Runner], instruments: Mapping[str, Runner]) -> None:
        self._given = {"operator": operators, "instrument": instruments}
        self._installed: dict[str, Any] | None = None
        self._bound: dict[tuple[int, str], Bound] = {}
        self._fingerprints: dict[int, tuple[Any, str]] = {}
        self._taken: dict[int, tuple[Any, Takes | None]] = {}  # holds the runner: ids stay its own

    def find(self, node: Node) -> Runner:
        """Return what *node* runs; raise ``LookupError`` with what to do."""
        if node.kind == "task":
            return node.function if node.function is not None else import_task(node)
        try:  # asked, not copied: the mapping may load each as it is asked for
            found = self._given[node.kind][node.runner]
        except KeyError:
            found = self._installed_operator(node)
        return found.fn if isinstance(found, Task) else found

    def bind(self, node: Node) -> Bound:
        """Return how *node* is run; raise ``RunnerUnavailable``."""
        try:
            runner = self.find(node)
        except LookupError as error:
            raise RunnerUnavailable(node=node.name, reason=f"no {node.label}; {error}") from error
        key = (id(runner), node.where)
        if key not in self._bound:
            self._bound[key] = bind(runner, node.where)
            self._fingerprints[id(runner)] = (runner, "")  # the id stays the runner's
        return self._bound[key]

    def fingerprint(self, bound: Bound) -> str:
        """Return the identity of the code, of a function computed once."""
        if bound.runner is not None:
            return bound.runner.fingerprint
        key = id(bound.call)
        known = self._fingerprints.get(key)
        if known is None or not known[1]:
            known = self._fingerprints[key] = (bound.call, fingerprint(bound.call))
        return known[1]

    def problems(self, node: Node, place: Callable[[tuple[str, ...]], str]) -> list[Problem]:
        """Return what is wrong with *node*'s runner and arguments, as far as can be said now."""
        here = ("nodes", node.name)
        try:
            runner = self.find(node)
        except LookupError as error:
            text = f"there is no {node.label}"
            where = place((*here, node.kind))
            return [Problem("dag.unknown_runner", text, str(error), (node.name,), where)]
        except RunnerUnavailable as error:
            return [Problem("dag.unknown_runner", str(error), "", (node.name,), place(here))]
        takes = self._takes(runner)
        if takes is None:
            check = getattr(runner, "check", None)
            complaints = check(_given(node)) if check is not None else ()
        elif not takes.fits(node):
            complaints = takes.problems(_given(node), node.where)
        else:
            return []
        return [
            Problem("dag.argument", text, "", (node.name,), place((*here, *_argument(text, node))))
            for text in complaints
        ]

    def _takes(self, runner: Runner) -> Takes | None:
        """Return what a function takes, looked up once; None for a ``NodeRunner``."""
        known = self._taken.get(id(runner))
        if known is None:
            takes = None if isinstance(runner, NodeRunner) else Takes.of(runner)
            known = self._taken[id(runner)] = (runner, takes)
        return known[1]

    def _installed_operator(self, node: Node) -> Any:
        if node.kind == "operator" and node.runner in self._entry_points():
            return self._entry_points()[node.runner].load()
        raise LookupError(nearest(node.runner, self._names(node.kind)))

    def _entry_points(self) -> dict[str, Any]:
        if self._installed is None:
            self._installed = {point.name: point for point in entry_points(group=GROUP)}
        return self._installed

    def _names(self, kind: str) -> list[str]:
        names = list(self._given[kind])
        return names + list(self._entry_points()) if kind == "operator" else names


def bind(runner: Any, where: str) -> Bound:
    """Return how *runner* is called."""
    if isinstance(runner, NodeRunner):
        return Bound(Lane.ASYNC, runner.run, runner)
    lane = Lane.ASYNC if is_async(runner) else Lane.THREAD if where == "thread" else Lane.INLINE
    try:
        parameters = list(inspect.signature(runner).parameters.values())
    except (TypeError, ValueError):  # some built-ins have none
        parameters = []
    variadic = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    only = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    first = [p.name for p in parameters if p.kind in kinds] if variadic else only
    return Bound(lane, runner, None, tuple(first), variadic[0] if variadic else None)


def is_async(function: Any) -> bool:
    """Tell whether calling *function* gives a coroutine, partials and callable objects included."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - its kind is asked for, not whether it is
    )


@attrs.frozen(eq=False)
class Takes:
    """Which arguments a function takes, looked up once."""

    names: frozenset[str]
    required: frozenset[str]
    anything: bool
    is_async: bool

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Takes:
        """Return what *function* takes; some built-ins do not say, and take anything."""
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return cls(frozenset(), frozenset(), anything=True, is_async=False)
        kinds = {p.name: p.kind for p in parameters}
        return cls(
            frozenset(n for n, kind in kinds.items() if kind is not inspect.Parameter.VAR_KEYWORD),
            frozenset(
                p.name
                for p in parameters
                if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            ),
            inspect.Parameter.VAR_KEYWORD in kinds.values(),
            is_async(function),
        )

    def fits(self, node: Node) -> bool:
        """Tell whether there is nothing to complain of."""
        given: AbstractSet[str] = node.arguments.keys()
        if node.map:
            given = given | node.map.keys()
        known = self.anything or given <= self.names
        return known and self.required <= given and not (self.is_async and node.where == "thread")

    def problems(self, arguments: Mapping[str, Any], where: str) -> Sequence[str]:
        """Return in words what does not fit."""
        found = []
        if where == "thread" and self.is_async:
            found.append("a coroutine function runs on the loop and cannot run in a thread")
        found += [
            f"argument {name!r} is unknown; {nearest(name, self.names)}"
            for name in arguments
            if name not in self.names and not self.anything
        ]
        missing = sorted(self.required - arguments.keys())
        return found + [f"argument {name!r} is missing" for name in missing]


def import_task(node: Node) -> Callable[..., Any]:
    """Return the function that ``module:qualname`` names; raise ``RunnerUnavailable``."""
    module_name, _, qualname = node.runner.partition(":")
    if "<locals>" in qualname or module_name == "__main__":
        raise RunnerUnavailable(node=node.name, reason=f"{node.runner} cannot be imported")
    try:
        found: Any = import_module(module_name)
        for part in qualname.split("."):
            found = getattr(found, part)
    except SymphonyError:
        raise
    except Exception as error:
        raise RunnerUnavailable(node=node.name, reason=f"{node.runner}: {error}") from error
    return found.fn if isinstance(found, Task) else found


def fingerprint(function: Any) -> str:
    """Return a digest of a function's bytecode and constants: equal in every process.

    What it calls, and what it closes over, is not part of it.

    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 1)
    True
    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 2)
    False
    """
    while isinstance(function, partial):
        function = function.func
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        code = getattr(type(function).__call__, "__code__", None)
    if code is None:
        return getattr(function, "__qualname__", type(function).__qualname__)
    return "code:" + hashlib.sha256(_canonical(code).encode()).hexdigest()[:24]


def _canonical(value: Any) -> str:
    if isinstance(value, CodeType):
        names = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        return f"{value.co_code.hex()}{names}{_canonical(value.co_consts)}"
    if isinstance(value, tuple):
        return f"({','.join(map(_canonical, value))})"
    if isinstance(value, frozenset):  # its order is the process's own
        return f"{{{','.join(sorted(map(_canonical, value)))}}}"
    return f"{type(value).__name__}:{value!r}"


def _given(node: Node) -> dict[str, Any]:
    return {**node.arguments, **dict.fromkeys(node.map, Ref(node.name))}


def _argument(text: str, node: Node) -> tuple[str, ...]:
    """Return the place of the argument that a complaint quotes, if it quotes one."""
    for table, names in (("with", node.arguments), ("map", node.map)):
        for name in names:
            if repr(name) in text:
                return (table, name)
    return ()
