"""Checks that find everything wrong with a value, in microseconds and without I/O.

>>> print(not_empty(" "), "|", not_empty(0))
expected something in it, found ' ' | None
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from typing import Any

import attrs

from sy_commons._redaction import is_secret_name, shown
from sy_commons._secret import MASK

_LONGEST_FOUND = 80
_ABSENT = object()


@attrs.frozen
class Problem:
    """What is wrong with one value: where, what was expected, what was found.

    A problem of several parts yields its parts when iterated over; one that has none, itself.

    >>> problem = max_length(3)("abcdef")
    >>> print(problem)
    expected at most 3 characters, found 6: 'abcdef'
    >>> problem.rule
    'max_length'
    """

    expected: str
    found: str
    path: str = ""
    rule: str = ""
    fatal: bool = False  # of another type altogether: further rules would only say so again
    parts: tuple[Problem, ...] = ()

    def __iter__(self) -> Iterator[Problem]:
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part

    def below(self, step: str) -> Problem:
        """Return the problem as seen from one level up, where the value is at *step*."""
        if self.parts:
            return attrs.evolve(self, parts=tuple(part.below(step) for part in self.parts))
        joined = self.path if not self.path or self.path.startswith("[") else f".{self.path}"
        found = MASK if is_secret_name(step) and self.found != _MISSING else self.found
        return attrs.evolve(self, path=f"{step}{joined}", found=found)

    def __str__(self) -> str:
        if self.parts:
            return "; ".join(str(part) for part in self)
        where = f"{self.path}: " if self.path else ""
        return f"{where}expected {self.expected}, found {self.found}"


_MISSING = "nothing"
Check = Callable[[Any], Problem | None]


class Rule:
    """A check that maps a value to None or a :class:`Problem`, and composes.

    ``a & b`` holds when both do and tells what is wrong with either, ``a | b`` when one does,
    ``~a`` when *a* does not. *expected* completes "expected …". Stateless: safe everywhere.

    >>> small = in_range(0, 9) | one_of("many")
    >>> print(small(5), "and", small(12))
    None and expected a number from 0 to 9, or one of 'many', found 12
    """

    __slots__ = ("_check", "expected", "name", "optional")

    def __init__(self, check: Check, *, name: str, expected: str, optional: bool = False) -> None:
        self._check = check
        self.name = name
        self.expected = expected
        self.optional = optional

    def __call__(self, value: Any) -> Problem | None:
        return self._check(value)

    def __and__(self, other: Check) -> Rule:
        first, second = self, as_rule(other)

        def check(value: Any) -> Problem | None:
            left = first(value)
            if left is None:
                return second(value)
            if left.fatal or (right := second(value)) is None:
                return left
            return _together((left, right))

        return Rule(check, name="and", expected=f"{first.expected} and {second.expected}")

    def __or__(self, other: Check) -> Rule:
        first, second = self, as_rule(other)
        expected = f"{first.expected}, or {second.expected}"

        def check(value: Any) -> Problem | None:
            if first(value) is None or second(value) is None:
                return None
            return Problem(expected, describe(value), rule="or")

        return Rule(check, name="or", expected=expected)

    def __invert__(self) -> Rule:
        inner = self
        expected = f"something else than {inner.expected}"

        def check(value: Any) -> Problem | None:
            if inner(value) is not None:
                return None
            return Problem(expected, describe(value), rule="not")

        return Rule(check, name="not", expected=expected)

    def __repr__(self) -> str:
        return f"<Rule {self.name}: {self.expected}>"


def validate(
    value: Any, rules: Check | Mapping[str, Any], *, closed: bool = False
) -> list[Problem]:
    """Return everything that is wrong with *value*, each with its path; nothing wrong, nothing.

    *rules* is a rule, or a mapping from field to rule or to a further mapping; fields are keys
    of a mapping, or attributes of anything else. A field has to be there unless its rule is
    :func:`optional`; with *closed*, there may be no others. A value whose field's name says it
    is secret is masked. A compiled :func:`record` saves making the rules again.

    >>> tags = ["ok", "x" * 99]
    >>> rules = {"name": not_empty & max_length(80), "tags": each(max_length(20))}
    >>> for problem in validate({"name": "", "tags": tags}, rules):
    ...     print(problem)  # doctest: +ELLIPSIS
    name: expected something in it, found ''
    tags[1]: expected at most 20 characters, found 99: 'xxx...
    """
    checked = record(rules, closed=closed) if isinstance(rules, Mapping) else as_rule(rules)
    problem = checked(value)
    return [] if problem is None else list(problem)


def rule(function: Callable[[Any], str | Problem | bool | None]) -> Rule:
    """Return *function* as a rule that composes: its docstring's first line says what is expected.

    It returns None (or True) when all is well, and a problem, or what was expected as text, or
    False, when not. An exception it raises is a problem, too: a check must not break on input.

    >>> @rule
    ... def even(value):
    ...     "an even number"
    ...     return value % 2 == 0
    >>> print(even(3), "|", (even & in_range(0, 9))(4), "|", even("x"))  # doctest: +ELLIPSIS
    expected an even number, found 3 | None | expected an even number, found 'x' (TypeError: ...)
    """
    name = getattr(function, "__name__", type(function).__name__)
    words = (function.__doc__ or name.replace("_", " ")).strip().splitlines()[0].rstrip(".")

    def check(value: Any) -> Problem | None:
        try:
            said = function(value)
        except Exception as error:  # noqa: BLE001 - whatever a hostile value makes it raise
            trouble = shown(f"{type(error).__name__}: {error}")[:_LONGEST_FOUND]
            return Problem(words, f"{describe(value)} ({trouble})", rule=name)
        if said is None or said is True:
            return None
        if isinstance(said, Problem):
            return said
        return Problem(said if isinstance(said, str) else words, describe(value), rule=name)

    return Rule(check, name=name, expected=words)


def as_rule(check: Check | Mapping[str, Any]) -> Rule:
    """Return *check* as a rule: itself, a record of a mapping, or a function made one."""
    if isinstance(check, Rule):
        return check
    return record(check) if isinstance(check, Mapping) else rule(check)


def record(fields: Mapping[str, Any], *, closed: bool = False) -> Rule:
    """Expect each of *fields* to keep its rule; with *closed*, expect no others.

    >>> point = record({"x": is_a(int), "y": is_a(int)}, closed=True)
    >>> print(point({"x": 1, "z": 2}))
    y: expected a value, found nothing; z: expected no such field, found 2
    """
    known = {name: as_rule(check) for name, check in fields.items()}
    plan = tuple((name, found, found.optional) for name, found in known.items())

    def check(value: Any) -> Problem | None:
        problems: list[Problem] = []
        is_mapping = isinstance(value, Mapping)
        if not is_mapping and (value is None or isinstance(value, _SCALARS)):
            return Problem("a record", describe(value), rule="record", fatal=True)
        for name, found, may_miss in plan:
            item = value.get(name, _ABSENT) if is_mapping else getattr(value, name, _ABSENT)
            if item is _ABSENT:
                if not may_miss:
                    problems.append(Problem("a value", _MISSING, path=name, rule="required"))
            elif (problem := found(item)) is not None:
                problems.append(problem.below(name))
        if closed and is_mapping:
            problems += [
                Problem("no such field", describe(value[name]), rule="closed").below(str(name))
                for name in value
                if name not in known
            ]
        return _together(problems)

    return Rule(check, name="record", expected=f"a record of {', '.join(known) or 'nothing'}")


def each(check: Check | Mapping[str, Any]) -> Rule:
    """Expect a list, tuple or set whose every item keeps the rule *check*.

    >>> print(each(in_range(0, 9))([1, 12, 3]))
    [1]: expected a number from 0 to 9, found 12
    """
    inner = as_rule(check)

    def run(value: Any) -> Problem | None:
        if not isinstance(value, list | tuple | set | frozenset):
            return Problem("a list", describe(value), rule="each", fatal=True)
        found = [
            problem.below(f"[{position}]")
            for position, item in enumerate(value)
            if (problem := inner(item)) is not None
        ]
        return _together(found)

    return Rule(run, name="each", expected=f"a list of {inner.expected}")


def each_value(check: Check | Mapping[str, Any]) -> Rule:
    """Expect a mapping whose every value keeps the rule *check*, whatever its key.

    >>> print(each_value(is_a(int))({"a": 1, "b": "2"}))
    b: expected an int, found '2'
    """
    inner = as_rule(check)

    def run(value: Any) -> Problem | None:
        if not isinstance(value, Mapping):
            return Problem("a mapping", describe(value), rule="each_value", fatal=True)
        found = [
            problem.below(str(key))
            for key, item in value.items()
            if (problem := inner(item)) is not None
        ]
        return _together(found)

    return Rule(run, name="each_value", expected=f"a mapping to {inner.expected}")


def optional(check: Check | Mapping[str, Any]) -> Rule:
    """Expect None, nothing at all, or what keeps the rule *check*.

    >>> validate({}, {"note": optional(max_length(9))})
    []
    """
    inner = as_rule(check)

    def run(value: Any) -> Problem | None:
        return None if value is None else inner(value)

    return Rule(run, name="optional", expected=f"nothing, or {inner.expected}", optional=True)


def describe(value: Any) -> str:
    """Return *value* for a message: shortened, its secrets masked."""
    try:
        text = repr(value[:_LONGEST_FOUND] if isinstance(value, str | bytes) else value)
    except Exception as error:  # noqa: BLE001 - a hostile __repr__ is a value like any other
        text = f"<{type(value).__name__}: {type(error).__name__} in __repr__>"
    text = shown(text)
    return text if len(text) <= _LONGEST_FOUND else f"{text[: _LONGEST_FOUND - 1]}…"


def is_a(*types: type) -> Rule:
    """Expect an instance of one of *types*; a bool is no number here.

    >>> print(is_a(int)(True), "|", is_a(int, str)("x"))
    expected an int, found True | None
    """
    names = " or ".join(
        ("an " if kind.__name__[0] in "aeiou" else "a ") + kind.__name__ for kind in types
    )

    def check(value: Any) -> Problem | None:
        if isinstance(value, types) and (bool in types or not isinstance(value, bool)):
            return None
        return Problem(names, describe(value), rule="is_a", fatal=True)

    return Rule(check, name="is_a", expected=names)


def max_length(most: int) -> Rule:
    """Expect at most *most* characters or items.

    >>> print(max_length(2)([1, 2, 3]))
    expected at most 2 items, found 3: [1, 2, 3]
    """
    return _length("max_length", f"at most {most}", lambda length: length <= most)


def min_length(least: int) -> Rule:
    """Expect at least *least* characters or items.

    >>> print(min_length(2)("a"))
    expected at least 2 characters, found 1: 'a'
    """
    return _length("min_length", f"at least {least}", lambda length: length >= least)


def in_range(low: float | None = None, high: float | None = None) -> Rule:
    """Expect a number from *low* to *high*, both included; None is no limit. NaN is in no range.

    >>> print(in_range(1)(0))
    expected a number from 1, found 0
    """
    ends = (f" from {low}" if low is not None else "") + (f" to {high}" if high is not None else "")
    expected = f"a number{ends}"
    least = float("-inf") if low is None else low
    most = float("inf") if high is None else high

    def check(value: Any) -> Problem | None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return Problem(expected, describe(value), rule="in_range", fatal=True)
        if least <= value <= most:
            return None
        return Problem(expected, describe(value), rule="in_range")

    return Rule(check, name="in_range", expected=expected)


def one_of(*choices: Any) -> Rule:
    """Expect one of *choices*.

    >>> print(one_of("red", "green")("blue"))
    expected one of 'red', 'green', found 'blue'
    """
    expected = f"one of {', '.join(map(describe, choices))}"

    def check(value: Any) -> Problem | None:
        found = any(choice == value and type(choice) is type(value) for choice in choices)
        return None if found else Problem(expected, describe(value), rule="one_of")

    return Rule(check, name="one_of", expected=expected)


def _length(name: str, limit: str, holds: Callable[[int], bool]) -> Rule:
    def check(value: Any) -> Problem | None:
        try:
            length = len(value)
        except TypeError:
            return Problem("something with a length", describe(value), rule=name, fatal=True)
        if holds(length):
            return None
        unit = "characters" if isinstance(value, str) else "items"
        return Problem(f"{limit} {unit}", f"{length}: {describe(value)}", rule=name)

    return Rule(check, name=name, expected=f"{limit} characters or items")


def _not_empty(value: Any) -> Problem | None:
    if isinstance(value, str):
        empty = not value or value.isspace()
    elif isinstance(value, Sized):
        empty = not len(value)
    else:
        empty = value is None  # 0 and False are something
    return Problem("something in it", describe(value), rule="not_empty") if empty else None


def _together(problems: list[Problem] | tuple[Problem, ...]) -> Problem | None:
    if not problems:
        return None
    if len(problems) == 1:
        return problems[0]
    return Problem("several things", "others", rule="all", parts=tuple(problems))


_SCALARS = (str, bytes, int, float, list, tuple, set, frozenset)
not_empty = Rule(_not_empty, name="not_empty", expected="something in it")
