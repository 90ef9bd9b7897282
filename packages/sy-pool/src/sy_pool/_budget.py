"""What the pool may hold at once, and the ledger that never lets it be exceeded."""

from __future__ import annotations

import attrs

from sy_commons import InternalError, format_size, parse_size


@attrs.frozen
class Budget:
    """How much the models of a pool may take together, by what each declared.

    >>> Budget(memory="8 GiB").memory_bytes
    8589934592
    """

    memory_bytes: int = attrs.field(alias="memory", converter=parse_size)

    def __str__(self) -> str:
        return format_size(self.memory_bytes)


class Ledger:
    """Who holds how many bytes: reserved while loading, resident from then on until unloaded.

    >>> ledger = Ledger(10)
    >>> ledger.reserve("a", 6)
    >>> ledger.settle("a")
    >>> ledger.free_bytes, ledger.reserved_bytes, ledger.resident_bytes
    (4, 0, 6)
    >>> ledger.reserve("b", 5)
    Traceback (most recent call last):
    ...
    sy_commons._errors.InternalError: b needs 5 bytes and 4 are free
    """

    __slots__ = ("_reserved", "_resident", "_total")

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._reserved: dict[str, int] = {}
        self._resident: dict[str, int] = {}

    @property
    def reserved_bytes(self) -> int:
        """What is being loaded."""
        return sum(self._reserved.values())

    @property
    def resident_bytes(self) -> int:
        """What is loaded, or not yet unloaded."""
        return sum(self._resident.values())

    @property
    def free_bytes(self) -> int:
        """What may still be reserved."""
        return self._total - self.reserved_bytes - self.resident_bytes

    def reserve(self, name: str, size_bytes: int) -> None:
        """Set bytes aside for a load that starts now."""
        if name in self._reserved or name in self._resident:
            raise InternalError(f"{name} is in the ledger already")
        if size_bytes > self.free_bytes:
            raise InternalError(f"{name} needs {size_bytes} bytes and {self.free_bytes} are free")
        self._reserved[name] = size_bytes

    def settle(self, name: str) -> None:
        """Turn a reservation into residence: the load is done."""
        self._resident[name] = self._reserved.pop(name)

    def release(self, name: str) -> None:
        """Give back what *name* has: its load failed, or it is unloaded."""
        entries = self._reserved if name in self._reserved else self._resident
        del entries[name]

    def __repr__(self) -> str:
        taken = self.reserved_bytes + self.resident_bytes
        return f"<Ledger {format_size(taken)} of {format_size(self._total)}>"
