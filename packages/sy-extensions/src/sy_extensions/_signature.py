"""The schema of an extension is the signature of its method; arguments are checked against it."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, get_type_hints

import attrs

from sy_commons import suggestion
from sy_extensions._checks import MAX_PROBLEMS, Check, make_check, type_name
from sy_extensions._errors import DefinitionInvalid

if TYPE_CHECKING:
    from sy_extensions._types import Extension

_REQUIRED = object()
_LONGEST_WORD = 100  # comparing words costs the square of their length
_HOOKS = ("on_configure", "on_activate", "on_deactivate")
_known: weakref.WeakKeyDictionary[type, Signature] = weakref.WeakKeyDictionary()


@attrs.frozen
class Parameter:
    """One argument of an extension's method.

    >>> from sy_extensions import Operator
    >>> class Head(Operator):
    ...     async def process(self, lines: list[str], *, count: int = 10) -> list[str]:
    ...         return lines[:count]
    >>> [(p.name, p.type, p.required) for p in signature_of(Head).parameters]
    [('lines', 'list[str]', True), ('count', 'int', False)]
    """

    name: str
    annotation: Any
    default: Any = _REQUIRED
    _check: Check = attrs.field(kw_only=True, repr=False, eq=False)

    @property
    def required(self) -> bool:
        """Whether a call must name it."""
        return self.default is _REQUIRED

    @property
    def type(self) -> str:
        """Its type, as its author wrote it."""
        return type_name(self.annotation)

    def __str__(self) -> str:
        end = "" if self.required else f" = {self.default!r}"
        return f"{self.name}: {self.type}{end}"


@attrs.frozen
class Signature:
    """What a method takes and returns.

    >>> from sy_extensions import Operator
    >>> class Head(Operator):
    ...     async def process(self, lines: list[str], *, count: int = 10) -> list[str]:
    ...         return lines[:count]
    >>> print(signature_of(Head))
    process(lines: list[str], count: int = 10) -> list[str]
    """

    method: str
    parameters: tuple[Parameter, ...]
    returns: Any
    _by_name: dict[str, Parameter] = attrs.field(kw_only=True, repr=False, eq=False)
    _check_result: Check = attrs.field(kw_only=True, repr=False, eq=False)

    def check_arguments(
        self, arguments: Mapping[str, Any], *, pending: Collection[str] = ()
    ) -> list[str]:
        """Return everything that is wrong with *arguments*, at most 20 problems; [] is right.

        Nested containers are looked into as deep as the annotations say; nothing is converted.
        *pending* are names of arguments whose values are not known yet: they count as given.
        """
        problems: list[str] = []
        by_name = self._by_name
        for name in (*pending, *arguments):
            parameter = by_name.get(name)
            if parameter is None:
                problems.append(f"unknown argument {name!r}{suggestion(name, by_name)}")
            elif name in arguments:
                parameter._check(arguments[name], name, problems)  # noqa: SLF001 - its own room
        problems += [
            f"missing argument {parameter.name!r} ({parameter.type})"
            for parameter in self.parameters
            if parameter.required
            and parameter.name not in arguments
            and parameter.name not in pending
        ]
        return problems[:MAX_PROBLEMS]

    def check_result(self, result: Any) -> list[str]:
        """Return everything that is wrong with what the method returned."""
        problems: list[str] = []
        self._check_result(result, "result", problems)
        return problems[:MAX_PROBLEMS]

    def __str__(self) -> str:
        parameters = ", ".join(map(str, self.parameters))
        return f"{self.method}({parameters}) -> {type_name(self.returns)}"


@attrs.frozen
class Description:
    """What a person or a program wants to know of an extension before calling it."""

    type: str
    summary: str
    documentation: str
    signature: Signature

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "type": self.type,
            "summary": self.summary,
            "documentation": self.documentation,
            "method": self.signature.method,
            "parameters": [
                {"name": p.name, "type": p.type, "required": p.required}
                | ({} if p.required else {"default": repr(p.default)})
                for p in self.signature.parameters
            ],
            "returns": type_name(self.signature.returns),
        }


def signature_of(extension: type[Extension]) -> Signature:
    """Return the signature of an extension class's method, read once.

    Raises :class:`DefinitionInvalid` when an annotation names something that is not there.
    """
    known = _known.get(extension)
    if known is None:
        known = _known[extension] = _read(extension)
    return known


def check_arguments(extension: type[Extension], arguments: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with the arguments of a call; [] is right.

    >>> from sy_extensions import Operator
    >>> class Join(Operator):
    ...     async def process(self, parts: list[str], *, between: str = "") -> str:
    ...         return between.join(parts)
    >>> for problem in check_arguments(Join, {"part": ["a"], "between": 1}):
    ...     print(problem)
    unknown argument 'part'; did you mean 'parts'?
    between: expected str, got int
    missing argument 'parts' (list[str])
    """
    return signature_of(extension).check_arguments(arguments)


