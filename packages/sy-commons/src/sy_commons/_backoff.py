"""How long to wait before trying again."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import Protocol

from sy_commons._errors import ValidationError
from sy_commons._suggestion import suggestion


class Backoff(Protocol):
    """Says how many seconds to wait before attempt ``n + 1``, after *n* attempts have failed."""

    def delay_s(self, failures: int) -> float:
        """Return the seconds to wait after *failures* failed attempts (at least 1)."""
        ...


class _Growing(ABC):
    __slots__ = ("_random", "first_s", "jitter", "longest_s")

    def __init__(
        self,
        first_s: float = 0.1,
        *,
        longest_s: float = 30.0,
        jitter: float = 0.1,
        seed: int | None = None,
    ) -> None:
        if not (first_s >= 0 and longest_s >= 0 and 0 <= jitter <= 1):  # NaN as well
            raise ValidationError(
                f"no back-off has first_s={first_s}, longest_s={longest_s}, jitter={jitter}",
                hint="times are at least 0 and jitter is a share between 0 and 1",
            )
        self.first_s = first_s
        self.longest_s = longest_s
        self.jitter = jitter
        self._random = random.Random(seed)  # noqa: S311 - spreading, not hiding

    @abstractmethod
    def _raw(self, failures: int) -> float: ...

    def delay_s(self, failures: int) -> float:
        """Return the seconds to wait after *failures* failed attempts, spread by the jitter."""
        delay = min(self._raw(max(failures, 1)), self.longest_s)
        return delay * (1 - self.jitter * self._random.random())

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({self.first_s}, longest_s={self.longest_s}, jitter={self.jitter})"


class ConstantBackoff(_Growing):
    """Wait the same time after every failure.

    >>> ConstantBackoff(2.0, jitter=0).delay_s(7)
    2.0
    """

    __slots__ = ()

    def _raw(self, failures: int) -> float:  # noqa: ARG002 - constant is constant
        return self.first_s


class LinearBackoff(_Growing):
    """Wait once, twice, three times the first time, up to the longest.

    >>> [LinearBackoff(1.0, jitter=0, longest_s=3).delay_s(n) for n in (1, 2, 3, 4)]
    [1.0, 2.0, 3.0, 3.0]
    """

    __slots__ = ()

    def _raw(self, failures: int) -> float:
        return self.first_s * failures


class ExponentialBackoff(_Growing):
    """Double the wait after every failure, up to the longest.

    >>> [ExponentialBackoff(1.0, jitter=0, longest_s=5).delay_s(n) for n in (1, 2, 3, 4)]
    [1.0, 2.0, 4.0, 5.0]
    """

    __slots__ = ()

    def _raw(self, failures: int) -> float:
        return self.first_s * 2.0 ** min(failures - 1, 60)


_NAMED: dict[str, type[_Growing]] = {
    "constant": ConstantBackoff,
    "linear": LinearBackoff,
    "exponential": ExponentialBackoff,
}


def backoff(policy: str | Backoff) -> Backoff:
    """Return the policy that *policy* names: "constant", "linear", "exponential", or itself.

    >>> backoff("exponential")
    ExponentialBackoff(0.1, longest_s=30.0, jitter=0.1)
    """
    if not isinstance(policy, str):
        return policy
    if policy not in _NAMED:
        raise ValidationError(
            f"there is no back-off {policy!r}{suggestion(policy, _NAMED)}",
            hint=f"one of {', '.join(_NAMED)}, or an object with delay_s",
        )
    return _NAMED[policy]()
