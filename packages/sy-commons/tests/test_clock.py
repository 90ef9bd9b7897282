import math

import pytest

from sy_commons import Clock, SystemClock, VirtualClock


def test_what_is_due_is_called_in_order_and_on_time() -> None:
    clock = VirtualClock(wall=100.0)
    rung: list[tuple[str, float, float]] = []
    for name, when in (("late", 5.0), ("early", 1.0), ("also late", 5.0), ("never", 11.0)):
        clock.call_at(when, lambda name=name: rung.append((name, clock.monotonic(), clock.wall())))  # type: ignore[misc]  # a lambda with a default has no type

    clock.advance(10.0)

    assert rung == [("early", 1.0, 101.0), ("late", 5.0, 105.0), ("also late", 5.0, 105.0)]
    assert repr(clock) == "VirtualClock(monotonic=10.0, wall=110.0, due=1)"


def test_what_is_due_in_the_past_is_called_now_and_time_stays() -> None:
    clock = VirtualClock()
    clock.advance(5.0)
    rung: list[float] = []
    clock.call_at(1.0, lambda: rung.append(clock.monotonic()))

    clock.advance(0)

    assert rung == [5.0]


def test_a_callback_may_advance_the_clock_and_it_never_goes_back() -> None:
    clock = VirtualClock()
    clock.call_at(1.0, lambda: clock.advance(100.0))

    clock.advance(2.0)

    assert (clock.monotonic(), clock.wall()) == (101.0, 101.0)


def test_the_wall_clock_jumps_alone() -> None:
    clock = VirtualClock(wall=50.0)

    clock.jump_wall(-20.0)

    assert (clock.monotonic(), clock.wall()) == (0.0, 30.0)


@pytest.mark.parametrize("seconds", [-1.0, math.nan])
def test_time_does_not_go_back(seconds: float) -> None:
    with pytest.raises(ValueError, match="does not go back"):
        VirtualClock().advance(seconds)


def test_the_system_clock_goes_on() -> None:
    clock: Clock = SystemClock()

    assert clock.monotonic() <= clock.monotonic()
    assert repr(clock) == "SystemClock()"
