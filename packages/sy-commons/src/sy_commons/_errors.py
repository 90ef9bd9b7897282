"""One error type for every package: facts in, a story out.

A subclass declares its facts once, as annotations; the base makes the constructor, the text,
the context, pickling and the wire form of them. This module is imported by everything and
imports next to nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform

from sy_commons._redaction import is_secret_name, json_safe, redact_text
from sy_commons._secret import MASK, Secret

WIRE_VERSION = 1
_MAX_CHAIN = 16
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
            self.__dict__["hint"] = redact_text(hint)
        elif "{" in cls.hint:
            self.__dict__["hint"] = _render(cls.hint, values)
        self.context: dict[str, Any] = json_safe(dict(context or {}) | values)
        self._text = (
            redact_text(text) if text is not None else _render(cls.message or cls.__name__, values)
        )
        super().__init__(self._text)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._text!r}, code={self.code!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {
            "facts": {name: _portable(getattr(self, name), name) for name in self._facts},
            "text": self._text,
            "hint": self.hint,
            "context": self.context,
            "notes": list(getattr(self, "__notes__", [])),
            "cause": _portable_cause(self.__cause__),
        }
        return _restore, (type(self), state)

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later: true for timeouts, absences and shortages."""
        return self.category in _RETRYABLE

    def to_wire(self) -> dict[str, Any]:
        """Return the error, its notes and its causes as versioned, redacted JSON data."""
        return to_wire(self)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> BaseException:
        """Return the error that *wire* describes; an unknown code becomes its category's class.

        >>> wire = SymphonyError("no").to_wire()
        >>> wire |= {"code": "acme.gone", "category": "not_found"}
        >>> SymphonyError.from_wire(wire)
        NotFound('no', code='acme.gone')
        """
        return from_wire(wire)

    @classmethod
    def _revive(cls, state: Mapping[str, Any]) -> Self:
        error = cls.__new__(cls)
        Exception.__init__(error, state["text"])
        error.__dict__.update(state["facts"])
        error._text = state["text"]
        error.context = dict(state["context"])
        if state["hint"] != cls.hint:
            error.__dict__["hint"] = state["hint"]
        for note in state["notes"]:
            error.add_note(note)
        error.__cause__ = state["cause"]
        return error


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


def to_wire(error: BaseException) -> dict[str, Any]:
    """Return any exception, or group of them, as versioned, redacted JSON data.

    >>> wire = to_wire(ExceptionGroup("two", [ValueError("a"), SymphonyError("b")]))
    >>> [part["text"] for part in wire["errors"]]
    ['a', 'b']
    """
    return {"v": WIRE_VERSION, **_encode(error, _MAX_CHAIN)}


def from_wire(wire: Mapping[str, Any]) -> BaseException:
    """Return the exception that :func:`to_wire` described.

    Registered codes give their class, unknown ones their category's; built-in exceptions give
    themselves, all others a :class:`ForeignError`. Raises :class:`SerializationError` on data
    that is no wire form, or of a newer version.

    >>> from_wire(to_wire(KeyError("shelf")))
    KeyError('shelf')
    """
    version = wire.get("v") if isinstance(wire, Mapping) else None
    if version != WIRE_VERSION:
        raise SerializationError(
            f"an error on the wire has version {version!r}, and {WIRE_VERSION} is known",
            hint="bring both sides to the same release of sy-commons",
        )
    return _decode(wire, _MAX_CHAIN)


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


def _render(template: str, values: Mapping[str, Any]) -> str:
    shown = {name: MASK if is_secret_name(name) else value for name, value in values.items()}
    try:
        return redact_text(template.format_map(shown))
    except Exception:  # noqa: BLE001 - a bad template must not hide the error being told
        return redact_text(f"{template} {json_safe(shown)}")


def _portable(value: Any, name: str) -> Any:
    if isinstance(value, Secret) or is_secret_name(name):
        return MASK
    return value if _pickles(value) else json_safe(value)


