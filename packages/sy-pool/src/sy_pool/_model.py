"""What a pool has to know of a model: how to bring it, how to let it go, and how big it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from sy_commons import parse_size
from sy_pool._errors import ModelInvalid


@attrs.frozen
class Model:
    """A model a pool may load.

    *load* returns the loaded model. A plain function runs in a thread of its own; a coroutine
    function, or one that returns a coroutine, on the pool's event loop. *unload*, if given, gets
    the model back when it goes; else dropping it is enough. *memory* is what it takes while
    loaded ("400 MiB", or bytes): it is declared, not measured. *keep_for_s* is how long it stays
    while nobody uses it (0: not at all; None: until the space is wanted).

    >>> Model("minilm", load=dict, memory="400 MiB", keep_for_s=60).memory_bytes
    419430400
    """

    name: str = attrs.field()
    load: Callable[[], Any] = attrs.field(kw_only=True)
    memory_bytes: int = attrs.field(kw_only=True, alias="memory", converter=parse_size)
    keep_for_s: float | None = attrs.field(kw_only=True, default=None)
    unload: Callable[[Any], Any] | None = attrs.field(kw_only=True, default=None)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise _invalid(f"model {self.name!r}", "its name has to be a text that is not empty")
        what = f"model {self.name!r}"
        if not callable(self.load):
            raise _invalid(what, "load has to be a function without arguments")
        if self.unload is not None and not callable(self.unload):
            raise _invalid(what, "unload has to be a function that takes the model")
        keep = self.keep_for_s
        if keep is not None and not (isinstance(keep, int | float) and keep >= 0):
            raise _invalid(
                what, f"keep_for_s is a number of seconds from 0 on, or None; not {keep!r}"
            )


def _invalid(what: str, reason: str) -> ModelInvalid:
    return ModelInvalid(what=what, reason=reason)
