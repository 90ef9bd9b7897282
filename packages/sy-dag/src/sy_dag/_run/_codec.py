"""Values as bytes, so that what comes back is of the same types as what went in."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec

from sy_dag._errors import OutputNotStorable

_PICKLED = 1
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_encode = msgspec.msgpack.Encoder().encode


def encode_value(value: Any, node: str) -> bytes:
    """Return *value* as msgpack: plain data as it is, everything else pickled within.

    Raises ``OutputNotStorable`` for what neither can keep.

    >>> decode_value(encode_value({"a": (1, {2})}, "n"))
    {'a': (1, {2})}
    """
    try:
        if _is_plain(value):
            return _encode(value)
    except (OverflowError, UnicodeEncodeError, RecursionError):
        pass  # integers past 64 bits, lone surrogates, endless nesting: pickle knows better
    try:
        return _encode(msgspec.msgpack.Ext(_PICKLED, pickle.dumps(value, protocol=5)))
    except Exception as error:
        raise OutputNotStorable(
            node=node, type_name=type(value).__qualname__, reason=f"{type(error).__name__}: {error}"
        ) from error


def decode_value(data: bytes | msgspec.Raw) -> Any:
    """Return what :func:`encode_value` was given. The bytes are as trusted as code."""
    return _decoder.decode(data)


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        return all(type(key) in _SCALARS for key in value) and all(map(_is_plain, value.values()))
    return False


def _unpickled(code: int, data: memoryview) -> Any:
    if code != _PICKLED:
        raise ValueError(f"extension {code} is unknown")
    return pickle.loads(data)  # noqa: S301 - as trusted as code, says decode_value


_decoder = msgspec.msgpack.Decoder(ext_hook=_unpickled)
