"""Faults that other model servers had, each told as it happened there."""

from __future__ import annotations

from sy_pool import LeastRecentlyUsed, State
from sy_pool._scheduler import Grant, Scheduler, StartLoad, StartUnload

GIB = 1 << 30


def test_a_victim_asked_for_again_does_not_hang_the_load_that_wanted_its_space() -> None:
    """ollama#17408: the victim was resurrected, its unload never came, and every load hung."""
    core = Scheduler(10 * GIB, LeastRecentlyUsed())
    victim, other, wanted = (core.add(name, 5 * GIB) for name in ("victim", "other", "wanted"))
    for at_s, slot in enumerate((victim, other)):
        core.request(slot, "early", now_s=at_s)
        core.loaded(slot, now_s=at_s)
        core.release(slot, "early", now_s=at_s)

    assert core.request(wanted, "ann", now_s=5.0) == [StartUnload("victim")]
    # Asked for before its unload begins: it stays, and the load looks for another victim.
    assert core.request(victim, "bob", now_s=5.1) == [Grant("victim", "bob"), StartUnload("other")]
    assert not core.begin_unload(victim), "the unload was called off"
    assert core.begin_unload(other)
    assert core.unloaded(other, now_s=5.2) == [StartLoad("wanted")]


def test_a_resurrected_victim_that_was_the_only_one_is_taken_when_it_is_let_go_of() -> None:
    """ollama#17408, with nobody else to evict: the load waits for the lease, and not for ever."""
    core = Scheduler(10 * GIB, LeastRecentlyUsed())
    victim, wanted = core.add("victim", 6 * GIB), core.add("wanted", 6 * GIB)
    core.request(victim, "early", now_s=0.0)
    core.loaded(victim, now_s=0.0)
    core.release(victim, "early", now_s=0.0)

    assert core.request(wanted, "ann", now_s=1.0) == [StartUnload("victim")]
    assert core.request(victim, "bob", now_s=1.1) == [Grant("victim", "bob")]
    assert not core.begin_unload(victim)
    assert core.release(victim, "bob", now_s=2.0) == [StartUnload("victim")]
    assert core.begin_unload(victim)
    assert core.unloaded(victim, now_s=2.1) == [StartLoad("wanted")]


def test_a_victim_asked_for_after_its_unload_began_is_loaded_again() -> None:
    """llama.cpp#28443: the wake-up was lost, and the one who waited hung for ever."""
    core = Scheduler(10 * GIB, LeastRecentlyUsed())
    victim, wanted = core.add("victim", 6 * GIB), core.add("wanted", 6 * GIB)
    core.request(victim, "early", now_s=0.0)
    core.loaded(victim, now_s=0.0)
    core.release(victim, "early", now_s=0.0)

    core.request(wanted, "ann", now_s=1.0)
    assert core.begin_unload(victim)
    assert core.request(victim, "bob", now_s=1.1) == [], "too late to call it off"
    assert core.unloaded(victim, now_s=1.2) == [StartLoad("wanted")], "who asked first is first"
    assert core.loaded(wanted, now_s=2.0) == [Grant("wanted", "ann")]
    assert core.release(wanted, "ann", now_s=3.0) == [StartUnload("wanted")]
    assert core.begin_unload(wanted)
    assert core.unloaded(wanted, now_s=3.1) == [StartLoad("victim")]
    assert core.loaded(victim, now_s=4.0) == [Grant("victim", "bob")]


def test_what_was_just_loaded_is_not_evicted_before_its_first_grant() -> None:
    """llama.cpp#28698: a load that ended was evicted by the next in line before it was used."""
    core = Scheduler(10 * GIB, LeastRecentlyUsed())
    first, second = core.add("first", 6 * GIB), core.add("second", 6 * GIB)
    core.request(first, "ann", now_s=0.0)
    assert core.request(second, "bob", now_s=0.1) == []
    assert core.loaded(first, now_s=1.0) == [Grant("first", "ann")], "and no unload"
    assert first.holders == {"ann"}
    assert core.request(second, "cid", now_s=1.1) == []
    assert first.life.state is State.HOT


def test_what_is_being_loaded_is_not_evicted() -> None:
    """llama.cpp#25528: the victim was a model whose load was still running."""
    core = Scheduler(10 * GIB, LeastRecentlyUsed())
    first, second = core.add("first", 6 * GIB), core.add("second", 6 * GIB)
    core.request(first, "ann", now_s=0.0)
    core.abandon(first, "ann", now_s=0.1)  # nobody waits for it, and it still loads
    assert core.request(second, "bob", now_s=0.2) == []
    assert first.life.state is State.WARMING


def test_what_is_in_use_is_not_unloaded_however_old_it_is() -> None:
    """Ray Serve's multiplexing pops the least recently used, in use or not; llama.cpp#21678."""
    core = Scheduler(10 * GIB, LeastRecentlyUsed())
    oldest, newer, wanted = (core.add(name, 5 * GIB) for name in ("oldest", "newer", "wanted"))
    core.request(oldest, "long job", now_s=0.0)
    core.loaded(oldest, now_s=0.0)
    core.request(newer, "ann", now_s=1.0)
    core.loaded(newer, now_s=1.0)
    core.release(newer, "ann", now_s=2.0)
    assert core.request(wanted, "bob", now_s=3.0) == [StartUnload("newer")]
