from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sy_ipc._core.session import Outcome, Session

outcomes = st.sampled_from([Outcome.REPLIED, Outcome.FAILED, Outcome.CANCELLED])


class EveryRequestEndsOnce(RuleBasedStateMachine):
    """In any order of replies, errors, timeouts, cancels and ends, each request ends once."""

    def __init__(self) -> None:
        super().__init__()
        self.session: Session[object, object] = Session()
        self.now = 0.0
        self.open: dict[int, tuple[object, float | None]] = {}
        self.ended: set[int] = set()

    @rule(timeout_s=st.none() | st.floats(0.0, 50.0))
    def ask(self, timeout_s: float | None) -> None:
        slot = object()
        number = self.session.ask("a.b", slot)
        assert number not in self.open
        assert number not in self.ended
        if timeout_s is not None:
            due = self.session.limit(number, self.now, timeout_s)
            assert due <= self.now + timeout_s
        self.open[number] = (slot, None if timeout_s is None else self.now + timeout_s)

    @rule(number=st.integers(0, 12), outcome=outcomes)
    def settle(self, number: int, outcome: Outcome) -> None:
        asked = self.session.settle(number, outcome)
        assert (asked is None) == (number not in self.open)
        if asked is not None:
            assert asked.slot is self.open.pop(number)[0]
            self.ended.add(number)

    @rule(step=st.floats(0.0, 30.0))
    def let_time_pass(self, step: float) -> None:
        self.now += step
        late, due = self.session.expire(self.now)
        expected = {n for n, (_, end) in self.open.items() if end is not None and end <= self.now}
        assert {number for number, _ in late} == expected
        for number in expected:
            del self.open[number]
            self.ended.add(number)
        ends = [end for _, end in self.open.values() if end is not None]
        assert due == (min(ends) if ends else None)

    @rule()
    def end(self) -> None:
        asked, _ = self.session.end()
        assert [each.slot for each in asked] == [slot for slot, _ in self.open.values()]
        self.ended.update(self.open)
        self.open.clear()

    @invariant()
    def every_end_is_counted_once(self) -> None:
        assert self.session.asked == len(self.open)
        assert sum(self.session.outcomes.values()) == len(self.ended)


TestSession = EveryRequestEndsOnce.TestCase
TestSession.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_request_of_theirs_is_answered_or_called_off_once() -> None:
    session: Session[None, str] = Session()
    assert session.serve(1, "job")
    assert not session.serve(1, "another")
    assert session.call_off(1) == "job"
    assert session.call_off(1) is None
    assert not session.answer(1)
    session.serve(2, "job")
    assert session.answer(2)
    assert session.call_off(2) is None


def test_deadlines_of_ended_requests_do_not_pile_up() -> None:
    session: Session[None, None] = Session()
    for _ in range(10_000):
        number = session.ask("a", None)
        session.limit(number, 0.0, 30.0)
        session.settle(number, Outcome.REPLIED)
    assert len(session._deadlines) < 1000
