"""A value that shows itself only when asked to."""

from __future__ import annotations

from typing import NoReturn

MASK = "***"


class Secret:
    """Hold a secret string; only :meth:`reveal` gives it.

    It prints, formats and compares without showing itself, and refuses to be pickled, so that
    it can neither be logged nor sent by accident. Safe to share between threads.

    >>> key = Secret("s3cr3t")
    >>> print(key, repr(key), f"{key:>8}")
    *** Secret('***')      ***
    >>> key.reveal()
    's3cr3t'
    >>> bool(Secret(""))
    False
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a Secret holds a str, and {type(value).__name__} was given")
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not travel: reveal() it where it is used")
