"""The scheduler against a shell that carries out its effects late, and in any order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sy_commons.testing import proof_count
from sy_pool import LeastRecentlyUsed, LoadFailed, PoolClosed, State
from sy_pool._scheduler import (
    Drained,
    Effect,
    Grant,
    Refuse,
    Scheduler,
    Slot,
    StartLoad,
    StartUnload,
)

BUDGET = 10
LOADED = (State.WARMING, State.HOT, State.COOLING)


class World:
    """A shell, and the people who want models: as slow and as unordered as they like."""

    def __init__(self, models: list[tuple[int, float | None]]) -> None:
        self.core = Scheduler(BUDGET, LeastRecentlyUsed())
        self.slots = [
            self.core.add(f"m{index}", size, keep_for_s=keep_for_s)
            for index, (size, keep_for_s) in enumerate(models)
        ]
        self.now_s = 0.0
        self.effects: list[Effect] = []
        self.loading: set[str] = set()
        self.unloading: set[str] = set()
        self.loaded: set[str] = set()
        self.outcome: dict[str, str] = {}  # of each token: waits, granted, refused, gone
        self.slot_of: dict[str, Slot] = {}
        self.told_drained = 0

    @property
    def quiet(self) -> bool:
        """Whether nothing is on its way."""
        return not (self.effects or self.loading or self.unloading)

    def decided(self, effects: list[Effect]) -> None:
        if self.core.draining:
            assert not any(isinstance(effect, StartLoad) for effect in effects)
        self.effects += effects

    def request(self, index: int) -> None:
        slot = self.slots[index % len(self.slots)]
        token = f"t{len(self.outcome)}"
        self.slot_of[token] = slot
        self.outcome[token] = "waits"
        state, draining = slot.life.state, self.core.draining
        at_once = state is State.HOT or (state is State.COOLING and not slot.tearing)
        effects = self.core.request(slot, token, now_s=self.now_s)
        if draining:
            assert [type(effect) for effect in effects] == [Refuse]
        elif at_once:
            assert effects[0] == Grant(slot.name, token), "a hit waits for nobody"
        self.decided(effects)

    def leave(self, token: str) -> None:
        """One who waits gives up, or one who holds lets go."""
        slot = self.slot_of[token]
        if self.outcome[token] == "granted":
            self.decided(self.core.release(slot, token, now_s=self.now_s))
        else:  # also when the outcome is on its way
            self.decided(self.core.abandon(slot, token, now_s=self.now_s))
        self.outcome[token] = "gone"
        assert token not in slot.holders
        assert token not in slot.waiting

    def carry_out(self, index: int) -> None:
        """Some effect or other reaches the world."""
        effect = self.effects.pop(index % len(self.effects))
        match effect:
            case StartLoad(name):
                assert name not in self.loading, "one load however many ask"
                assert name not in self.unloading
                assert name not in self.loaded
                self.loading.add(name)
            case StartUnload(name):
                self.begin_unload(self.core.slots[name])
            case Grant(name, token):
                assert self.settle_outcome(token, "granted") in ("waits", "gone")
                if self.outcome[token] == "granted":
                    assert token in self.core.slots[name].holders
                    assert name in self.loaded
            case Refuse(token, error):
                assert isinstance(error, LoadFailed | PoolClosed)
                assert self.settle_outcome(token, "refused") in ("waits", "gone")
            case Drained():
                self.told_drained += 1
                assert self.core.drained

    def settle_outcome(self, token: object, outcome: str) -> str:
        assert isinstance(token, str)
        before = self.outcome[token]
        if before == "waits":
            self.outcome[token] = outcome
        return before

    def begin_unload(self, slot: Slot) -> None:
        if self.core.begin_unload(slot):
            assert not slot.holders, "a leased model is never unloaded"
            assert slot.name in self.loaded
            assert slot.name not in self.unloading, "one unload for each"
            self.unloading.add(slot.name)

    def end_load(self, name: str, *, works: bool) -> None:
        self.loading.remove(name)
        slot = self.core.slots[name]
        waiting = set(slot.waiting)
        if works:
            self.loaded.add(name)
            self.decided(self.core.loaded(slot, now_s=self.now_s))
            assert waiting <= slot.holders, "granted before anybody can see that it is loaded"
        else:
            effects = self.core.load_failed(slot, OSError("no disk"), now_s=self.now_s)
            refused = {effect.token for effect in effects if isinstance(effect, Refuse)}
            assert refused == waiting, "all who waited are told"
            self.decided(effects)

    def end_unload(self, name: str) -> None:
        self.unloading.remove(name)
        self.loaded.remove(name)
        self.decided(self.core.unloaded(self.core.slots[name], now_s=self.now_s))

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.decided(self.core.tick(now_s=self.now_s))
        assert self.core.next_expiry_s() > self.now_s

    def drain(self) -> None:
        self.decided(self.core.drain(now_s=self.now_s))

    def check(self) -> None:
        """Look whether every promise holds at this moment."""
        self.check_budget()
        for slot in self.slots:
            if slot.holders:
                assert slot.life.state is State.HOT
                assert slot.name in self.loaded - self.unloading
            if slot.life.state is State.HOT:
                assert not slot.waiting, "who waits for a loaded model waits for ever"
        for token, outcome in self.outcome.items():
            assert (token in self.slot_of[token].holders) or outcome != "granted"
        if self.quiet:
            self.check_nobody_is_forgotten()

    def check_budget(self) -> None:
        taken = sum(slot.size_bytes for slot in self.slots if slot.life.state in LOADED)
        ledger = self.core.ledger
        assert ledger.reserved_bytes + ledger.resident_bytes == taken <= BUDGET
        real = self.loaded | self.loading
        assert sum(self.core.slots[name].size_bytes for name in real) <= BUDGET

    def check_nobody_is_forgotten(self) -> None:
        """When the world is quiet, whoever waits waits for a lease to end, and nothing else."""
        idle = sum(slot.size_bytes for slot in self.slots if slot.idle)
        room = self.core.ledger.free_bytes + idle
        for slot in self.slots:
            assert slot.life.state in (State.COLD, State.HOT, State.FAILED)
            if slot.waiting:
                assert slot.size_bytes > room
                assert not self.core.draining

    def come_to_rest(self) -> None:
        for _ in range(1000):
            if self.quiet:
                return
            while self.effects:
                self.carry_out(0)
            for name in sorted(self.loading):
                self.end_load(name, works=True)
            for name in sorted(self.unloading):
                self.end_unload(name)
        raise AssertionError("the pool never comes to rest")

    def end(self) -> None:
        """Let everything end: each got one outcome, and a drain ends."""
        self.come_to_rest()
        while held := [token for token, outcome in self.outcome.items() if outcome == "granted"]:
            for token in held:
                self.leave(token)
            self.come_to_rest()
            self.check()
        assert "waits" not in self.outcome.values(), "with all leases ended, all are served"
        self.drain()
        self.come_to_rest()
        assert self.core.drained
        assert self.told_drained == 1
        assert self.core.ledger.free_bytes == BUDGET


MODELS = st.tuples(st.integers(1, BUDGET), st.sampled_from([None, None, 0, 3]))


class PoolMachine(RuleBasedStateMachine):
    """Hypothesis turns the world, and finds the shortest way to a broken promise."""

    @initialize(models=st.lists(MODELS, min_size=1, max_size=5))
    def begin(self, models: list[tuple[int, float | None]]) -> None:
        self.world = World(models)

    @rule(index=st.integers(0, 4))
    def request(self, index: int) -> None:
        self.world.request(index)

    @precondition(lambda self: self.present())
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.world.leave(data.draw(st.sampled_from(self.present())))

    @precondition(lambda self: self.world.effects)
    @rule(index=st.integers(0, 9))
    def carry_out(self, index: int) -> None:
        self.world.carry_out(index)

    @precondition(lambda self: self.world.loading)
    @rule(data=st.data(), works=st.booleans())
    def end_load(self, data: st.DataObject, works: bool) -> None:
        self.world.end_load(data.draw(st.sampled_from(sorted(self.world.loading))), works=works)

    @precondition(lambda self: self.world.unloading)
    @rule(data=st.data())
    def end_unload(self, data: st.DataObject) -> None:
        self.world.end_unload(data.draw(st.sampled_from(sorted(self.world.unloading))))

    @rule(seconds=st.floats(0, 5))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(sure=st.integers(0, 9))
    def drain(self, sure: int) -> None:
        if sure == 0:
            self.world.drain()

    @invariant()
    def every_promise_holds(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def present(self) -> list[str]:
        return _present(self.world)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.end()


def _present(world: World) -> list[str]:
    return [token for token, outcome in world.outcome.items() if outcome in ("waits", "granted")]


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_the_shortest_way_to_a_broken_promise_is_not_found() -> None:
    examples = proof_count(40, 4000)
    run_state_machine_as_test(
        PoolMachine, settings=settings(max_examples=examples, deadline=None, print_blob=True)
    )


def live(seed: int, steps: int) -> None:
    """Live one random life; the seed tells it again."""
    dice = random.Random(seed)
    count = dice.randint(1, 6)
    largest = dice.choice([3, 6, BUDGET])
    world = World(
        [(dice.randint(1, largest), dice.choice([None, None, 0, 3])) for _ in range(count)]
    )
    drains = dice.random() < 0.3
    for _ in range(steps):
        deeds: list[Callable[[], None]] = [lambda: world.request(dice.randrange(count))]
        if world.effects:
            deeds += [lambda: world.carry_out(dice.randrange(99))] * 3
        if present := _present(world):
            deeds += [lambda: world.leave(dice.choice(present))] * (1 + len(present) // 4)
        if world.loading:
            name, works = dice.choice(sorted(world.loading)), dice.random() < 0.8
            deeds.append(partial(world.end_load, name, works=works))
        if world.unloading:
            deeds.append(partial(world.end_unload, dice.choice(sorted(world.unloading))))
        if dice.random() < 0.1:
            deeds = [lambda: world.wait(dice.uniform(0, 5))]
        if drains and dice.random() < 1 / steps:
            deeds = [world.drain]
        dice.choice(deeds)()
        world.check()
    world.end()


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_long_random_lives_keep_every_promise() -> None:
    for seed in range(proof_count(400, 20_000)):
        try:
            live(seed, steps=100)
        except Exception as error:
            error.add_note(f"tell it again: live({seed}, steps=100)")
            raise


def scheduler(**sizes: int) -> tuple[Scheduler, dict[str, Slot]]:
    core = Scheduler(BUDGET, LeastRecentlyUsed())
    return core, {name: core.add(name, size) for name, size in sizes.items()}


def load(core: Scheduler, slot: Slot, now_s: float = 0.0) -> None:
    """Bring a model and let go of it."""
    core.request(slot, "loader", now_s=now_s)
    core.loaded(slot, now_s=now_s)
    core.release(slot, "loader", now_s=now_s)


def test_who_waits_for_an_unload_has_the_space_set_aside() -> None:
    """Else a small late-comer could take what was freed for a big one, again and again."""
    core, slots = scheduler(old=8, big=10, small=1)
    load(core, slots["old"])
    assert core.request(slots["big"], "ann", now_s=1.0) == [StartUnload("old")]
    assert core.request(slots["small"], "bob", now_s=2.0) == []
    assert core.begin_unload(slots["old"])
    assert core.unloaded(slots["old"], now_s=3.0) == [StartLoad("big")]


def test_who_waits_for_a_lease_keeps_nobody_from_what_is_free() -> None:
    """Else two who wait for each other's leases would wait for ever."""
    core, slots = scheduler(held=6, big=9, small=4)
    core.request(slots["held"], "ann", now_s=0.0)
    core.loaded(slots["held"], now_s=0.0)
    assert core.request(slots["big"], "bob", now_s=1.0) == []
    assert core.request(slots["small"], "ann", now_s=2.0) == [StartLoad("small")]


