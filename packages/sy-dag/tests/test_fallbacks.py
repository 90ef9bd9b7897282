"""A fallback that cannot stand in is refused before anything runs."""

import pytest

from sy_dag import Workflow, WorkflowInvalid

MELODY = """
[melody]
name = "m"
[nodes.brief]
operator = "x"
on_error = { fallback = "short" }
[nodes.middle]
operator = "x"
with = { a = "$MIDDLE" }
[nodes.short]
operator = "x"
only = "fallback"
with = { a = "$SHORT" }
[nodes.other]
operator = "x"
on_error = { fallback = "loop" }
[nodes.loop]
operator = "x"
only = "fallback"
on_error = { fallback = "LOOP" }
[nodes.end]
operator = "x"
only = "fallback"
"""


def melody(middle: str = "other", short: str = "middle", loop: str = "end") -> Workflow:
    text = MELODY.replace("MIDDLE", middle).replace("SHORT", short).replace("LOOP", loop)
    return Workflow.from_toml(text)


def test_a_fallback_may_use_other_nodes_and_have_a_fallback_itself() -> None:
    melody().validate()


@pytest.mark.parametrize(
    ("change", "node"),
    [({"short": "brief"}, "brief"), ({"middle": "brief"}, "brief"), ({"loop": "other"}, "other")],
)
def test_a_fallback_that_comes_back_to_its_node_is_refused(
    change: dict[str, str], node: str
) -> None:
    """Its node has failed by then: it would wait for ever."""
    with pytest.raises(WorkflowInvalid, match=r"needs it, and|wait for each other") as raised:
        melody(**change).validate()

    assert node in {name for problem in raised.value.problems for name in problem.nodes}
