"""Values to bytes and back: msgpack by msgspec, and cattrs for what msgspec cannot.

The bytes hold plain data, never code: there is no pickle, and a decoded value is of a type that
the receiver named, not the sender.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import cattrs
import msgspec
from msgspec import inspect as shapes

from sy_ipc._errors import PayloadMismatch, PayloadTooDeep, PayloadTooLarge, PayloadUnencodable

MAX_PAYLOAD_BYTES = 16 << 20
MAX_DEPTH = 128

_CONTAINERS = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
_OTHERS = bytes(set(range(256)) - set(_CONTAINERS))
# After the first byte of a value: how many bytes of it follow, where that byte alone tells.
_FIXED = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FIXED |= {0xCA: 4, 0xCB: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
_FIXED |= {0xA0 + size: size for size in range(32)}
# Where a length follows: its own size, and what else comes before the content (ext: the type).
_SIZED = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
_SIZED |= {0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}
_COUNTED = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}

Decode = Callable[[msgspec.Raw], Any]


class Codec:
    """Encodes and decodes payloads within limits of size and nesting.

    Belongs to one bus. Safe between threads once the types it meets are known to it.

    >>> codec = Codec()
    >>> codec.decode(codec.encode({"a": [1, 2.5, None]}), None)
    {'a': [1, 2.5, None]}
    """

    __slots__ = ("_converter", "_decoders", "_encoder", "_small", "max_depth", "max_size_bytes")

    def __init__(
        self,
        *,
        converter: cattrs.Converter | None = None,
        max_size_bytes: int = MAX_PAYLOAD_BYTES,
        max_depth: int = MAX_DEPTH,
    ) -> None:
        self.max_size_bytes = max_size_bytes
        self.max_depth = max_depth
        self._small = min(max_size_bytes, max_depth)  # so small that no limit can be passed
        self._converter = converter or cattrs.Converter()
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._unstructure)
        self._decoders: dict[Any, Decode] = {None: msgspec.msgpack.Decoder().decode}

    def encode(self, value: object) -> msgspec.Raw:
        """Return *value* as bytes; raise what says why it cannot travel."""
        try:
            data = self._encoder.encode(value)
        except RecursionError as exc:
            raise PayloadTooDeep(limit=self.max_depth) from exc
        except Exception as exc:  # a hook of the user's converter may raise anything
            raise PayloadUnencodable(type_name=type(value).__name__, problem=str(exc)) from exc
        if len(data) > self._small:
            self.check(data)
        return msgspec.Raw(data)

    def decode(self, payload: msgspec.Raw, expected: Any) -> Any:
        """Return the payload as an *expected*, or as plain data where that is None."""
        try:
            decode = self._decoders.get(expected) or self._learn(expected)
        except TypeError:  # an annotation that cannot be hashed
            decode = self._plan(expected)
        try:
            return decode(payload)
        except RecursionError as exc:
            raise PayloadTooDeep(limit=self.max_depth) from exc
        except Exception as exc:  # validators and hooks of the user's types may raise anything
            raise PayloadMismatch(expected=_name(expected), problem=_tell(exc)) from exc

    def check(self, data: bytes) -> None:
        """Raise unless *data* keeps within the limits."""
        if len(data) > self.max_size_bytes:
            raise PayloadTooLarge(size_bytes=len(data), limit_bytes=self.max_size_bytes)
        check_depth(data, self.max_depth)

    def _learn(self, expected: Any) -> Decode:
        decode = self._decoders[expected] = self._plan(expected)
        return decode

    def _plan(self, expected: Any) -> Decode:
        plain = self._decoders[None]
        if expected is Any:
            return plain
        try:
            if not _needs_cattrs(shapes.type_info(expected)):
                return msgspec.msgpack.Decoder(expected, dec_hook=self._structure).decode
        except TypeError:  # a union that msgspec cannot tell apart
            pass
        return lambda payload: self._converter.structure(plain(payload), expected)

    def _structure(self, expected: Any, value: Any) -> Any:
        if expected is object:
            return value
        return self._converter.structure(value, expected)

    def _unstructure(self, value: Any) -> Any:
        plain = self._converter.unstructure(value)
        if type(plain) is type(value):
            raise TypeError(f"neither msgspec nor the converter knows {type(value).__qualname__}")
        return plain

    def __repr__(self) -> str:
        return f"Codec(max_size_bytes={self.max_size_bytes}, max_depth={self.max_depth})"


def check_depth(data: bytes, limit: int, start: int = 0) -> None:
    """Raise :class:`PayloadTooDeep` where the value at *start* nests more than *limit* deep.

    >>> check_depth(bytes([0x91]) * 9 + bytes([0xC0]), 8)
    Traceback (most recent call last):
    sy_ipc._errors.PayloadTooDeep: a message is nested more than 8 levels deep
    """
    # Nothing nests deeper than it has bytes that could open a container: mostly that settles it.
    if len(data) <= limit or len(data.translate(None, _OTHERS)) <= limit:
        return
    if measure_depth(data, limit, start) > limit:
        raise PayloadTooDeep(limit=limit)


def measure_depth(data: bytes, limit: int, start: int = 0) -> int:
    """Return how deep the value at *start* nests, or *limit* + 1 at once beyond it.

    Reads on where data is torn or malformed as if it ended there: the decoder tells of that.

    >>> measure_depth(bytes([0x92, 0x91, 0xC0, 0xC0]), 128)
    2
    """
    position, end, deepest = start, len(data), 0
    open_counts: list[int] = []
    while position < end:
        count, position = _step(data, position)
        if open_counts:
            open_counts[-1] -= 1
        if count:
            open_counts.append(count)
            deepest = max(deepest, len(open_counts))
            if deepest > limit:
                return deepest
        while open_counts and not open_counts[-1]:
            open_counts.pop()
        if not open_counts:
            return deepest
    return deepest


def _step(data: bytes, position: int) -> tuple[int, int]:
    """Return how many values the value at *position* contains, and where the next one begins."""
    head = data[position]
    position += 1
    if head <= 0x7F or head >= 0xE0:
        return 0, position
    if head in _FIXED:
        return 0, position + _FIXED[head]
    if head <= 0x8F:
        return 2 * (head & 0x0F), position
    if head <= 0x9F:
        return head & 0x0F, position
    if head in _SIZED:
        width, more = _SIZED[head]
        return 0, position + width + more + int.from_bytes(data[position : position + width])
    if head in _COUNTED:
        width, times = _COUNTED[head]
        return times * int.from_bytes(data[position : position + width]), position + width
    return 0, position


def _needs_cattrs(root: shapes.Type) -> bool:
    """Tell whether *root* holds an attrs class whose converters msgspec would not run."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        shape = waiting.pop()
        if isinstance(shape, tuple | list):
            waiting.extend(shape)
            continue
        if not isinstance(shape, shapes.Type | shapes.Field) or id(shape) in seen:
            continue
        seen.add(id(shape))
        cls = getattr(shape, "cls", None)
        if cls is not None and attrs.has(cls) and _converts(cls):
            return True
        waiting.extend(getattr(shape, name) for name in shape.__struct_fields__)
    return False


def _converts(cls: type) -> bool:
    return any(field.converter is not None for field in attrs.fields(cls))


def _name(expected: Any) -> str:
    return expected.__name__ if isinstance(expected, type) else str(expected)


def _tell(exc: Exception) -> str:
    if isinstance(exc, ExceptionGroup):  # what cattrs raises holds one error per field
        return "; ".join(cattrs.transform_error(exc))
    return str(exc) or type(exc).__name__
