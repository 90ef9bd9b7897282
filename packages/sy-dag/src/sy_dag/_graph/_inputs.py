"""What a workflow asks for: types by name, and turning what was given into them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_origin

from sy_dag._errors import InputsInvalid, Listing, Problem, nearest
from sy_dag._graph._node import Input

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def type_name(kind: object) -> str:
    """Return the name of an input's type: "path" for Path, "list" for list[str], "any" for others.

    >>> [type_name(kind) for kind in (str, Path, list[int], dict, bytes, "float")]
    ['str', 'path', 'list', 'object', 'any', 'float']
    """
    if isinstance(kind, str):
        return kind
    origin = get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, Path):
        return "path"
    return _PYTHON.get(origin, "any") if isinstance(origin, type) else "any"


def check_inputs(
    workflow: str, declared: Mapping[str, Input], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs converted, defaults filled in; raise ``InputsInvalid`` with all."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name in given:
        if name not in declared:
            mend = nearest(name, declared)
            problems.append(Problem("dag.input_unknown", f"there is no input {name!r}", mend))
    for name, declaration in declared.items():
        if name not in given and declaration.required:
            asked = f"give it: {name}=… ({declaration.description or declaration.type})"
            problems.append(Problem("dag.input_missing", f"input {name!r} is missing", asked))
            continue
        value = given.get(name, declaration.default)
        try:
            values[name] = convert(declaration.type, value)
        except ValueError as error:
            problems.append(Problem("dag.input_type", f"input {name!r}: {error}"))
    if problems:
        raise InputsInvalid(workflow=workflow, problems=Listing(problems))
    return values


def convert(kind: str, value: Any) -> Any:
    """Return *value* as *kind*; text, as a command line gives it, is read.

    Raises ValueError where it is not one.

    >>> convert("int", "8"), convert("bool", "yes"), convert("list", "a,b")
    (8, True, ['a', 'b'])
    """
    return _CONVERTERS[kind](value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(_not_a("text", value))


def _path(value: Any) -> str:
    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        if isinstance(path, str) and path and "\0" not in path:
            return path
    raise ValueError(_not_a("path", value))


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise ValueError(_not_a("whole number", value))


def _number(value: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError(_not_a("number", value))


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise ValueError(_not_a("true or false", value))


def _sequence(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            return _json(value, list, "list")  # type: ignore[no-any-return]  # checked to be one
        return [part.strip() for part in value.split(",") if part.strip()]
    raise ValueError(_not_a("list", value))


def _table(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str):
        return _json(value, dict, "table (JSON object)")  # type: ignore[no-any-return]  # as above
    raise ValueError(_not_a("table", value))


def _json(text: str, kind: type, wanted: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise ValueError(_not_a(wanted, text))  # noqa: TRY004 - text of the wrong form, not type
    return value


def _not_a(wanted: str, value: object) -> str:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    return f"{shown} is no {wanted}" if wanted != "true or false" else f"{shown} is not {wanted}"


_PYTHON: dict[type, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    list: "list",
    tuple: "list",
    dict: "object",
}
_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "any": lambda value: value,
    "bool": _truth,
    "float": _number,
    "int": _whole,
    "list": _sequence,
    "object": _table,
    "path": _path,
    "str": _text,
}
TYPES = tuple(sorted(_CONVERTERS))
