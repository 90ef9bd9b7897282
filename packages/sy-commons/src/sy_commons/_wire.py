"""Errors as JSON data: what crosses a process, a log or a journal, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sy_commons._errors import (
    ForeignError,
    InternalError,
    SerializationError,
    SymphonyError,
    find_error_class,
    notes_of,
    type_name,
)
from sy_commons._redaction import MAX_ITEMS, json_safe, shown, text_of

WIRE_VERSION = 1
_MAX_CHAIN = 16


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
    themselves, all others a :class:`ForeignError`. Facts come back as the JSON data they
    travelled as. Raises :class:`SerializationError` on data that is no wire form, or of a newer
    version, and nothing else.

    >>> from_wire(to_wire(KeyError("shelf")))
    KeyError('shelf')
    """
    version = wire.get("v") if isinstance(wire, Mapping) else None
    if version != WIRE_VERSION:
        raise SerializationError(
            f"an error on the wire has version {text_of(version)}, and {WIRE_VERSION} is known",
            hint="bring both sides to the same release of sy-commons",
        )
    return _decode(wire, _MAX_CHAIN)


def _encode(error: BaseException, depth: int) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": type_name(error), "text": shown(text_of(error))}
    if isinstance(error, BaseExceptionGroup):
        wire["text"] = shown(error.message)
        parts = error.exceptions[:MAX_ITEMS] if depth > 0 else ()
        wire["errors"] = [_encode(part, depth - 1) for part in parts]
    elif isinstance(error, SymphonyError):
        wire |= {
            "code": error.code,
            "category": error.category.value,
            "hint": shown(error.hint),
            "context": json_safe(error.context),
        }
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        wire["text"] = shown(error.args[0])  # str(KeyError("x")) would add quotes each way
    if notes := notes_of(error):
        wire["notes"] = [shown(text_of(note)) for note in notes[:MAX_ITEMS]]
    if error.__cause__ is not None and depth > 0:
        wire["cause"] = _encode(error.__cause__, depth - 1)
    return wire


def _decode(wire: Any, depth: int) -> BaseException:
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
    notes = wire.get("notes")
    for note in notes if isinstance(notes, list) else ():
        error.add_note(text_of(note))
    if wire.get("cause") is not None:
        error.__cause__ = _decode(wire["cause"], depth - 1)
    return error


def _decode_group(wire: Mapping[str, Any], depth: int) -> BaseException:
    errors = [_decode(part, depth - 1) for part in wire["errors"]]
    if not errors:
        return ForeignError(type_name=text_of(wire.get("type")), text=wire["text"])
    return BaseExceptionGroup(wire["text"], errors)


def _decode_symphony(wire: Mapping[str, Any]) -> SymphonyError:
    code = text_of(wire["code"])
    cls = find_error_class(code) or _category_class(wire.get("category"))
    context = json_safe(wire.get("context"))
    context = context if isinstance(context, dict) else {}
    hint = wire.get("hint")
    return cls._revive(
        {
            "facts": {name: context.get(name, cls._defaults.get(name)) for name in cls._facts},
            "text": wire["text"],
            "hint": hint if isinstance(hint, str) else "",
            "code": code,
            "context": context,
            "notes": (),
        }
    )


def _decode_foreign(wire: Mapping[str, Any]) -> BaseException:
    name = text_of(wire.get("type"))
    if name == "asyncio.exceptions.CancelledError":
        from asyncio import CancelledError  # noqa: PLC0415 - heavy, and only on this path

        return CancelledError(wire["text"])
    import builtins  # noqa: PLC0415 - only on this path

    cls = getattr(builtins, name, None) if name.isidentifier() else None
    if isinstance(cls, type) and issubclass(cls, Exception):
        try:
            return cls(wire["text"])
        except Exception:  # noqa: BLE001, S110 - UnicodeDecodeError and its like want more than text
            pass
    return ForeignError(type_name=name, text=wire["text"])


def _category_class(category: object) -> type[SymphonyError]:
    found = find_error_class(text_of(category))
    return found if found is not None and found.code == found.category.value else InternalError
