"""One error type for every package: facts in, a story out.

A subclass declares its facts once, as annotations; the base makes the constructor, the text,
the context, pickling and the wire form of them. This module is imported by everything and
imports next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform

from sy_commons._redaction import is_secret_name, json_safe, shown, text_of
from sy_commons._secret import MASK, Secret

_MAX_CAUSES = 16
_PLAIN = (str, int, float, bool, type(None))  # travel as they are
_CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_by_code: dict[str, type[SymphonyError]] = {}


class ErrorCategory(StrEnum):
    """What kind of trouble it is: what a caller does next depends on it."""

    VALIDATION = "validation"
    CONFIGURATION = "configuration"
    IO = "io"
    SERIALIZATION = "serialization"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PERMISSION = "permission"
    RESOURCE = "resource"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


_RETRYABLE = frozenset({ErrorCategory.TIMEOUT, ErrorCategory.UNAVAILABLE, ErrorCategory.RESOURCE})


class _Signature:
    """Shows the facts to ``inspect.signature``; imports inspect only when asked."""

    def __get__(self, instance: object, owner: type[SymphonyError]) -> Any:
        from inspect import Parameter, Signature  # noqa: PLC0415 - heavy, and seldom asked

        if not owner._facts:
            keyword = Parameter.KEYWORD_ONLY
            return Signature(
                [
                    Parameter(
                        "text", Parameter.POSITIONAL_ONLY, default=None, annotation="str | None"
                    ),
                    Parameter("hint", keyword, default=None, annotation="str | None"),
                    Parameter(
                        "context", keyword, default=None, annotation="Mapping[str, Any] | None"
                    ),
                ]
            )
        return Signature(
            [
                Parameter(
                    name,
                    Parameter.KEYWORD_ONLY,
                    default=owner._defaults.get(name, Parameter.empty),
                    annotation=annotation,
                )
                for name, annotation in owner._facts.items()
            ]
        )


def _register(cls: type[SymphonyError]) -> None:
    if not isinstance(cls.code, str) or not _CODE.fullmatch(cls.code):
        raise TypeError(f"{cls.__qualname__}: {cls.code!r} is no code; dotted lower case is wanted")
    if not isinstance(cls.category, ErrorCategory):
        raise TypeError(f"{cls.__qualname__}: {cls.category!r} is no ErrorCategory")
    known = _by_code.get(cls.code)
    if known is not None and (known.__module__, known.__qualname__) != (
        cls.__module__,
        cls.__qualname__,
    ):
        raise TypeError(
            f"{cls.__qualname__} and {known.__qualname__} have the same code {cls.code!r}"
        )
    _by_code[cls.code] = cls


@dataclass_transform(kw_only_default=True)
class SymphonyError(Exception):
    """The error of every Symphony package.

    Raise it as it is for a one-off, or subclass it: ``code`` (dotted, unique, stable),
    ``category``, ``message`` and ``hint`` (both templates over the facts), and the facts as
    annotations, which become keyword-only arguments and attributes. A fact whose name says it
    is secret, and a :class:`Secret`, never show in text, ``context``, pickle or wire form.

    >>> class ShelfFull(SymphonyError):
    ...     \"\"\"The shelf takes no more.\"\"\"
    ...     code = "doctest.shelf_full"
    ...     category = ErrorCategory.RESOURCE
    ...     message = "shelf {shelf} is full at {count} books"
    ...     hint = "take one out first"
    ...     shelf: str
    ...     count: int
    >>> error = ShelfFull(shelf="A", count=9)
    >>> print(error, "|", error.hint, "|", error.context)
    shelf A is full at 9 books | take one out first | {'shelf': 'A', 'count': 9}
    >>> str(SymphonyError("the lamp is out", hint="change the bulb"))
    'the lamp is out'
    """

    code: ClassVar[str] = "symphony"
    category: ClassVar[ErrorCategory] = ErrorCategory.INTERNAL
    message: ClassVar[str] = ""
    hint: ClassVar[str] = ""
    _facts: ClassVar[dict[str, Any]] = {}
    _defaults: ClassVar[dict[str, Any]] = {}
    __signature__ = _Signature()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        own = {
            name: annotation
            for name, annotation in cls.__dict__.get("__annotations__", {}).items()
            if not (
                name.startswith("_")
                or str(annotation).removeprefix("typing.").startswith("ClassVar")
            )
        }
        taken = [name for name in own if hasattr(SymphonyError, name) or name == "context"]
        if taken:
            raise TypeError(f"{cls.__qualname__}: every error has {', '.join(taken)}: no fact")
        cls._facts = {**cls._facts, **own}
        cls._defaults = {
            **cls._defaults,
            **{name: cls.__dict__[name] for name in own if name in cls.__dict__},
        }
        if "code" in cls.__dict__:
            _register(cls)

    def __init__(
        self,
        text: str | None = None,
        /,
        *,
        hint: str | None = None,
        context: Mapping[str, Any] | None = None,
        **facts: Any,
    ) -> None:
        cls = type(self)
        if cls._facts and (text is not None or hint is not None or context is not None):
            raise TypeError(f"{cls.__name__} takes its facts by keyword: {', '.join(cls._facts)}")
        values = {**cls._defaults, **facts}
        if values.keys() != cls._facts.keys():
            _complain(cls, values)
        self.__dict__.update(values)
        if hint is not None:
            self.__dict__["hint"] = shown(hint)
        elif "{" in cls.hint:
            self.__dict__["hint"] = _render(cls.hint, values)
        self.context: dict[str, Any] = json_safe(dict(context or {}) | values)
        self._text = (
            shown(text) if text is not None else _render(cls.message or cls.__name__, values)
        )
        super().__init__(self._text)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r}, code={self.code!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._state(), _pack_causes(self.__cause__))

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later: true for timeouts, absences and shortages."""
        return self.category in _RETRYABLE

    def to_wire(self) -> dict[str, Any]:
        """Return the error, its notes and its causes as versioned, redacted JSON data."""
        from sy_commons._wire import to_wire  # noqa: PLC0415 - it builds on this room

        return to_wire(self)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> BaseException:
        """Return the error that *wire* describes; an unknown code becomes its category's class.

        >>> wire = SymphonyError("no").to_wire()
        >>> wire |= {"code": "acme.gone", "category": "not_found"}
        >>> SymphonyError.from_wire(wire)
        NotFound('no', code='acme.gone')
        """
        from sy_commons._wire import from_wire  # noqa: PLC0415 - it builds on this room

        return from_wire(wire)

    def _state(self) -> dict[str, Any]:
        return {
            "facts": {name: _pack(getattr(self, name), name) for name in self._facts},
            "text": self._text,
            "hint": self.hint,
            "code": self.code,
            "context": self.context,
            "notes": [text_of(note) for note in notes_of(self)],
        }

    @classmethod
    def _revive(cls, state: Mapping[str, Any]) -> Self:
        error = cls.__new__(cls)
        Exception.__init__(error, state["text"])
        error.__dict__.update(state["facts"])
        error._text = state["text"]
        error.context = dict(state["context"])
        if state["hint"] != cls.hint:
            error.__dict__["hint"] = state["hint"]
        if state["code"] != cls.code:  # a stranger's, kept so that it can be told on
            error.__dict__["code"] = state["code"]
        for note in state["notes"]:
            error.add_note(note)
        return error


