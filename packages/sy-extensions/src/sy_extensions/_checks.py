"""Annotations made into checks: a value, where it stands, and the problems found.

A check looks as deep as its annotation and no deeper, never consumes an iterator, and stops
after :data:`MAX_PROBLEMS`. What an annotation cannot be checked for at run time (a Protocol, a
TypeVar) passes.
"""

from __future__ import annotations

import collections.abc
import reprlib
import types
from collections.abc import Callable, Mapping
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

MAX_PROBLEMS = 20

Check = Callable[[Any, str, list[str]], None]
"""Appends to the list what is wrong with the value that stands at the path."""


def type_name(annotation: Any) -> str:
    """Return an annotation as its author wrote it, without module names.

    >>> [type_name(a) for a in (list[str], int | None, Literal["a", 1], Any, None)]
    ['list[str]', 'int | None', "'a' | 1", 'Any', 'None']
    """
    if annotation is None or annotation is types.NoneType:
        return "None"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(repr(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(type_name(argument) for argument in arguments)
    if origin in (Annotated, Required, NotRequired):
        return type_name(arguments[0])
    name = getattr(origin or annotation, "__name__", None) or str(annotation)
    if not arguments or origin is collections.abc.Callable:
        return name
    inner = ", ".join("..." if a is Ellipsis else type_name(a) for a in arguments)
    return f"{name}[{inner}]"


def make_check(annotation: Any) -> Check:
    """Return the check of an annotation.

    >>> problems: list[str] = []
    >>> make_check(dict[str, list[int]])({"a": [1, "2"]}, "rows", problems)
    >>> problems
    ["rows['a'][1]: expected int, got str"]
    """
    if annotation is Any or annotation is object:
        return _accept
    if annotation is None or annotation is types.NoneType:
        return _of_class(types.NoneType, "None")
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Annotated, Required, NotRequired):
        return make_check(arguments[0])
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, types.UnionType):
        return _union(arguments, type_name(annotation))
    if isinstance(origin, type):
        return _container(origin, arguments, type_name(annotation))
    return _named(annotation)


def _named(annotation: Any) -> Check:
    if isinstance(annotation, NewType):
        return make_check(annotation.__supertype__)
    if isinstance(annotation, TypeVar) and annotation.__bound__ is not None:
        return make_check(annotation.__bound__)
    if is_typeddict(annotation):
        return _typed_dict(annotation)
    if isinstance(annotation, type):
        return _of_class(annotation, type_name(annotation))
    return _accept


def _accept(value: Any, where: str, problems: list[str]) -> None:
    """Nothing to check."""


def _complain(expected: str, value: Any, where: str, problems: list[str]) -> None:
    # Only the type is told: the value may be long, or secret.
    got = "None" if value is None else type(value).__name__
    problems.append(f"{where}: expected {expected}, got {got}")


def _of_class(cls: type, name: str) -> Check:
    if cls is int:
        return _of_int
    if cls is float:
        return _of_float
    try:
        isinstance(None, cls)
    except TypeError:  # a Protocol that cannot be asked at run time
        return _accept
    # A string is a sequence to Python and seldom to its author.
    texts: tuple[type, ...] = (str, bytes)
    sequence = cls in (collections.abc.Sequence, collections.abc.Collection)

    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, cls) or (sequence and isinstance(value, texts)):
            _complain(name, value, where, problems)

    return check


def _of_int(value: Any, where: str, problems: list[str]) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        _complain("int", value, where, problems)


def _of_float(value: Any, where: str, problems: list[str]) -> None:
    if not isinstance(value, float | int) or isinstance(value, bool):
        _complain("float", value, where, problems)


def _literal(allowed: tuple[Any, ...]) -> Check:
    expected = " | ".join(repr(value) for value in allowed)

    def check(value: Any, where: str, problems: list[str]) -> None:
        # 1 == True == 1.0, and only one of them is meant.
        if not any(type(value) is type(known) and value == known for known in allowed):
            shown = reprlib.repr(value) if isinstance(value, str | int) else type(value).__name__
            problems.append(f"{where}: expected {expected}, got {shown}")

    return check


def _union(members: tuple[Any, ...], name: str) -> Check:
    checks = [make_check(member) for member in members]

    def check(value: Any, where: str, problems: list[str]) -> None:
        closest: list[str] | None = None
        for one in checks:
            found: list[str] = []
            one(value, where, found)
            if not found:
                return
            # A member that got inside the value says more than "none of them".
            if any(not problem.startswith(f"{where}: ") for problem in found):
                closest = closest or found
        if closest:
            problems.extend(closest)
        else:
            _complain(name, value, where, problems)

    return check


def _container(origin: type, arguments: tuple[Any, ...], name: str) -> Check:
    shell = _of_class(origin, name)
    if issubclass(origin, tuple) and arguments[-1:] != (Ellipsis,):
        return _exact_tuple(shell, arguments, name)
    if issubclass(origin, collections.abc.Mapping) and len(arguments) == 2:
        return _mapping(shell, make_check(arguments[0]), make_check(arguments[1]))
    if issubclass(origin, collections.abc.Collection) and arguments:
        return _collection(shell, arguments[0])
    return shell


def _collection(shell: Check, element: Any) -> Check:
    check_element = make_check(element)
    plain = {element} if element in (str, int, float, bytes, bool) else None

    def check(value: Any, where: str, problems: list[str]) -> None:
        before = len(problems)
        shell(value, where, problems)
        if len(problems) > before or check_element is _accept:
            return
        if plain and set(map(type, value)) <= plain:  # the common case, at the speed of C
            return
        for index, item in enumerate(value):
            check_element(item, f"{where}[{index}]", problems)
            if len(problems) >= MAX_PROBLEMS:
                return

    return check


def _mapping(shell: Check, check_key: Check, check_value: Check) -> Check:
    def check(value: Any, where: str, problems: list[str]) -> None:
        before = len(problems)
        shell(value, where, problems)
        if len(problems) > before:
            return
        for key, item in value.items():
            shown = reprlib.repr(key)
            check_key(key, f"{where}: key {shown}", problems)
            check_value(item, f"{where}[{shown}]", problems)
            if len(problems) >= MAX_PROBLEMS:
                return

    return check


def _exact_tuple(shell: Check, members: tuple[Any, ...], name: str) -> Check:
    checks = [make_check(member) for member in members]

    def check(value: Any, where: str, problems: list[str]) -> None:
        before = len(problems)
        shell(value, where, problems)
        if len(problems) > before:
            return
        if len(value) != len(checks):
            problems.append(f"{where}: expected {name}, got {len(value)} items")
            return
        for index, (one, item) in enumerate(zip(checks, value, strict=True)):
            one(item, f"{where}[{index}]", problems)

    return check


def _typed_dict(annotation: Any) -> Check:
    hints = get_type_hints(annotation, include_extras=True)
    checks = {key: make_check(hint) for key, hint in hints.items()}
    # Under postponed annotations __required_keys__ misses these marks.
    marked = {key: get_origin(hint) for key, hint in hints.items()}
    required = {key for key in annotation.__required_keys__ if marked[key] is not NotRequired}
    required |= {key for key, mark in marked.items() if mark is Required}
    name = type_name(annotation)

    def check(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, Mapping):
            _complain(name, value, where, problems)
            return
        problems.extend(f"{where}: {name} needs {key!r}" for key in sorted(required - value.keys()))
        for key, item in value.items():
            if key in checks:
                checks[key](item, f"{where}[{key!r}]", problems)
            else:
                problems.append(f"{where}: {name} has no {reprlib.repr(key)}")
            if len(problems) >= MAX_PROBLEMS:
                return

    return check
