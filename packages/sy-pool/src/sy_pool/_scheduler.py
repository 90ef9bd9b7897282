"""Every decision of the pool: events in, effects out. No loop, no clock, no lock, no I/O.

The shell tells what happened (:meth:`Scheduler.request`, :meth:`Scheduler.loaded`, …) and when,
and carries out the effects that come back, in their order and whenever it likes: nothing here
relies on how soon. A *token* stands for one who asks; the same token holds the model later.

What is wanted is planned in the order it was asked for. Whoever waits for an unload has that
space set aside; whoever waits for a lease to end sets nothing aside, since otherwise two who
wait for each other's leases would wait for ever. So a big model may wait for as long as small
ones keep the memory leased: a timeout ends that.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

import attrs

from sy_commons import SymphonyError, format_duration, format_size
from sy_pool._budget import Ledger
from sy_pool._errors import LoadFailed, PoolClosed
from sy_pool._evict import EvictionPolicy, Resident, choose_victims
from sy_pool._lifecycle import Lifecycle, State

Token = Hashable


@attrs.frozen
class StartLoad:
    """Load the model; then say ``loaded`` or ``load_failed``, once."""

    name: str


@attrs.frozen
class StartUnload:
    """Ask ``begin_unload``; if that agrees, unload the model and say ``unloaded``, once."""

    name: str


@attrs.frozen
class Grant:
    """The one behind the token holds the model from now on."""

    name: str
    token: Token


@attrs.frozen
class Refuse:
    """The one behind the token gets this error."""

    token: Token
    error: SymphonyError


@attrs.frozen
class Drained:
    """Everything is unloaded, and will stay so."""


Effect = StartLoad | StartUnload | Grant | Refuse | Drained


class Slot:
    """What is known of one model. Hot and with holders is leased; hot and without is idle."""

    __slots__ = (
        "evicted",
        "failures",
        "granted",
        "holders",
        "keep_for_s",
        "last_used_s",
        "life",
        "load_s",
        "loaded_at_s",
        "loads",
        "name",
        "size_bytes",
        "tearing",
        "uses",
        "waiting",
    )

    def __init__(self, name: str, size_bytes: int, keep_for_s: float | None) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.keep_for_s = keep_for_s
        self.life = Lifecycle()
        self.holders: set[Token] = set()
        self.waiting: dict[Token, float] = {}  # since when, in the order of asking
        self.tearing = False  # the unload has begun, and cannot be called off
        self.evicted = False  # it goes to make room, and not for being idle
        self.loaded_at_s = self.load_s = self.last_used_s = 0.0
        self.uses = self.granted = self.loads = self.failures = 0

    @property
    def idle(self) -> bool:
        """Whether it is loaded and nobody holds it."""
        return self.life.state is State.HOT and not self.holders

    @property
    def expires_at_s(self) -> float:
        """When it has been idle for as long as it is kept; infinity where that is not to come."""
        if self.keep_for_s is None or not self.idle:
            return math.inf
        return self.last_used_s + self.keep_for_s

    def __repr__(self) -> str:
        holders, waiting = len(self.holders), len(self.waiting)
        return f"<Slot {self.name} {self.life.state}: {holders} hold it, {waiting} wait>"


class Scheduler:
    """Decides who is loaded, who goes, and who gets what.

    >>> from sy_pool._evict import LeastRecentlyUsed
    >>> core = Scheduler(100, LeastRecentlyUsed())
    >>> a = core.add("a", 60)
    >>> core.request(a, "ann", now_s=0.0)
    [StartLoad(name='a')]
    >>> core.request(a, "bob", now_s=0.1)
    []
    >>> core.loaded(a, now_s=0.2)
    [Grant(name='a', token='ann'), Grant(name='a', token='bob')]
    """

    __slots__ = ("_drained", "_ledger", "_policy", "_wanted", "draining", "evictions", "slots")

    def __init__(self, budget_bytes: int, policy: EvictionPolicy) -> None:
        self._ledger = Ledger(budget_bytes)
        self._policy = policy
        self._wanted: dict[str, Slot] = {}  # to be loaded, in the order of asking
        self._drained = False
        self.draining = False
        self.evictions = 0
        self.slots: dict[str, Slot] = {}

    @property
    def ledger(self) -> Ledger:
        """Who has how many bytes."""
        return self._ledger

    def add(self, name: str, size_bytes: int, *, keep_for_s: float | None = None) -> Slot:
        """Make a model known, cold."""
        slot = self.slots[name] = Slot(name, size_bytes, keep_for_s)
        return slot

    def acquire(self, slot: Slot, token: Token, *, now_s: float) -> bool:
        """Give the model to *token* if it is hot; this is the whole of a hit."""
        if slot.life.state is not State.HOT or self.draining:
            return False
        slot.holders.add(token)
        slot.uses += 1
        slot.last_used_s = now_s
        return True

    def request(self, slot: Slot, token: Token, *, now_s: float) -> list[Effect]:
        """Somebody wants the model."""
        if self.draining:
            error = PoolClosed(name=slot.name, reason="drains, and gives out nothing new")
            return [Refuse(token, error)]
        effects: list[Effect] = []
        if slot.life.state is State.COOLING and not slot.tearing:
            slot.life.move(State.HOT, "wanted again before its unload began", at_s=now_s)
            slot.evicted = False
            self.acquire(slot, token, now_s=now_s)
            # Whoever was to have the space has to look for another victim.
            return [Grant(slot.name, token), *self._plan(now_s)]
        if self.acquire(slot, token, now_s=now_s):
            return [Grant(slot.name, token)]
        slot.waiting[token] = now_s
        if slot.life.state is not State.WARMING and slot.name not in self._wanted:
            self._wanted[slot.name] = slot
            effects += self._plan(now_s)
        return effects

    def abandon(self, slot: Slot, token: Token, *, now_s: float) -> list[Effect]:
        """One who waits gives up, or one who holds lets go; unknown tokens are nobody's."""
        if token in slot.holders:
            return self.release(slot, token, now_s=now_s)
        if slot.waiting.pop(token, None) is None or slot.waiting:
            return []
        # The last one left. A load that runs is not stopped: the next one may want it.
        if self._wanted.pop(slot.name, None) is None:
            return []
        return self._plan(now_s)

    def release(self, slot: Slot, token: Token, *, now_s: float) -> list[Effect]:
        """One who holds the model lets go of it."""
        slot.holders.discard(token)
        slot.last_used_s = now_s
        if slot.holders or not (self._wanted or self.draining or slot.keep_for_s == 0):
            return []
        return self._settle_idle(slot, now_s)

    def loaded(self, slot: Slot, *, now_s: float) -> list[Effect]:
        """A load is done. All who waited hold the model before anybody can see it is loaded."""
        self._ledger.settle(slot.name)
        started_s = slot.life.history[-1].at_s
        slot.life.move(State.HOT, f"loaded in {format_duration(now_s - started_s)}", at_s=now_s)
        slot.loads += 1
        slot.load_s = now_s - started_s
        slot.loaded_at_s = slot.last_used_s = now_s
        tokens = list(slot.waiting)
        slot.waiting.clear()
        slot.holders.update(tokens)
        slot.uses += len(tokens)
        slot.granted += len(tokens)
        grants: list[Effect] = [Grant(slot.name, token) for token in tokens]
        return grants if tokens else self._settle_idle(slot, now_s)

    def load_failed(self, slot: Slot, error: BaseException, *, now_s: float) -> list[Effect]:
        """A load raised: all who waited are told, and the next to ask starts a new one."""
        self._ledger.release(slot.name)
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        slot.life.move(State.FAILED, reason, at_s=now_s)
        slot.failures += 1
        refusals = [self._refusal(slot, token, reason, error) for token in slot.waiting]
        slot.waiting.clear()
        return [*refusals, *self._plan(now_s), *self._finish()]

    def begin_unload(self, slot: Slot) -> bool:
        """Say whether an unload is still wanted; from then on it cannot be called off."""
        if slot.life.state is not State.COOLING or slot.tearing:
            return False
        slot.tearing = True
        return True

    def unloaded(self, slot: Slot, *, now_s: float, trouble: str = "") -> list[Effect]:
        """An unload is done; *trouble* says what went wrong in it, for the record."""
        self._ledger.release(slot.name)
        self.evictions += slot.evicted
        slot.tearing = slot.evicted = False
        slot.life.move(State.COLD, trouble or "unloaded", at_s=now_s)
        return [*self._plan(now_s), *self._finish()]

    def tick(self, *, now_s: float) -> list[Effect]:
        """Time has passed: what was idle for as long as it is kept goes."""
        effects: list[Effect] = []
        for slot in self.slots.values():
            if slot.expires_at_s <= now_s:
                idle = format_duration(now_s - slot.last_used_s)
                effects.append(self._cool(slot, f"idle for {idle}", now_s))
        return effects

    def next_expiry_s(self) -> float:
        """Return when ``tick`` has something to do; infinity for never."""
        return min((slot.expires_at_s for slot in self.slots.values()), default=math.inf)

    def drain(self, *, now_s: float) -> list[Effect]:
        """Refuse who waits and who comes, and unload everything as soon as it is let go of."""
        if self.draining:
            return []
        self.draining = True
        self._wanted.clear()
        effects: list[Effect] = []
        for slot in self.slots.values():
            for token in slot.waiting:
                error = PoolClosed(name=slot.name, reason="drains, and nothing more is loaded")
                effects.append(Refuse(token, error))
            slot.waiting.clear()
            if slot.idle:
                effects.append(self._cool(slot, "the pool drains", now_s))
        return [*effects, *self._finish()]

    def reopen(self) -> None:
        """Give out again, after everything was drained."""
        self.draining = self._drained = False

    @property
    def drained(self) -> bool:
        """Whether nothing is loaded, nor being loaded or unloaded."""
        return all(slot.life.state in (State.COLD, State.FAILED) for slot in self.slots.values())

    def obstacle(self, slot: Slot) -> str:
        """Return what a request for the model is waiting for, for people."""
        if slot.life.state is State.WARMING:
            return "it is being loaded"
        if slot.tearing:
            return "it is being unloaded, to be loaded again"
        others = [other for other in self.slots.values() if other is not slot]
        parts = [_occupation(other) for other in others if other.life.state in _OCCUPYING]
        free = format_size(self._ledger.free_bytes)
        held = ", ".join(parts) or "nobody"
        return f"it needs {format_size(slot.size_bytes)}, {free} are free, the rest has {held}"

    def _plan(self, now_s: float) -> list[Effect]:
        """Start what fits, and evict for what does not, in the order of asking."""
        if not self._wanted:
            return []
        effects: list[Effect] = []
        free = self._ledger.free_bytes
        idle = sum(s.size_bytes for s in self.slots.values() if s.idle)
        leaving = sum(s.size_bytes for s in self.slots.values() if s.life.state is State.COOLING)
        for slot in list(self._wanted.values()):
            begun = slot.life.state is State.COOLING  # its own unload has to end first
            if slot.size_bytes <= free and not begun:
                effects.append(self._warm(slot, now_s))
                free -= slot.size_bytes
                continue
            shortage = slot.size_bytes - free - leaving
            if shortage > 0:
                evicted = self._evict(slot, shortage, now_s) if shortage <= idle else []
                if not evicted:  # a lease has to end first; meanwhile others may do with less
                    continue
                effects += evicted
                freed = sum(self.slots[effect.name].size_bytes for effect in evicted)
                leaving += freed
                idle -= freed
            # Set the space aside, so that nobody behind takes it.
            from_leaving = min(leaving, slot.size_bytes if begun else slot.size_bytes - free)
            leaving -= from_leaving
            free -= slot.size_bytes - from_leaving
        return effects

    def _evict(self, wanted: Slot, need_bytes: int, now_s: float) -> list[StartUnload]:
        idle = [_resident(slot) for slot in self.slots.values() if slot.idle]
        victims = choose_victims(self._policy, idle, need_bytes, now_s=now_s)
        effects = []
        for victim in victims or ():
            slot = self.slots[victim.name]
            slot.evicted = True
            effects.append(self._cool(slot, f"evicted for {wanted.name}: {victim.reason}", now_s))
        return effects

    def _warm(self, slot: Slot, now_s: float) -> StartLoad:
        del self._wanted[slot.name]
        self._ledger.reserve(slot.name, slot.size_bytes)
        slot.life.move(State.WARMING, f"{len(slot.waiting)} asked for it", at_s=now_s)
        return StartLoad(slot.name)

    def _cool(self, slot: Slot, reason: str, now_s: float) -> StartUnload:
        slot.life.move(State.COOLING, reason, at_s=now_s)
        return StartUnload(slot.name)

    def _settle_idle(self, slot: Slot, now_s: float) -> list[Effect]:
        if self.draining:
            return [self._cool(slot, "the pool drains", now_s)]
        if slot.keep_for_s == 0:
            return [self._cool(slot, "not kept", now_s)]
        return self._plan(now_s)

    def _finish(self) -> list[Effect]:
        if not self.draining or self._drained or not self.drained:
            return []
        self._drained = True
        return [Drained()]

    def _refusal(self, slot: Slot, token: Token, reason: str, cause: BaseException) -> Effect:
        error = LoadFailed(name=slot.name, reason=reason)
        error.__cause__ = cause
        return Refuse(token, error)

    def __repr__(self) -> str:
        wanted = ", ".join(self._wanted) or "nothing"
        return f"<Scheduler of {len(self.slots)} models, {self._ledger!r}, {wanted} wanted>"


_OCCUPYING = (State.WARMING, State.HOT, State.COOLING)


def _resident(slot: Slot) -> Resident:
    return Resident(
        name=slot.name,
        size_bytes=slot.size_bytes,
        loaded_at_s=slot.loaded_at_s,
        load_s=slot.load_s,
        last_used_s=slot.last_used_s,
        uses=slot.uses,
    )


def _occupation(slot: Slot) -> str:
    size = format_size(slot.size_bytes)
    if not slot.holders:
        return f"{slot.name} ({size}, {slot.life.state})"
    who = ", ".join(sorted(str(token) for token in slot.holders)[:5])
    more = f" and {len(slot.holders) - 5} more" if len(slot.holders) > 5 else ""
    return f"{slot.name} ({size}, held by {who}{more})"