_register(SymphonyError)


class ValidationError(SymphonyError):
    """Input is not what it has to be."""

    code = "validation"
    category = ErrorCategory.VALIDATION


class ConfigurationError(SymphonyError):
    """The configuration, or how something was called, does not fit."""

    code = "configuration"
    category = ErrorCategory.CONFIGURATION


class StorageError(SymphonyError):
    """Reading or writing failed."""

    code = "io"
    category = ErrorCategory.IO


class SerializationError(SymphonyError):
    """Data could not be encoded or decoded."""

    code = "serialization"
    category = ErrorCategory.SERIALIZATION


class DeadlineExceeded(SymphonyError):
    """Something took longer than it was given."""

    code = "timeout"
    category = ErrorCategory.TIMEOUT


class Cancelled(SymphonyError):
    """Somebody called it off; told as data, never in place of ``asyncio.CancelledError``."""

    code = "cancelled"
    category = ErrorCategory.CANCELLED


class NotFound(SymphonyError):
    """What was asked for is not there."""

    code = "not_found"
    category = ErrorCategory.NOT_FOUND


class Conflict(SymphonyError):
    """The state of things does not allow it now."""

    code = "conflict"
    category = ErrorCategory.CONFLICT


class PermissionRefused(SymphonyError):
    """It is not allowed."""

    code = "permission"
    category = ErrorCategory.PERMISSION


class ResourceExhausted(SymphonyError):
    """There is not enough of something."""

    code = "resource"
    category = ErrorCategory.RESOURCE


class Unavailable(SymphonyError):
    """The other side is not there at the moment."""

    code = "unavailable"
    category = ErrorCategory.UNAVAILABLE


class InternalError(SymphonyError):
    """A defect of ours."""

    code = "internal"
    category = ErrorCategory.INTERNAL


