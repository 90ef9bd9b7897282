import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sy_ipc import Gap
from sy_ipc._core.flow import Gate, Mailbox, Overflow, Ticket


class NothingIsLostUnsaid(RuleBasedStateMachine):
    """Delivered, dropped, waiting and parked account for every event, by each policy's own rule."""

    @initialize(policy=st.sampled_from(Overflow), maxsize=st.integers(1, 4))
    def make(self, policy: Overflow, maxsize: int) -> None:
        self.box: Mailbox[int] = Mailbox(policy, maxsize)
        self.policy, self.maxsize = policy, maxsize
        self.published = 0
        self.model: list[int] = []  # what waits
        self.parked: list[tuple[int, Ticket]] = []
        self.withdrawn = 0
        self.taken: list[int] = []
        self.gaps = 0
        self.placed: list[int] = []

    @rule()
    def publish(self) -> None:
        event = self.published
        self.published += 1
        full = len(self.model) >= self.maxsize
        assert self.box.crowded == (full and self.policy is not Overflow.BLOCK)
        if self.box.offer(event):
            self._expect_taken_in(event, full=full)
            return
        assert self.policy is Overflow.BLOCK
        assert full or self.parked
        ticket = Ticket(lambda: self.placed.append(event))
        self.box.park(event, ticket)
        ticket.release()
        self.parked.append((event, ticket))

    def _expect_taken_in(self, event: int, *, full: bool) -> None:
        if not full:
            self.model.append(event)
        elif self.policy is Overflow.DROP_OLDEST:
            self.model = [*self.model[1:], event]
        else:
            assert self.policy in (Overflow.DROP_NEWEST, Overflow.FAIL)

    @rule()
    def take(self) -> None:
        if not self.box.ready:
            assert not self.model
            return
        entry = self.box.take()
        if isinstance(entry, Gap):
            assert entry.count > 0
            self.gaps += entry.count
            return
        assert entry == self.model.pop(0)
        self.taken.append(entry)
        if self.parked:
            event, _ = self.parked.pop(0)
            self.model.append(event)
            assert event in self.placed

    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        if self.parked:
            _, ticket = self.parked.pop(data.draw(st.integers(0, len(self.parked) - 1)))
            ticket.withdrawn = True
            self.withdrawn += 1

    @invariant()
    def every_event_is_accounted_for(self) -> None:
        if not hasattr(self, "box"):
            return
        box = self.box
        assert box.waiting == len(self.model) <= self.maxsize
        assert box.parked == len(self.parked)
        assert box.delivered == len(self.taken)
        assert self.taken == sorted(set(self.taken))
        accounted = box.delivered + box.dropped + box.waiting + box.parked + self.withdrawn
        assert accounted == self.published
        if self.policy is Overflow.BLOCK:
            assert box.dropped == 0
        if self.policy is Overflow.FAIL:
            assert box.failed == (box.dropped > 0)

    def teardown(self) -> None:
        if not hasattr(self, "box"):
            return
        while self.box.ready:
            self.take()
        if self.policy is not Overflow.FAIL:
            assert self.gaps == self.box.dropped


TestFlow = NothingIsLostUnsaid.TestCase
TestFlow.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def test_a_gap_stands_where_the_events_were() -> None:
    oldest: Mailbox[int] = Mailbox(Overflow.DROP_OLDEST, 2)
    newest: Mailbox[int] = Mailbox(Overflow.DROP_NEWEST, 2)
    for number in range(4):
        oldest.offer(number)
        newest.offer(number)
    assert [oldest.take() for _ in range(3)] == [Gap(2), 2, 3]
    assert newest.take() == 0
    newest.offer(4)
    assert [newest.take() for _ in range(3)] == [1, Gap(2), 4]


@given(st.lists(st.integers(0, 3)))
def test_a_gate_lets_through_as_many_as_there_is_credit_in_order(grants: list[int]) -> None:
    through: list[int] = []
    gate: Gate[int] = Gate(1, through.append)
    for number in range(10):
        if not gate.offer(number):
            gate.park(number, Ticket())
    for grant in grants:
        gate.grant(grant)
    assert through == list(range(min(10, 1 + sum(grants))))


def test_an_item_offered_while_others_are_let_through_stays_behind_them() -> None:
    through: list[int] = []

    def sink(item: int) -> None:
        through.append(item)
        if item == 1 and not gate.offer(4):
            gate.park(4, Ticket())

    gate: Gate[int] = Gate(0, sink)
    for item in (1, 2, 3):
        gate.park(item, Ticket())
    gate.grant(10)
    assert through == [1, 2, 3, 4]


@pytest.mark.parametrize("places", [1, 3])
def test_a_ticket_is_done_once_when_every_place_has_released_it(places: int) -> None:
    done: list[None] = []
    ticket = Ticket(lambda: done.append(None))
    gates: list[Gate[str]] = [Gate(0, lambda _: None) for _ in range(places)]
    for gate in gates:
        gate.park("event", ticket)
    ticket.release()
    for gate in gates:
        assert not done
        gate.grant(1)
    assert done == [None]


def test_closing_a_gate_releases_who_waits_and_lets_nothing_through() -> None:
    through: list[str] = []
    done: list[None] = []
    gate: Gate[str] = Gate(0, through.append)
    ticket = Ticket(lambda: done.append(None))
    gate.park("event", ticket)
    ticket.release()
    assert gate.close() == 1
    assert (through, done) == ([], [None])