def test_space_set_aside_for_one_is_not_counted_on_by_the_next() -> None:
    """The next one's own victim goes at once, so that both load beside each other."""
    core, slots = scheduler(old=5, other=5, first=5, second=5)
    load(core, slots["old"], 0.0)
    load(core, slots["other"], 1.0)
    assert core.request(slots["first"], "ann", now_s=2.0) == [StartUnload("old")]
    assert core.request(slots["second"], "bob", now_s=3.0) == [StartUnload("other")]


def test_what_an_eviction_frees_beyond_its_need_is_for_the_next() -> None:
    core, slots = scheduler(large=6, old=2, held=2, first=4, second=3)
    load(core, slots["old"])
    for name in ("large", "held"):
        core.request(slots[name], "ann", now_s=1.0)
        core.loaded(slots[name], now_s=1.0)
    assert core.request(slots["first"], "bob", now_s=2.0) == []
    assert core.request(slots["second"], "cid", now_s=2.0) == []
    # The first needs 4 of the large one's 6, and the second those 2 and one more.
    effects = core.release(slots["large"], "ann", now_s=3.0)
    assert effects == [StartUnload("large"), StartUnload("old")]


def test_one_to_be_loaded_again_waits_for_its_own_unload_even_where_there_is_room() -> None:
    core = Scheduler(BUDGET, LeastRecentlyUsed())
    slot = core.add("a", 3, keep_for_s=1)
    load(core, slot)
    assert core.tick(now_s=1.0) == [StartUnload("a")]
    assert core.begin_unload(slot)
    assert core.request(slot, "ann", now_s=2.0) == []
    assert core.unloaded(slot, now_s=3.0) == [StartLoad("a")]