class ForeignError(SymphonyError):
    """An exception of somebody else's, as it arrived from another process."""

    code = "foreign"
    category = ErrorCategory.INTERNAL
    message = "{type_name}: {text}"
    type_name: str
    text: str


def find_error_class(code: str) -> type[SymphonyError] | None:
    """Return the class registered for *code*, if its module has been imported.

    >>> find_error_class("not_found")
    <class 'sy_commons._errors.NotFound'>
    """
    return _by_code.get(code)


def error_classes() -> dict[str, type[SymphonyError]]:
    """Return every registered class by its code, sorted: the catalogue.

    >>> "not_found" in error_classes()
    True
    """
    return dict(sorted(_by_code.items()))


def _complain(cls: type[SymphonyError], values: Mapping[str, Any]) -> NoReturn:
    missing = [name for name in cls._facts if name not in values]
    unknown = [name for name in values if name not in cls._facts]
    said = "; ".join(
        f"{what} {', '.join(names)}"
        for what, names in (("missing", missing), ("unknown", unknown))
        if names
    )
    raise TypeError(f"{cls.__name__}: {said}")


def notes_of(error: BaseException) -> list[Any]:
    """Return what was added to *error* by ``add_note``."""
    notes = getattr(error, "__notes__", None)
    return list(notes) if isinstance(notes, list | tuple) else []


def type_name(error: BaseException) -> str:
    """Return the module and name of *error*'s class; built-in ones by their name alone."""
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _render(template: str, values: Mapping[str, Any]) -> str:
    told = {name: _told(value, name) for name, value in values.items()}
    try:
        return shown(template.format_map(told))
    except Exception:  # noqa: BLE001 - a bad template must not hide the error being told
        return shown(f"{template} {json_safe(told)}")


def _told(value: Any, name: str) -> Any:
    if is_secret_name(name):
        return MASK
    # What is nested may hold a secret under its name, and its text would show it.
    return json_safe(value) if isinstance(value, Mapping | list | tuple | set) else value


class _Packed:
    """A value pickled on its own: if it does not unpickle over there, its text stands in."""

    __slots__ = ("data", "fallback")

    def __init__(self, data: bytes, fallback: Any) -> None:
        self.data = data
        self.fallback = fallback

    def unpack(self) -> Any:
        import pickle  # noqa: PLC0415 - this is being unpickled: it is loaded

        try:
            return pickle.loads(self.data)  # noqa: S301 - within what the caller unpickles anyway
        except Exception:  # noqa: BLE001 - whatever its constructor wanted: python/cpython#120810
            return self.fallback


def _pack(value: Any, name: str) -> Any:
    if isinstance(value, Secret) or is_secret_name(name):
        return MASK
    if type(value) in _PLAIN:
        return value
    import pickle  # noqa: PLC0415 - this is being pickled: it is loaded

    try:
        return _Packed(pickle.dumps(value), json_safe(value))
    except Exception:  # noqa: BLE001 - a lock, a socket, a Secret within: its text travels instead
        return json_safe(value)


def _pack_causes(cause: BaseException | None) -> list[Any]:
    packed: list[Any] = []
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen and len(packed) < _MAX_CAUSES:
        seen.add(id(cause))
        if isinstance(cause, SymphonyError):
            packed.append((type(cause), cause._state()))
        else:
            packed.append(_pack_foreign(cause))
        cause = cause.__cause__
    return packed


def _pack_foreign(cause: BaseException) -> Any:
    import pickle  # noqa: PLC0415 - this is being pickled: it is loaded

    told = ForeignError(type_name=type_name(cause), text=shown(text_of(cause)))
    for note in notes_of(cause):
        told.add_note(shown(text_of(note)))
    fallback = (ForeignError, told._state())
    try:
        return _Packed(pickle.dumps(cause), fallback)
    except Exception:  # noqa: BLE001 - a cause that does not pickle travels as its text
        return fallback


def _restore(
    cls: type[SymphonyError], state: Mapping[str, Any], causes: list[Any] | None = None
) -> SymphonyError:
    error: SymphonyError = _unpack_error((cls, state))
    last: BaseException = error
    for packed in causes or ():
        last.__cause__ = _unpack_error(packed)
        last = last.__cause__
    return error


def _unpack_error(packed: Any) -> Any:
    if isinstance(packed, _Packed):
        found = packed.unpack()
        return found if isinstance(found, BaseException) else _unpack_error(packed.fallback)
    cls, state = packed
    facts = {k: v.unpack() if isinstance(v, _Packed) else v for k, v in state["facts"].items()}
    return cls._revive({**state, "facts": facts})
