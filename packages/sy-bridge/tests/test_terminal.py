"""What a run looks like."""

import io
import json
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from sy_bridge._terminal import MAX_TOLD, JsonScreen, PlainScreen, RichScreen, Screen, open_screen
from sy_commons import SymphonyError


def event(
    kind: str, node: str | None = None, item: str | None = None, **data: Any
) -> dict[str, Any]:
    return {"kind": kind, "node": node, "item": item, "data": data}


def failure(item: str) -> dict[str, Any]:
    error = SymphonyError(f"{item} is binary", hint="leave it out").to_wire()
    return event("node.skipped", "read", item, error=error)


EVENTS = [
    event("run.started"),
    event("node.completed", "files"),
    event("map.expanded", "read", items=3),
    event("node.started", "read", "a"),
    event("node.completed", "read", "a"),
    failure("b"),
    event("node.completed", "read", "c"),
    event("node.completed", "read"),
    event("node.skipped", "fallback"),
    event("run.completed"),
]


def shown(screen: Screen, events: list[dict[str, Any]]) -> None:
    with screen:
        for one in events:
            screen.show(one)


def test_plain_lines_tell_of_ends_and_failures() -> None:
    out = io.StringIO()

    shown(PlainScreen(out), EVENTS)

    assert out.getvalue().splitlines() == [
        "files: done",
        "read[b]: skipped: b is binary",
        "  hint: leave it out",
        "read: 2 of 3, 1 skipped",
    ]


def test_of_many_failures_the_first_are_told_and_the_rest_counted() -> None:
    out = io.StringIO()
    screen = PlainScreen(out)

    shown(screen, [failure(str(n)) for n in range(MAX_TOLD + 5)])
    screen.close()

    assert out.getvalue().count("is binary") == MAX_TOLD
    assert out.getvalue().count("and 5 more") == 1


def test_json_is_every_event_as_it_is() -> None:
    out = io.StringIO()

    shown(JsonScreen(out), EVENTS)

    assert [json.loads(line) for line in out.getvalue().splitlines()] == EVENTS


def test_bars_show_every_node_and_leave_the_cursor_as_it_was() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)

    shown(RichScreen(Progress(console=console)), EVENTS)

    text = out.getvalue()
    assert "read" in text
    assert "files" in text
    assert "fallback" not in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_where_there_is_no_terminal_there_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())

    assert isinstance(open_screen(as_json=False), PlainScreen)
    assert isinstance(open_screen(as_json=True), JsonScreen)


@pytest.mark.parametrize(("end", "told"), [("run.completed", 1), ("run.failed", 0)])
def test_a_failed_node_is_told_by_the_run_or_where_something_stood_in_for_it(
    end: str, told: int
) -> None:
    out = io.StringIO()
    failed = {**failure("b"), "kind": "node.failed"}

    shown(PlainScreen(out), [failed, event(end)])

    assert out.getvalue().count("b is binary") == told
