"""Turn merged values into an attrs class, and say everything that does not fit."""

from __future__ import annotations

import enum
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from datetime import time as day_time
from functools import lru_cache
from pathlib import Path
from typing import Any

import attrs

from sy_commons._errors import SymphonyError
from sy_commons._layers import Text
from sy_commons._lines import KeyPath
from sy_commons._redaction import is_secret_name
from sy_commons._secret import MASK, Secret
from sy_commons._suggestion import suggestion
from sy_commons._units import Quantity
from sy_commons._validation import Rule, describe

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_LISTS = (list, Sequence, MutableSequence)
_SETS = (set, frozenset, AbstractSet)
_MOST_UNKNOWN = 50  # told one by one: a file of another kind has thousands
_NATIVE = (datetime, date, day_time)


class Unfit(Exception):
    """A value is not what is *expected*; *reason* says more."""

    def __init__(self, expected: str, reason: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.reason = reason


@attrs.frozen
class Finding:
    """What does not fit: where in the configuration, and what about it."""

    path: KeyPath
    text: str


class Structure:
    """One pass over merged values: collects findings, resolves paths, converts leaves.

    *folder_of* says what a relative path at a key path is relative to; *convert* is asked about
    types that are not known here.
    """

    def __init__(
        self, folder_of: Callable[[KeyPath], Path | None], convert: Callable[[Any, Any], Any]
    ) -> None:
        self.findings: list[Finding] = []
        self._folder_of = folder_of
        self._convert = convert

    def build(self, kind: Any, value: Any, path: KeyPath) -> Any:
        """Return *value* as *kind*, or None with a finding."""
        before = len(self.findings)
        try:
            built = self._build(kind, value, path)
        except Unfit as unfit:
            self._find(path, unfit, value, kind)
            return None
        except RecursionError:
            self.findings.append(Finding(path, "it is nested too deeply"))
            return None
        return built if len(self.findings) == before else None

    def _find(self, path: KeyPath, unfit: Unfit, value: Any, kind: Any) -> None:
        shown = MASK if is_secret(path, kind) else describe(_plain(value))
        reason = f" ({unfit.reason})" if unfit.reason and shown != MASK else ""
        self.findings.append(Finding(path, f"expected {unfit.expected}, found {shown}{reason}"))

    def _build(self, kind: Any, value: Any, path: KeyPath) -> Any:
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            return self._annotated(kind, value, path)
        if kind is Any:
            return _plain(value)
        if attrs.has(origin or kind):
            return self._record(kind, value, path)
        if origin in (typing.Union, types.UnionType):
            return self._union(typing.get_args(kind), value, path)
        if origin is typing.Literal:
            return _literal(typing.get_args(kind), value)
        if (origin or kind) in (dict, Mapping):
            return self._mapping(kind, value, path)
        if (origin or kind) in (*_LISTS, *_SETS, tuple):
            return self._items(origin or kind, typing.get_args(kind), value, path)
        return self._leaf(kind, value, path)

    def _leaf(self, kind: Any, value: Any, path: KeyPath) -> Any:
        known = _LEAVES.get(kind)
        if known is not None:
            return known(value)
        if kind is Path:
            return self._path(value, path)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return _enum(kind, value)
        if kind in _NATIVE:
            if type(value) is kind:
                return value
            value = _toml(value) if isinstance(value, Text) else value
            if type(value) is kind:
                return value
            raise Unfit(f"a {kind.__name__}")
        try:
            return self._convert(_plain(value), kind)
        except Exception as error:
            raise Unfit(name_of(kind), f"{type(error).__name__}: {error}") from error

    def _annotated(self, kind: Any, value: Any, path: KeyPath) -> Any:
        inner, *notes = typing.get_args(kind)
        for note in notes:
            if isinstance(note, Quantity):
                try:
                    return note.parse(_number(value))
                except SymphonyError as error:
                    raise Unfit(f"{note.kind}, {error.hint}", error.context["reason"]) from error
        before = len(self.findings)
        built = self._build(inner, value, path)
        for note in notes:
            if isinstance(note, Rule) and len(self.findings) == before:
                for problem in note(built) or ():
                    where = (*path, problem.path) if problem.path else path
                    hidden = is_secret(path, inner)
                    found = MASK if hidden else problem.found
                    self.findings.append(
                        Finding(where, f"expected {problem.expected}, found {found}")
                    )
        return built

    def _record(self, kind: Any, value: Any, path: KeyPath) -> Any:
        cls = typing.get_origin(kind) or kind
        if isinstance(value, cls):
            return value
        value = _toml(value) if isinstance(value, Text) else value
        if not isinstance(value, Mapping):
            raise Unfit(f"a table for {cls.__name__}")
        plan = plan_of(cls)
        built: dict[str, Any] = {}
        self._refuse_unknown([key for key in value if key not in plan], plan, path)
        before = len(self.findings)
        for name, field in plan.items():
            if name in value:
                found = len(self.findings)
                item = self.build(field.kind, value[name], (*path, name))
                if len(self.findings) == found:
                    built[name] = item
            elif field.required:
                expected = f"expected {name_of(field.kind)}, and nothing sets it"
                self.findings.append(Finding((*path, name), expected))
        return self._construct(cls, plan, built, path, complete=len(self.findings) == before)

    def _refuse_unknown(self, keys: list[Any], plan: dict[str, Field], path: KeyPath) -> None:
        for key in keys[:_MOST_UNKNOWN]:
            close = suggestion(str(key), plan)
            self.findings.append(Finding((*path, key), f"there is no such key{close}"))
        left = len(keys) - _MOST_UNKNOWN
        if left > 0:
            self.findings.append(Finding(path, f"there are {left} more keys that are unknown"))

    def _construct(
        self,
        cls: Any,
        plan: dict[str, Field],
        built: dict[str, Any],
        path: KeyPath,
        *,
        complete: bool,
    ) -> Any:
        trouble: Exception | None = None
        if complete:
            try:
                return cls(**{plan[name].alias: item for name, item in built.items()})
            except Exception as error:  # noqa: BLE001 - a converter's or a validator's
                trouble = error
        found = self._validate(cls, plan, built, path)
        if trouble is not None and not found:
            self.findings.append(Finding(path, f"{cls.__name__} refuses it: {trouble}"))
        return None

    def _validate(
        self, cls: Any, plan: dict[str, Field], built: dict[str, Any], path: KeyPath
    ) -> bool:
        """Run each field's converter and validator by itself: attrs stops at the first."""
        draft = object.__new__(cls)
        for name, item in built.items():
            object.__setattr__(draft, name, item)
        found = False
        for name, item in built.items():
            attribute = plan[name].attribute
            try:
                if callable(attribute.converter):
                    item = attribute.converter(item)  # noqa: PLW2901 - as attrs does it
                if attribute.validator is not None:
                    attribute.validator(draft, attribute, item)
            except AttributeError:
                continue  # it looks at a field that is not there yet
            except Exception as error:  # noqa: BLE001 - whatever a validator raises is its finding
                found = True
                hidden = is_secret((*path, name), plan[name].kind)
                said = error.args[0] if error.args else type(error).__name__
                told = f"{MASK} is refused" if hidden else f"{said}"
                self.findings.append(Finding((*path, name), told))
        return found

    def _union(self, kinds: tuple[Any, ...], value: Any, path: KeyPath) -> Any:
        if value is None and type(None) in kinds:
            return None
        tries = [kind for kind in kinds if kind is not type(None)]
        if len(tries) == 1:
            return self._build(tries[0], value, path)
        tried: list[list[Finding]] = []
        for kind in sorted(tries, key=lambda kind: kind is str):  # any text is a str
            attempt = Structure(self._folder_of, self._convert)
            built = attempt.build(kind, value, path)
            if not attempt.findings:
                return built
            tried.append(attempt.findings)
        deeper = [findings for findings in tried if all(len(f.path) > len(path) for f in findings)]
        if len(deeper) == 1:  # the one whose shape it is
            self.findings += deeper[0]
            return None
        raise Unfit(" or ".join(name_of(kind) for kind in kinds))

    def _mapping(self, kind: Any, value: Any, path: KeyPath) -> Any:
        value = _toml(value) if isinstance(value, Text) else value
        if not isinstance(value, Mapping):
            raise Unfit("a table")
        inner = (typing.get_args(kind) or (Any, Any))[1]
        return {key: self.build(inner, item, (*path, key)) for key, item in value.items()}

    def _items(self, make: Any, kinds: tuple[Any, ...], value: Any, path: KeyPath) -> Any:
        value = _toml(value) if isinstance(value, Text) else value
        if not isinstance(value, list | tuple):
            raise Unfit("a list")
        fixed = make is tuple and kinds and kinds[-1] is not Ellipsis
        if fixed and len(kinds) != len(value):
            raise Unfit(f"a list of {len(kinds)}")
        inner = kinds if fixed else (kinds[0] if kinds else Any,) * len(value)
        built = [
            self.build(kind, item, (*path, number))
            for number, (kind, item) in enumerate(zip(inner, value, strict=True))
        ]
        if make in _LISTS:
            return built
        try:
            return (
                tuple(built)
                if make is tuple
                else frozenset(built)
                if make in _SETS[1:]
                else set(built)
            )
        except TypeError as error:
            raise Unfit("a list without tables", str(error)) from error

    def _path(self, value: Any, path: KeyPath) -> Path:
        if isinstance(value, Path):
            return value
        if not isinstance(value, str) or not value or "\0" in value:
            raise Unfit("a path")
        found = Path(value)
        if value.startswith("~"):
            try:
                found = found.expanduser()
            except RuntimeError as error:
                raise Unfit("a path", str(error)) from error
        folder = self._folder_of(path)
        return found if folder is None else folder / found


@attrs.frozen
class Field:
    """One field of a configuration class."""

    attribute: Any
    kind: Any
    alias: str
    required: bool


@lru_cache(maxsize=256)
def plan_of(cls: Any) -> dict[str, Field]:
    """Return the fields of the attrs class *cls* that a configuration sets."""
    kinds = typing.get_type_hints(cls, include_extras=True)
    return {
        field.name: Field(
            attribute=field,
            kind=kinds.get(field.name, Any),
            alias=field.alias or field.name,
            required=field.default is attrs.NOTHING,
        )
        for field in attrs.fields(cls)
        if field.init
    }


def is_secret(path: KeyPath, kind: Any) -> bool:
    """Tell whether what is at *path*, or is of *kind*, is masked."""
    named = any(isinstance(step, str) and is_secret_name(step) for step in path)
    return named or kind is Secret or Secret in typing.get_args(kind)


def name_of(kind: Any) -> str:
    """Return what people call *kind*.

    >>> [name_of(kind) for kind in (int, Path, list[str], int | None)]
    ['an integer', 'a path', 'a list', 'an integer or nothing']
    """
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        inner, *notes = typing.get_args(kind)
        return next((note.kind for note in notes if isinstance(note, Quantity)), name_of(inner))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(name_of(part) for part in typing.get_args(kind))
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(kind)))}"
    if (origin or kind) in (*_LISTS, *_SETS, tuple):
        return "a list"
    if (origin or kind) in (dict, Mapping):
        return "a table"
    return _NAMES.get(kind) or str(getattr(kind, "__name__", kind))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Text) else value