def test_when_a_load_fails_its_space_goes_to_the_next() -> None:
    core, slots = scheduler(a=6, b=6)
    core.request(slots["a"], "ann", now_s=0.0)
    assert core.request(slots["b"], "bob", now_s=0.0) == []
    _, start = core.load_failed(slots["a"], OSError("no disk"), now_s=1.0)
    assert start == StartLoad("b")


def test_the_one_who_asked_first_is_served_first() -> None:
    core, slots = scheduler(held=10, first=5, second=6)
    core.request(slots["held"], "ann", now_s=0.0)
    core.loaded(slots["held"], now_s=0.0)
    core.request(slots["first"], "bob", now_s=1.0)
    core.request(slots["second"], "cid", now_s=2.0)
    assert core.release(slots["held"], "ann", now_s=3.0) == [StartUnload("held")]
    core.begin_unload(slots["held"])
    assert core.unloaded(slots["held"], now_s=4.0) == [StartLoad("first")]


def test_nobody_is_evicted_for_one_who_cannot_be_served_anyway() -> None:
    core, slots = scheduler(held=5, idle=4, big=10)
    core.request(slots["held"], "ann", now_s=0.0)
    core.loaded(slots["held"], now_s=0.0)
    load(core, slots["idle"])
    assert core.request(slots["big"], "bob", now_s=1.0) == []
    assert slots["idle"].life.state is State.HOT