def _portable_cause(cause: BaseException | None) -> BaseException | None:
    if cause is None or _pickles(cause):
        return cause
    return ForeignError(type_name=_type_name(cause), text=str(cause))


def _pickles(value: Any) -> bool:
    import pickle  # noqa: PLC0415 - only when an error is pickled, and then it is loaded

    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - what this process just wrote
    except Exception:  # noqa: BLE001 - whatever stands in the way, the text travels instead
        return False
    return True


def _restore(cls: type[SymphonyError], state: Mapping[str, Any]) -> SymphonyError:
    return cls._revive(state)


def _type_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _encode(error: BaseException, depth: int) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": _type_name(error), "text": redact_text(str(error))}
    if isinstance(error, BaseExceptionGroup):
        wire["text"] = redact_text(error.message)
        wire["errors"] = [_encode(e, depth - 1) for e in error.exceptions] if depth > 0 else []
    elif isinstance(error, SymphonyError):
        wire |= {
            "code": error.code,
            "category": error.category.value,
            "hint": redact_text(error.hint),
        }
        wire["context"] = json_safe(error.context)
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        wire["text"] = redact_text(error.args[0])
    if notes := getattr(error, "__notes__", []):
        wire["notes"] = [redact_text(str(note)) for note in notes]
    if error.__cause__ is not None and depth > 0:
        wire["cause"] = _encode(error.__cause__, depth - 1)
    return wire


def _decode(wire: Mapping[str, Any], depth: int) -> BaseException:
    if not isinstance(wire, Mapping) or not isinstance(wire.get("text"), str):
        raise SerializationError("an error on the wire has no text", context={"wire": wire})
    if depth < 0:
        return ForeignError(type_name="…", text="the chain of causes goes on")
    if isinstance(wire.get("errors"), list):
        error = _decode_group(wire, depth)
    elif "code" in wire:
        error = _decode_symphony(wire)
    else:
        error = _decode_foreign(wire)
    for note in wire.get("notes") or ():
        error.add_note(str(note))
    if wire.get("cause") is not None:
        error.__cause__ = _decode(wire["cause"], depth - 1)
    return error


def _decode_group(wire: Mapping[str, Any], depth: int) -> BaseException:
    errors = [_decode(part, depth - 1) for part in wire["errors"]]
    if not errors:
        return ForeignError(type_name=str(wire.get("type")), text=wire["text"])
    return BaseExceptionGroup(wire["text"], errors)


def _decode_symphony(wire: Mapping[str, Any]) -> SymphonyError:
    cls = _by_code.get(str(wire["code"])) or _category_class(wire.get("category"))
    context = wire.get("context")
    context = dict(context) if isinstance(context, Mapping) else {}
    facts = {name: context.get(name, cls._defaults.get(name)) for name in cls._facts}
    hint = wire.get("hint")
    error = cls._revive(
        {
            "facts": facts,
            "text": wire["text"],
            "hint": hint if isinstance(hint, str) else "",
            "context": context,
            "notes": (),
            "cause": None,
        }
    )
    if error.code != wire["code"]:  # keep the stranger's code, so that it can be told on
        error.__dict__["code"] = str(wire["code"])
    return error


def _decode_foreign(wire: Mapping[str, Any]) -> BaseException:
    name = str(wire.get("type"))
    if name == "asyncio.exceptions.CancelledError" and "asyncio" in sys.modules:
        return sys.modules["asyncio"].CancelledError(wire["text"])  # type: ignore[no-any-return]
    import builtins  # noqa: PLC0415 - only on this path

    cls = getattr(builtins, name, None) if name.isidentifier() else None
    if isinstance(cls, type) and issubclass(cls, Exception):
        try:
            return cls(wire["text"])
        except TypeError:  # UnicodeDecodeError and its like want more than a text
            pass
    return ForeignError(type_name=name, text=wire["text"])


def _category_class(category: object) -> type[SymphonyError]:
    found = _by_code.get(str(category))
    return found if found is not None and found.code == found.category.value else InternalError
