import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sy_commons import (
    ConstantBackoff,
    ExponentialBackoff,
    LinearBackoff,
    ValidationError,
    backoff,
)

KINDS = [ConstantBackoff, LinearBackoff, ExponentialBackoff]


@given(
    st.sampled_from(KINDS),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.integers(-5, 10**6),
)
def test_no_wait_is_negative_or_longer_than_the_longest(
    kind: type[ConstantBackoff], first_s: float, longest_s: float, jitter: float, failures: int
) -> None:
    policy = kind(first_s, longest_s=longest_s, jitter=jitter)

    assert 0 <= policy.delay_s(failures) <= longest_s


def test_jitter_spreads_downwards_and_a_seed_repeats_it() -> None:
    first, again = (ConstantBackoff(10, jitter=0.5, seed=7) for _ in range(2))
    waits = [first.delay_s(1) for _ in range(50)]

    assert waits == [again.delay_s(1) for _ in range(50)]
    assert len(set(waits)) > 40
    assert 5 <= min(waits) <= max(waits) <= 10


@pytest.mark.parametrize(
    "options",
    [{"first_s": -1}, {"longest_s": -1}, {"jitter": 1.1}, {"jitter": -1}, {"first_s": math.nan}],
)
def test_impossible_policies_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="no back-off has"):
        ExponentialBackoff(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_policies_are_found_by_name() -> None:
    own = LinearBackoff()

    assert isinstance(backoff("linear"), LinearBackoff)
    assert backoff(own) is own
    with pytest.raises(ValidationError, match="did you mean 'linear'"):
        backoff("liner")
