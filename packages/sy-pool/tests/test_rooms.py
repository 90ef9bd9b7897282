"""The small rooms: lifecycle, ledger, eviction, model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sy_commons import InternalError, SymphonyError
from sy_pool import Budget, LeastRecentlyUsed, Model, ModelInvalid, Resident, State, Victim
from sy_pool._budget import Ledger
from sy_pool._evict import choose_victims
from sy_pool._lifecycle import ALLOWED, HISTORY, Lifecycle


def resident(name: str, size: int, last_used_s: float = 0.0) -> Resident:
    return Resident(name, size, 0.0, 0.0, last_used_s, 1)


@pytest.mark.parametrize(("source", "target"), [*product(State, State)])
def test_only_the_ways_in_the_table_are_taken(source: State, target: State) -> None:
    life = Lifecycle()
    life.state = source
    if (source, target) in ALLOWED:
        life.move(target, "why", at_s=1.0)
        assert life.state is target
    else:
        with pytest.raises(InternalError, match=f"from {source} to {target}"):
            life.move(target, "why", at_s=1.0)
        assert life.state is source
        assert not life.history


def test_the_history_is_bounded() -> None:
    life = Lifecycle()
    for _ in range(HISTORY):
        life.move(State.WARMING, "again", at_s=0.0)
        life.move(State.FAILED, "again", at_s=0.0)
    assert len(life.history) == HISTORY


def test_the_ledger_refuses_what_would_exceed_the_budget() -> None:
    ledger = Ledger(10)
    ledger.reserve("a", 6)
    with pytest.raises(InternalError, match="4 are free"):
        ledger.reserve("b", 5)
    with pytest.raises(InternalError, match="already"):
        ledger.reserve("a", 1)
    ledger.release("a")
    ledger.reserve("b", 10)
    assert ledger.free_bytes == 0
    assert repr(ledger) == "<Ledger 10 B of 10 B>"


def test_the_longest_unused_goes_first() -> None:
    residents = [resident("a", 1, 3.0), resident("b", 1, 1.0), resident("c", 1, 2.0)]
    chosen = choose_victims(LeastRecentlyUsed(), residents, 2, now_s=10.0)
    assert chosen == [Victim("b", "unused for 9s"), Victim("c", "unused for 8s")]


def test_nobody_goes_in_vain() -> None:
    residents = [resident("a", 1, 1.0), resident("b", 1, 2.0), resident("c", 8, 3.0)]
    chosen = choose_victims(LeastRecentlyUsed(), residents, 8, now_s=10.0)
    assert chosen is not None
    assert [victim.name for victim in chosen] == ["c"]


def test_where_all_do_not_suffice_nobody_goes() -> None:
    assert choose_victims(LeastRecentlyUsed(), [resident("a", 1)], 2, now_s=0.0) is None


class Pinning:
    """A policy from outside: whatever is called pinned stays."""

    def rank(self, residents: Sequence[Resident], *, now_s: float) -> Sequence[Victim]:
        return [Victim(one.name, "not pinned") for one in residents if one.name != "pinned"]

    def __repr__(self) -> str:
        return "Pinning()"


def test_what_a_policy_leaves_out_stays() -> None:
    residents = [resident("pinned", 5), resident("a", 1)]
    assert choose_victims(Pinning(), residents, 1, now_s=0.0) == [Victim("a", "not pinned")]
    assert choose_victims(Pinning(), residents, 2, now_s=0.0) is None


@pytest.mark.parametrize(
    ("ranked", "trouble"),
    [
        (ZeroDivisionError("oops"), "Broken raised ZeroDivisionError: oops"),
        ([Victim("stranger", "")], "Broken named strangers, or one twice"),
        ([Victim("a", ""), Victim("a", "")], "Broken named strangers, or one twice"),
        (None, "Broken raised TypeError"),
    ],
)
def test_a_broken_policy_does_not_stop_the_pool_and_is_told(ranked: Any, trouble: str) -> None:
    class Broken:
        def rank(self, residents: Sequence[Resident], *, now_s: float) -> Sequence[Victim]:
            if isinstance(ranked, Exception):
                raise ranked
            return ranked  # type: ignore[no-any-return]  # whatever it is

        def __repr__(self) -> str:
            return "Broken"

    chosen = choose_victims(Broken(), [resident("a", 1)], 1, now_s=0.0)
    assert chosen is not None
    assert chosen[0].name == "a"
    assert trouble in chosen[0].reason


@given(st.lists(st.tuples(st.integers(1, 20), st.floats(0, 100)), max_size=8), st.integers(1, 60))
def test_victims_suffice_and_none_is_one_too_many(
    sizes: list[tuple[int, float]], need: int
) -> None:
    residents = [resident(f"m{i}", size, used) for i, (size, used) in enumerate(sizes)]
    chosen = choose_victims(LeastRecentlyUsed(), residents, need, now_s=100.0)
    if chosen is None:
        assert sum(one.size_bytes for one in residents) < need
        return
    freed = [next(r.size_bytes for r in residents if r.name == victim.name) for victim in chosen]
    assert sum(freed) >= need
    assert all(sum(freed) - size < need for size in freed)


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": "", "load": dict, "memory": 1},
        {"name": 7, "load": dict, "memory": 1},
        {"name": "a", "load": {}, "memory": 1},
        {"name": "a", "load": dict, "memory": 1, "unload": 7},
        {"name": "a", "load": dict, "memory": 1, "keep_for_s": -1},
        {"name": "a", "load": dict, "memory": 1, "keep_for_s": "60"},
        {"name": "a", "load": dict, "memory": 1, "keep_for_s": float("nan")},
    ],
)
def test_a_model_that_cannot_be_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ModelInvalid):
        Model(arguments.pop("name"), **arguments)


@pytest.mark.parametrize("size", ["much", "8G", -1, None])
def test_a_size_that_is_none_is_refused(size: Any) -> None:
    with pytest.raises(SymphonyError, match="is not a size"):
        Budget(memory=size)
    with pytest.raises(SymphonyError, match="is not a size"):
        Model("a", load=dict, memory=size)
