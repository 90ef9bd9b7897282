"""Which extensions are installed, found by entry point and without importing any of them."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import attrs

from sy_extensions._errors import IdClaimedTwice, LoadFailed
from sy_extensions._names import is_id
from sy_extensions._signature import Description, describe, signature_of
from sy_extensions._types import Extension

GROUP = "sy.extensions"
"""The entry point group: the entry's name is the extension's id, its value ``module:Class``."""


@attrs.frozen
class Discovered:
    """An extension that is installed; nothing of it has been imported yet.

    What only its class can tell (its type, its parameters) comes from :meth:`describe`, which
    imports it.
    """

    id: str
    version: str
    distribution: str
    entry_point: str
    _resolve: Callable[[], object] = attrs.field(repr=False, eq=False)

    def load(self) -> type[Extension]:
        """Import the module and return the class. Blocks as long as the import does.

        Raises :class:`LoadFailed` whatever goes wrong in it, so that only this one fails.
        """
        if not is_id(self.id):
            raise self._failed("its id is not lower-case words joined by dots")
        try:
            found = self._resolve()
        except (Exception, SystemExit) as error:
            raise self._failed(f"{type(error).__name__}: {error}") from error
        if not (isinstance(found, type) and issubclass(found, Extension)):
            raise self._failed(f"{found!r} is no Extension")
        if inspect.isabstract(found) or not found.method:
            raise self._failed(f"{found.__name__} defines no {found.method or 'method'}")
        signature_of(found)
        return found

    def describe(self) -> Description:
        """Return its type, docstring and signature; imports it."""
        return describe(self.load())

    def _failed(self, reason: str) -> LoadFailed:
        return LoadFailed(
            extension_id=self.id,
            distribution=self.distribution,
            entry_point=self.entry_point,
            reason=reason,
        )


def discover() -> list[Discovered]:
    """Return the installed extensions, sorted by id, without importing their modules.

    Reads the metadata of every installed distribution (some milliseconds, blocking). Raises
    :class:`IdClaimedTwice` where two entries have one id: none of them can be told to be the
    right one.

    >>> all(isinstance(found, Discovered) for found in discover())
    True
    """
    by_id: defaultdict[str, list[EntryPoint]] = defaultdict(list)
    for point in entry_points(group=GROUP):
        by_id[point.name].append(point)
    for extension_id, points in by_id.items():
        if len(points) > 1:
            claims = " and ".join(sorted(f"{_distribution(p)} ({p.value})" for p in points))
            raise IdClaimedTwice(extension_id=extension_id, claims=claims)
    return [_discovered(by_id[extension_id][0]) for extension_id in sorted(by_id)]


def given(extension_id: str, extension: type[Extension]) -> Discovered:
    """Return a class that the program itself brought, in the form of an installed one."""
    return Discovered(
        extension_id,
        version="",
        distribution="this program",
        entry_point=f"{extension.__module__}:{extension.__qualname__}",
        resolve=lambda: extension,
    )


def _discovered(point: EntryPoint) -> Discovered:
    version = point.dist.version if point.dist is not None else None
    return Discovered(
        point.name, version or "unknown", _distribution(point), point.value, point.load
    )


def _distribution(point: EntryPoint) -> str:
    name = point.dist.name if point.dist is not None else None
    return name or "an unnamed distribution"
