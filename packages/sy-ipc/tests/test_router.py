from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sy_ipc._core.router import MAX_REMEMBERED, Router
from sy_ipc._wire.subject import matches, specificity

tokens = st.sampled_from(["a", "b", "*"])
patterns = st.builds(
    lambda head, tail: ".".join([*head, *tail]),
    st.lists(tokens, min_size=1, max_size=3),
    st.sampled_from([[], [">"]]),
) | st.just(">")
subjects = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(".".join)


class RouterAgainstAList(RuleBasedStateMachine):
    """Whatever is entered and taken out, the tree finds what a walk over all patterns finds."""

    def __init__(self) -> None:
        super().__init__()
        self.router: Router[object] = Router()
        self.entries: list[tuple[str, object]] = []

    @rule(pattern=patterns)
    def add(self, pattern: str) -> None:
        value = object()
        self.router.add(pattern, value)
        self.entries.append((pattern, value))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if not self.entries:
            return
        pattern, value = self.entries.pop(data.draw(st.integers(0, len(self.entries) - 1)))
        assert self.router.remove(pattern, value)
        assert not self.router.remove(pattern, value)

    @rule(subject=subjects)
    def look_up(self, subject: str) -> None:
        expected = [(p, value) for p, value in self.entries if matches(p, subject)]
        assert self.router.match(subject) == tuple(value for _, value in expected)
        best = min(expected, key=lambda entry: specificity(entry[0]), default=(None, None))[1]
        assert self.router.best(subject) is best

    @rule(pattern=patterns)
    def look_at(self, pattern: str) -> None:
        held = [value for p, value in self.entries if p == pattern]
        assert self.router.exact(pattern) is (held[0] if held else None)

    @invariant()
    def counts(self) -> None:
        assert len(self.router) == len(self.entries)
        assert self.router.patterns() == sorted({pattern for pattern, _ in self.entries})
        if not self.entries:
            assert not self.router._root.branches  # nothing is left behind


TestRouter = RouterAgainstAList.TestCase
TestRouter.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_what_is_remembered_stays_bounded() -> None:
    router: Router[str] = Router()
    router.add("run.>", "x")
    for number in range(MAX_REMEMBERED + 10):
        assert router.match(f"run.{number}") == ("x",)
        assert router.best(f"run.{number}") == "x"
    assert len(router._matched) <= MAX_REMEMBERED
    assert len(router._best) <= MAX_REMEMBERED
