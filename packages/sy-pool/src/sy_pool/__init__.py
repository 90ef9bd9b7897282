"""Models that are there when needed, gone when not, and never unloaded under somebody's hands.

>>> import asyncio
>>> from sy_pool import Budget, Model, ModelPool
>>> async def main() -> None:
...     pool = ModelPool(Budget(memory="1 GiB"))
...     pool.register(Model("upper", load=lambda: str.upper, memory="400 MiB"))
...     pool.register(Model("lower", load=lambda: str.lower, memory="700 MiB"))
...     async with pool:
...         async with pool.lease("upper", timeout_s=5) as model:
...             print(model("there is room for one"))
...         async with pool.lease("lower", timeout_s=5) as model:
...             print(model("SO THE OTHER WENT"), pool.stats().evictions)
>>> asyncio.run(main())
THERE IS ROOM FOR ONE
so the other went 1
"""

from sy_pool._budget import Budget
from sy_pool._errors import (
    DrainIncomplete,
    LeaseMisused,
    LeaseTimeout,
    LoadFailed,
    ModelInvalid,
    ModelRegistered,
    ModelTooBig,
    ModelUnknown,
    PoolClosed,
)
from sy_pool._evict import EvictionPolicy, LeastRecentlyUsed, Resident, Victim
from sy_pool._lease import BlockingLease, Lease
from sy_pool._lifecycle import State, Transition
from sy_pool._model import Model
from sy_pool._pool import ModelPool
from sy_pool._report import Explanation, ModelStats, PoolStats, Stake

__all__ = [
    "BlockingLease",
    "Budget",
    "DrainIncomplete",
    "EvictionPolicy",
    "Explanation",
    "Lease",
    "LeaseMisused",
    "LeaseTimeout",
    "LeastRecentlyUsed",
    "LoadFailed",
    "Model",
    "ModelInvalid",
    "ModelPool",
    "ModelRegistered",
    "ModelStats",
    "ModelTooBig",
    "ModelUnknown",
    "PoolClosed",
    "PoolStats",
    "Resident",
    "Stake",
    "State",
    "Transition",
    "Victim",
]
