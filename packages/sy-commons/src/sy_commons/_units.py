"""Sizes and durations as people write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from sy_commons._errors import ErrorCategory, SymphonyError

_LONGEST = 64  # characters: no honest quantity is longer, and a hostile one costs nothing
_LARGEST = 1 << 63  # beyond this no disk, memory or calendar reaches

_SIZE = re.compile(r"\s*([0-9][0-9_]*)(?:\.([0-9]+))?\s*([A-Za-z]*)\s*")
_PART = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([A-Za-zµμ]*)\s*")

_SIZES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "pb": 10**15,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
    "pib": 1 << 50,
}
# From long to short; the order in which the parts of a duration may follow one another.
_DURATIONS = {
    "w": 604_800.0,
    "d": 86_400.0,
    "h": 3_600.0,
    "m": 60.0,
    "min": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign, and below the Greek letter that looks like it
    "μs": 1e-6,
}

_N = TypeVar("_N", int, float)


class InvalidQuantity(SymphonyError):
    """A size or a duration cannot be read."""

    code = "commons.quantity"
    category = ErrorCategory.VALIDATION
    message = "{found!r} is not a {kind}: {reason}"
    hint = "write it like {example}"
    found: str
    kind: str
    reason: str
    example: str


def parse_size(size: str | int) -> int:
    """Return the bytes that *size* says: "8 GiB" is 2**33, "8 GB" is 8 * 10**9, 512 is 512.

    Upper and lower case are the same; a bare letter ("8G") is refused, since half of its readers
    take it for the other one. A fraction of a byte is dropped. Raises :class:`InvalidQuantity`.

    >>> [parse_size(size) for size in ("8 GiB", "1.5kB", 512)]
    [8589934592, 1500, 512]
    """
    if isinstance(size, int) and not isinstance(size, bool):
        return _within(size, size, "size")
    match = _SIZE.fullmatch(_text(size, "size"))
    if match is None:
        raise _refusal(size, "size", "a number and a unit are wanted")
    whole, fraction, unit = match[1].replace("_", ""), match[2] or "", match[3].lower()
    if unit not in _SIZES:
        raise _refusal(size, "size", _unit_reason(unit))
    scale: int = 10 ** len(fraction)
    return _within(int(whole + fraction) * _SIZES[unit] // scale, size, "size")


def parse_duration(duration: str | float) -> float:
    """Return the seconds that *duration* says: "30s", "1h 30m", "250ms", "2d"; a number is seconds.

    The units are w, d, h, m (or min), s, ms and us, each at most once and from long to short.
    Raises :class:`InvalidQuantity`, also for anything negative or not finite.

    >>> [parse_duration(duration) for duration in ("30s", "1h30m", "250 ms", 2.5)]
    [30.0, 5400.0, 0.25, 2.5]
    """
    if isinstance(duration, int | float) and not isinstance(duration, bool):
        return float(_within(duration, duration, "duration"))
    text = _text(duration, "duration")
    total, position, shortest = 0.0, 0, float("inf")
    while match := _PART.match(text, position):
        number, unit = match[1].replace("_", ""), match[2]
        alone = position == 0 and match.end() == len(text)
        scale = 1.0 if not unit and alone else _DURATIONS.get(unit.lower())
        if scale is None:
            reason = f"the unit {unit!r} is unknown" if unit else f"{number} has no unit"
            raise _refusal(duration, "duration", reason)
        if scale >= shortest:
            raise _refusal(duration, "duration", "the units go from long to short, each once")
        total, position, shortest = total + float(number) * scale, match.end(), scale
    if position != len(text) or not text:
        raise _refusal(duration, "duration", "numbers and units are wanted")
    return float(_within(total, duration, "duration"))


def format_size(size_bytes: int) -> str:
    """Return *size_bytes* in the largest binary unit that it fills, for people.

    >>> [format_size(size) for size in (0, 1023, 1536, 8 << 30)]
    ['0 B', '1023 B', '1.5 KiB', '8 GiB']
    """
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    power = min(max(abs(size_bytes).bit_length() - 1, 0) // 10, len(units) - 1)
    shown = f"{size_bytes / (1 << 10 * power):.1f}".removesuffix(".0")
    return f"{shown} {units[power]}"


def format_duration(seconds: float) -> str:
    """Return *seconds* in at most two units, for people.

    >>> [format_duration(s) for s in (0.0042, 1.25, 59.96, 90, 7260, 200_000)]
    ['4.2ms', '1.25s', '1m', '1m 30s', '2h 1m', '2d 7h']
    """
    if abs(seconds) < 1e-9:
        return "0s"
    if abs(seconds) < 0.9995e-3:
        return f"{seconds * 1e6:.3g}us"
    if abs(seconds) < 0.9995:
        return f"{seconds * 1e3:.3g}ms"
    if abs(seconds) < 59.95:
        return f"{seconds:.3g}s"
    left = round(abs(seconds))
    parts: list[str] = []
    for unit, scale in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, scale)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return ("-" if seconds < 0 else "") + " ".join(part for part in parts[:2] if part)


def _text(value: Any, kind: str) -> str:
    if not isinstance(value, str):
        raise _refusal(value, kind, f"it is {type(value).__name__}, and a text is wanted")
    if len(value) > _LONGEST:
        raise _refusal(value, kind, f"it is {len(value)} characters long")
    return value


def _within(number: _N, written: Any, kind: str) -> _N:
    if not 0 <= number < _LARGEST:  # also refuses what is not a number at all
        raise _refusal(written, kind, "it is below 0, or beyond all bounds")
    return number


def _unit_reason(unit: str) -> str:
    if unit in ("k", "m", "g", "t", "p"):
        letter = unit.upper()
        return f"{letter} alone could be {letter}B or {letter}iB"
    return f"the unit {unit!r} is unknown"


def _refusal(found: Any, kind: str, reason: str) -> InvalidQuantity:
    example = '"8 GiB", "500 MB" or 4096' if kind == "size" else '"30s", "1h 30m" or "250ms"'
    shown = found if isinstance(found, str) else str(found)
    return InvalidQuantity(found=shown[:_LONGEST], kind=kind, reason=reason, example=example)


class Quantity:
    """Marks a number in a configuration as one that may be written with its unit."""

    __slots__ = ("kind", "parse")

    def __init__(self, kind: str, parse: Callable[[Any], float]) -> None:
        self.kind = kind
        self.parse = parse

    def __repr__(self) -> str:
        return f"<Quantity: {self.kind}>"


# A field of a configuration: seconds, written "30s", and bytes, written "8 GiB".
Duration = Annotated[float, Quantity("a duration", parse_duration)]
Size = Annotated[int, Quantity("a size", parse_size)]