def describe(extension: type[Extension]) -> Description:
    """Return an extension class's type, its docstring and its signature.

    >>> from sy_extensions import Instrument
    >>> class Echo(Instrument):
    ...     \"\"\"Says it again.\"\"\"
    ...     async def invoke(self, prompt: str) -> str:
    ...         return prompt
    >>> describe(Echo).summary
    'Says it again.'
    """
    # An inherited docstring would describe somebody else.
    documentation = inspect.cleandoc(extension.__dict__.get("__doc__") or "")
    summary = documentation.partition("\n\n")[0].replace("\n", " ")
    return Description(extension.type, summary, documentation, signature_of(extension))


def check_definition(cls: type[Extension]) -> None:
    """Raise :class:`DefinitionInvalid` unless the class's own method and hooks can be called."""
    for name in (cls.method, *_HOOKS):
        defined = cls.__dict__.get(name)
        if defined is None or getattr(defined, "__isabstractmethod__", False):
            continue
        reason = _fault_of_function(defined, name)
        if reason is None and name == cls.method:
            reason = _fault_of_parameters(defined)
        if reason is not None:
            raise DefinitionInvalid(
                class_name=cls.__name__, method=cls.method or name, reason=reason
            )


def _fault_of_function(defined: object, name: str) -> str | None:
    if inspect.isasyncgenfunction(defined):
        return f"{name} yields; it has to return its result"
    if not inspect.iscoroutinefunction(defined):
        return f"{name} has to be an async method (await asyncio.to_thread for what blocks)"
    return None


def _fault_of_parameters(function: Any) -> str | None:
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return f"{parameter} hides what it takes; name each argument"
        if parameter.kind is parameter.POSITIONAL_ONLY:
            return f"{parameter.name} is positional-only, and calls name their arguments"
        if parameter.annotation is parameter.empty:
            return f"argument {parameter.name!r} has no type"
    return None


def _read(extension: type[Extension]) -> Signature:
    function = getattr(extension, extension.method or "-", None)
    if function is None or getattr(function, "__isabstractmethod__", False):
        raise _invalid(extension, f"it defines no {extension.method or 'method'}")
    try:
        hints = get_type_hints(function)
    except Exception as error:
        raise _invalid(extension, f"its types cannot be read: {error}") from error
    parameters = tuple(
        Parameter(
            p.name,
            hints[p.name],
            _REQUIRED if p.default is p.empty else p.default,
            check=make_check(hints[p.name]),
        )
        for p in list(inspect.signature(function).parameters.values())[1:]
    )
    returns = hints.get("return", Any)
    return Signature(
        extension.method,
        parameters,
        returns,
        by_name={p.name: p for p in parameters},
        check_result=make_check(returns),
    )


def _invalid(extension: type[Extension], reason: str) -> DefinitionInvalid:
    return DefinitionInvalid(class_name=extension.__name__, method=extension.method, reason=reason)