def _number(value: Any) -> Any:
    return str(value) if isinstance(value, Text) else value


def _toml(value: Text) -> Any:
    """Return what *value* is as a TOML value; as itself, when it is none."""
    if "\n" in value or len(value) > 100_000:
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return value


def _integer(value: Any) -> int:
    if isinstance(value, Text):
        value = _toml(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Unfit("an integer")


def _real(value: Any) -> float:
    if isinstance(value, Text):
        value = _toml(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise Unfit("a number", "it is too large") from error
    raise Unfit("a number")


def _truth(value: Any) -> bool:
    if isinstance(value, Text):
        word = value.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
    if isinstance(value, bool):
        return value
    raise Unfit("true or false")


def _string(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    raise Unfit("text")


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(str(value))
    raise Unfit("a secret, which is text")


def _nothing(value: Any) -> None:
    if value is not None:
        raise Unfit("nothing")


def _literal(choices: tuple[Any, ...], value: Any) -> Any:
    values = [value, _toml(value)] if isinstance(value, Text) else [value]
    for choice in choices:
        for given in values:
            same = type(choice) is type(given) or (
                isinstance(choice, str) and isinstance(given, str)
            )
            if same and choice == given:
                return choice
    close = (
        suggestion(value, [c for c in choices if isinstance(c, str)])
        if isinstance(value, str)
        else ""
    )
    raise Unfit(f"one of {', '.join(map(repr, choices))}", close.removeprefix("; "))


def _enum(kind: type[enum.Enum], value: Any) -> Any:
    if isinstance(value, kind):
        return value
    values = [_plain(value), _toml(value)] if isinstance(value, Text) else [value]
    for member in kind:
        if any(member.value == given and type(member.value) is type(given) for given in values):
            return member
        if isinstance(value, str) and member.name.lower() == value.lower():
            return member
    raise Unfit(f"one of {', '.join(repr(member.value) for member in kind)}")


_LEAVES: dict[Any, Callable[[Any], Any]] = {
    int: _integer,
    float: _real,
    bool: _truth,
    str: _string,
    Secret: _secret,
    type(None): _nothing,
}
_NAMES = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    Secret: "a secret",
    type(None): "nothing",
}
