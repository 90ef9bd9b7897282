import pytest
from hypothesis import given
from hypothesis import strategies as st

from house.verdicts import (
    Budget,
    at_least,
    at_most,
    judge,
    quantity,
    render,
    spread_of,
    statistic_of,
)

numbers = st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=50)


def rounds(*values: float) -> list[list[float]]:
    return [[value] for value in values]


def test_a_ratio_within_its_budget_passes() -> None:
    verdict = judge("put", at_most(0.8, peer="file"), rounds(1, 1, 1), rounds(2, 2, 2))
    assert (verdict.word, verdict.value, verdict.ours, verdict.peer) == ("PASS", 0.5, 1, 2)


def test_a_ratio_beyond_its_budget_fails() -> None:
    verdict = judge("put", at_most(0.8, peer="file"), rounds(1.7, 1.7), rounds(2, 2))
    assert verdict.word == "FAIL"


def test_a_ratio_on_the_limit_passes() -> None:
    assert judge("x", at_most(0.5, peer="p"), rounds(1), rounds(2)).word == "PASS"
    assert judge("x", at_least(0.5, peer="p"), rounds(1), rounds(2)).word == "PASS"


def test_at_least_asks_for_more() -> None:
    assert judge("rate", at_least(50_000), rounds(60_000)).word == "PASS"
    assert judge("rate", at_least(50_000), rounds(40_000)).word == "FAIL"


def test_the_ratio_is_taken_within_each_round() -> None:
    """A machine that slows down from round to round slows both sides, and changes no ratio."""
    verdict = judge("x", at_most(1, peer="p"), rounds(1, 10, 100), rounds(2, 20, 200))
    assert (verdict.word, verdict.value, verdict.spread) == ("PASS", 0.5, 0.0)
    assert judge("x", at_most(1, peer="p"), rounds(9, 1, 5), rounds(1, 2, 50)).value == 0.5


def test_rounds_that_stray_by_more_than_30_percent_are_noisy() -> None:
    assert judge("x", at_most(9), rounds(1.0, 1.0, 1.4, 1.4)).word == "NOISY"
    assert judge("x", at_most(9), rounds(1.0, 1.1, 1.2, 1.25)).word == "PASS"


def test_one_wild_round_among_many_is_no_noise() -> None:
    assert judge("x", at_most(9), rounds(1, 1, 1, 1, 1, 1, 50)).word == "PASS"


def test_a_noisy_line_says_when_every_round_was_on_one_side() -> None:
    within = judge("x", at_most(9), rounds(1, 1, 4, 4))
    across = judge("x", at_most(3), rounds(1, 1, 4, 4))
    assert render(within, width=1).endswith("every round within")
    assert not render(across, width=1).endswith("every round within")


def test_the_line_has_word_name_ours_peer_ratio_and_budget_in_this_order() -> None:
    verdict = judge("put", at_most(0.8, peer="plain file"), rounds(0.001), rounds(0.002))
    assert render(verdict, width=5) == (
        "PASS  put    ours 1 ms  plain file 2 ms  ratio 0.5  budget <= 0.8x  "
        "p50 of 1 rounds, spread 0%"
    )


def test_an_absolute_line_has_its_limit_in_the_same_unit() -> None:
    verdict = judge("put", at_most(0.005, statistic="p95"), [[0.001] * 94 + [0.009] * 6])
    line = render(verdict, width=3)
    assert line.startswith("FAIL  put  ours 9 ms  budget <= 5 ms  p95")


def test_a_peer_that_took_no_time_is_infinitely_better() -> None:
    assert judge("x", at_most(2, peer="p"), rounds(1), rounds(0)).word == "FAIL"


@pytest.mark.parametrize("bad", [{"direction": "<"}, {"statistic": "q95"}, {"statistic": "avg"}])
def test_a_budget_nobody_understands_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"not|no statistic"):
        Budget(limit=1, **bad)


@given(numbers, st.floats(0.1, 100))
def test_a_percentile_is_a_sample_and_at_least_that_many_are_not_above_it(
    samples: list[float], percent: float
) -> None:
    value = statistic_of(samples, f"p{percent}")
    assert value in samples or percent == 50
    assert sum(sample <= value for sample in samples) >= len(samples) * percent / 100 - 1e-9


@given(numbers)
def test_the_spread_does_not_depend_on_the_unit(values: list[float]) -> None:
    assert spread_of(values) == pytest.approx(spread_of([value * 1000 for value in values]))


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [(2.5, "s", "2.5 s"), (3e-9, "s", "3 ns"), (12.0, "MiB", "12 MiB"), (999, "/s", "999/s")],
)
def test_quantities_read_well(value: float, unit: str, said: str) -> None:
    assert quantity(value, unit) == said
