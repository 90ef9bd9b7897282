"""The recorder: inside ``with Workflow(...)``, calling a task writes it down."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from sy_commons import Backoff, ValidationError
from sy_dag._errors import NoWorkflow
from sy_dag._graph._node import Node, OnError, Then
from sy_dag._graph._ref import Ref

if TYPE_CHECKING:
    from sy_dag._graph._workflow import Workflow

P = ParamSpec("P")
R = TypeVar("R")
_recording: ContextVar[tuple[Workflow, ...]] = ContextVar("sy_dag_recording", default=())


def enter(workflow: Workflow) -> None:
    """Record into *workflow* from here on."""
    _recording.set((*_recording.get(), workflow))


def leave(workflow: Workflow) -> None:
    """Record into whatever was recorded into before."""
    stack = _recording.get()
    if not stack or stack[-1] is not workflow:
        raise ValidationError(f"{workflow!r} is not the workflow being recorded")
    _recording.set(stack[:-1])


class Task(Generic[P, R]):
    """A function as a part of workflows: ``fn`` is the function, calling records a node."""

    def __init__(self, fn: Callable[P, Any], options: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.options = dict(options)
        self.runner = f"{fn.__module__}:{fn.__qualname__}"
        self._signature = inspect.signature(fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Ref[R]:
        """Record one node and return what it will give; arguments are references or values."""
        return self._record(self._bound(args, kwargs), {})

    def map(self, *mapped: Any, **fixed: Any) -> Ref[list[R]]:
        """Record one node that runs once for each item of the *mapped* lists; return all it gives.

        Several lists are taken in step and must be of equal length; keyword arguments are the
        same for every item.
        """
        if not mapped:
            raise ValidationError(
                f"{self.runner}.map needs a list to map over",
                hint="give it as a positional argument",
            )
        names = list(self._bound(mapped, fixed))[: len(mapped)]
        arguments = {k: v for k, v in self._bound(mapped, fixed).items() if k not in names}
        return self._record(arguments, dict(zip(names, mapped, strict=True)))

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = self._signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise ValidationError(
                f"{self.runner}: {error}", hint=f"it takes {self._signature}"
            ) from None
        for name, parameter in self._signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD and name in bound:
                bound.update(bound.pop(name))
            elif parameter.kind is parameter.VAR_POSITIONAL and name in bound:
                bound[name] = list(bound[name])
        return bound

    def _record(self, arguments: dict[str, Any], mapped: dict[str, Any]) -> Ref[Any]:
        stack = _recording.get()
        if not stack:
            raise NoWorkflow(task=self.fn.__name__)
        name = stack[-1].fresh_name(_identifier(self.fn.__name__))
        return stack[-1].add(
            Node(
                name,
                "task",
                self.runner,
                arguments=arguments,
                map=mapped,
                function=self.fn,
                **self.options,
            )
        )

    def __repr__(self) -> str:
        return f"<task {self.runner}>"


@overload
def task(function: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...
@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(
    *,
    retries: int = 0,
    backoff: str | Backoff = "exponential",
    then: str = "fail",
    fallback: str | None = None,
    only: str | None = None,
    timeout_s: float | None = None,
    priority: int = 0,
    tags: Iterable[str] = (),
    where: str = "inline",
) -> Callable[[Callable[P, Any]], Task[P, Any]]: ...
def task(  # noqa: PLR0913 - each is an option by keyword
    function: Callable[..., Any] | None = None,
    /,
    *,
    retries: int = 0,
    backoff: str | Backoff = "exponential",
    then: str = "fail",
    fallback: str | None = None,
    only: str | None = None,
    timeout_s: float | None = None,
    priority: int = 0,
    tags: Iterable[str] = (),
    where: str = "inline",
) -> Any:
    """Make a function a task: called or mapped inside a workflow, it is recorded there.

    Coroutine functions run on the loop, plain ones inline between two turns of it, and with
    ``where="thread"`` in a thread, for what blocks. ``retries``, ``backoff``, ``then`` and
    ``fallback`` say what happens on failure, ``only="fallback"`` that it runs for that alone.

    >>> @task(retries=2, timeout_s=5)
    ... async def fetch(url: str) -> str: ...
    >>> fetch
    <task sy_dag._graph._trace:fetch>
    """
    if only not in (None, "fallback"):
        raise ValidationError(f"only={only!r} is unknown", hint="the one there is: only='fallback'")
    options = {
        "on_error": OnError(retries, backoff, Then(then), fallback),
        "only_fallback": only == "fallback",
        "timeout_s": timeout_s,
        "priority": priority,
        "tags": frozenset(tags),
        "where": where,
    }
    if function is not None:
        return Task(function, options)
    return lambda fn: Task(fn, options)


def _identifier(name: str) -> str:
    return name if name.isascii() and name.isidentifier() else "task"