def test_when_the_last_one_gives_up_the_next_in_line_goes_on() -> None:
    core, slots = scheduler(old=8, big=10, small=2)
    load(core, slots["old"])
    core.request(slots["big"], "ann", now_s=1.0)
    assert core.request(slots["small"], "bob", now_s=2.0) == []
    assert core.abandon(slots["big"], "ann", now_s=3.0) == [StartLoad("small")]


def test_a_load_goes_on_when_all_who_waited_gave_up() -> None:
    core, slots = scheduler(a=5)
    core.request(slots["a"], "ann", now_s=0.0)
    assert core.abandon(slots["a"], "ann", now_s=1.0) == []
    assert core.loaded(slots["a"], now_s=2.0) == []
    assert slots["a"].idle


def test_what_is_not_kept_goes_when_it_is_let_go_of() -> None:
    core = Scheduler(BUDGET, LeastRecentlyUsed())
    slot = core.add("a", 5, keep_for_s=0)
    core.request(slot, "ann", now_s=0.0)
    core.loaded(slot, now_s=0.0)
    assert core.release(slot, "ann", now_s=1.0) == [StartUnload("a")]


def test_what_is_kept_for_a_time_goes_when_that_is_over_and_not_while_leased() -> None:
    core = Scheduler(BUDGET, LeastRecentlyUsed())
    slot = core.add("a", 5, keep_for_s=60)
    core.request(slot, "ann", now_s=0.0)
    core.loaded(slot, now_s=0.0)
    assert core.next_expiry_s() == math.inf
    assert core.tick(now_s=1000.0) == []
    core.release(slot, "ann", now_s=1000.0)
    assert core.next_expiry_s() == 1060.0
    assert core.tick(now_s=1059.9) == []
    assert core.tick(now_s=1060.0) == [StartUnload("a")]
    assert core.evictions == 0


def test_an_eviction_that_was_called_off_is_not_counted() -> None:
    core, slots = scheduler(a=6, b=6)
    load(core, slots["a"])
    core.request(slots["b"], "bob", now_s=1.0)
    core.request(slots["a"], "ann", now_s=1.0)
    core.abandon(slots["b"], "bob", now_s=1.0)
    core.release(slots["a"], "ann", now_s=2.0)
    core.drain(now_s=3.0)
    core.begin_unload(slots["a"])
    core.unloaded(slots["a"], now_s=4.0)
    assert core.evictions == 0


def test_an_eviction_is_counted_when_it_is_done() -> None:
    core, slots = scheduler(a=6, b=6)
    load(core, slots["a"])
    core.request(slots["b"], "bob", now_s=1.0)
    assert core.evictions == 0
    core.begin_unload(slots["a"])
    core.unloaded(slots["a"], now_s=2.0)
    assert core.evictions == 1


def test_the_reasons_tell_the_story() -> None:
    core, slots = scheduler(a=6, b=6)
    load(core, slots["a"])
    core.request(slots["b"], "bob", now_s=90.0)
    assert [str(step) for step in slots["a"].life.history] == [
        "cold → warming: 1 asked for it",
        "warming → hot: loaded in 0s",
        "hot → cooling: evicted for b: unused for 1m 30s",
    ]


def test_what_stands_in_the_way_is_told() -> None:
    core, slots = scheduler(a=6, b=6, c=2)
    core.request(slots["a"], "ann", now_s=0.0)
    assert core.obstacle(slots["a"]) == "it is being loaded"
    core.loaded(slots["a"], now_s=0.0)
    core.request(slots["c"], "cid", now_s=0.0)
    core.request(slots["b"], "bob", now_s=0.0)
    assert core.obstacle(slots["b"]) == (
        "it needs 6 B, 2 B are free, the rest has a (6 B, held by ann), c (2 B, warming)"
    )
