"""What can go wrong between a model and the one who wants it."""

from __future__ import annotations

from sy_commons import ErrorCategory, SymphonyError


class ModelInvalid(SymphonyError):
    """A model or a budget cannot be what it was said to be."""

    code = "pool.model_invalid"
    category = ErrorCategory.CONFIGURATION
    message = "{what}: {reason}"
    hint = 'for example: Model("minilm", load=load_minilm, memory="400 MiB")'
    what: str
    reason: str


class ModelTooBig(SymphonyError):
    """A model could never be loaded, even into an empty pool."""

    code = "pool.model_too_big"
    category = ErrorCategory.CONFIGURATION
    message = "model {name!r} needs {needs}, and the whole budget is {budget}"
    hint = "give the pool more memory, or register a smaller model"
    name: str
    needs: str
    budget: str


class ModelRegistered(SymphonyError):
    """A model of this name is there already."""

    code = "pool.model_registered"
    category = ErrorCategory.CONFLICT
    message = "model {name!r} is registered already"
    hint = "give the other one a name of its own"
    name: str


class ModelUnknown(SymphonyError):
    """No model of this name was registered."""

    code = "pool.model_unknown"
    category = ErrorCategory.NOT_FOUND
    message = "no model {name!r} is registered; known: {known}"
    hint = "register it first: pool.register(Model({name!r}, load=…, memory=…))"
    name: str
    known: str


class LoadFailed(SymphonyError):
    """A model's load raised; the exception is the cause. The next request tries again."""

    code = "pool.load_failed"
    category = ErrorCategory.UNAVAILABLE
    message = "model {name!r} did not load: {reason}"
    name: str
    reason: str


class LeaseTimeout(SymphonyError):
    """A model was not to be had in the time given."""

    code = "pool.lease_timeout"
    category = ErrorCategory.TIMEOUT
    message = "waited {waited_s:.3g} s for model {name!r}: {obstacle}"
    hint = "wait longer (timeout_s), hold leases for a shorter time, or give the pool more memory"
    name: str
    waited_s: float
    obstacle: str


class LeaseMisused(SymphonyError):
    """A lease was used in a way that cannot work."""

    code = "pool.lease_misused"
    category = ErrorCategory.VALIDATION
    message = "the lease of {name!r} {reason}"
    hint = "ask the pool for a new lease each time: async with pool.lease({name!r}) as model"
    name: str
    reason: str


class PoolClosed(SymphonyError):
    """The pool gives nothing out: it is not open, or it drains."""

    code = "pool.closed"
    category = ErrorCategory.CONFLICT
    message = "no lease of {name!r}: the pool {reason}"
    hint = "use it inside: async with pool"
    name: str
    reason: str


class DrainIncomplete(SymphonyError):
    """The time to drain was over before everything was unloaded."""

    code = "pool.drain_incomplete"
    category = ErrorCategory.TIMEOUT
    message = "after {timeout_s:g} s of draining there is still {left}"
    hint = "what is left is unloaded as soon as it comes back; nobody gets it any more"
    timeout_s: float
    left: str
