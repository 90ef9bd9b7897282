import asyncio
import json
import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from house import rounds
from house.measuring import Case, at_most, imported_modules, optional, peak_rss_mib


@pytest.fixture(autouse=True)
def collector(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for the garbage collector, which takes its time in a process full of tests."""
    calls: list[str] = []
    names = ("collect", "freeze", "unfreeze")
    stand_in = {name: partial(calls.append, name) for name in names}
    monkeypatch.setattr(rounds, "gc", SimpleNamespace(**stand_in))
    return calls


def test_each_call_starts_without_the_garbage_of_another(collector: list[str]) -> None:
    case = Case(name="x", ours=lambda: collector.append("ours"), budgets=[at_most(1)])
    rounds.measure(case, 1)
    assert collector[:8] == ["collect", "freeze", "ours", "unfreeze"] * 2


def line_of(case: Case, number: int = 3) -> dict[str, Any]:
    (line,) = rounds.perform(case, number)
    return line


def test_sides_take_turns_and_the_order_alternates() -> None:
    calls: list[str] = []
    case = Case(
        name="turns",
        ours=lambda: calls.append("ours") or 1.0,  # type: ignore[func-returns-value]  # both in one
        peers={"peer": lambda: calls.append("peer") or 1.0},  # type: ignore[func-returns-value]  # as above
        budgets=[at_most(1, peer="peer")],
    )
    rounds.measure(case, 2)
    warm_up, first, second = calls[:2], calls[2:4], calls[4:6]
    assert sorted(warm_up) == ["ours", "peer"]
    assert first == second[::-1]


def test_a_call_that_returns_nothing_is_timed_and_divided_by_its_operations() -> None:
    case = Case(name="sum", ours=lambda: None, budgets=[at_most(1)], operations=1000)
    assert 0 < line_of(case)["ours"] < 0.001


def test_samples_are_taken_as_they_are() -> None:
    case = Case(name="p95", ours=lambda: [1.0] * 90 + [7.0] * 10, budgets=[at_most(1)])
    assert line_of(case)["ours"] == 1.0


def test_a_coroutine_function_is_awaited_on_a_loop() -> None:
    async def ours() -> float:
        await asyncio.sleep(0)
        return 4.0

    assert line_of(Case(name="async", ours=ours, budgets=[at_most(5)]))["ours"] == 4.0


def test_a_noisy_case_earns_more_rounds() -> None:
    values = iter([0.0, *([1.0, 9.0] * 20)])
    case = Case(name="noisy", ours=lambda: next(values), budgets=[at_most(5)])
    line = line_of(case, 4)
    assert (line["word"], line["rounds"]) == ("NOISY", 4 * rounds.PATIENCE)


def test_rounds_come_in_whole_sets() -> None:
    """Five rounds of six would be calm: to stop there is to choose the numbers."""
    values = iter([0.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0])
    case = Case(name="calm", ours=lambda: next(values), budgets=[at_most(9)])
    line = line_of(case, 3)
    assert (line["word"], line["rounds"]) == ("PASS", 6)


def test_a_slow_case_caps_its_rounds_however_noisy() -> None:
    values = iter([0.0, 1.0, 9.0, 1.0])
    case = Case(name="slow", ours=lambda: next(values), budgets=[at_most(5)], rounds=2)
    assert line_of(case, 7)["rounds"] == 2


def test_a_missing_peer_is_skipped_in_so_many_words_and_the_rest_is_measured() -> None:
    case = Case(
        name="put",
        ours=lambda: 1.0,
        peers={"gone": None},
        budgets=[at_most(1, peer="gone"), at_most(2)],
    )
    skipped, measured = rounds.perform(case, 1)
    assert skipped["text"] == "peer-not-installed: gone"
    assert measured["word"] == "PASS"


def test_a_peer_missing_only_when_it_is_called_is_skipped_too() -> None:
    def peer() -> None:
        raise ModuleNotFoundError(name="some_peer")

    case = Case(name="x", ours=lambda: 1.0, peers={"p": peer}, budgets=[at_most(1, peer="p")])
    assert line_of(case)["word"] == "SKIP"


def test_our_own_missing_module_is_no_missing_peer(capsys: pytest.CaptureFixture[str]) -> None:
    def ours() -> None:
        raise ModuleNotFoundError(name="sy_dag")

    line = line_of(Case(name="x", ours=ours, budgets=[at_most(1)]))
    assert line["word"] == "CRASH"
    assert "ModuleNotFoundError" in capsys.readouterr().err


def test_setup_and_teardown_surround_even_a_crash(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    case = Case(
        name="x",
        ours=lambda: 1 / 0,
        budgets=[at_most(1)],
        setup=lambda: seen.append("setup"),
        teardown=lambda: seen.append("teardown"),
    )
    line = line_of(case)
    assert seen == ["setup", "teardown"]
    assert rounds.status([line], strict=False) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_pinned_case_has_one_core_and_gives_the_others_back() -> None:
    before = os.sched_getaffinity(0)
    case = Case(
        name="x", ours=lambda: len(os.sched_getaffinity(0)), budgets=[at_most(1)], pinned=True
    )
    assert line_of(case)["word"] == "PASS"
    assert os.sched_getaffinity(0) == before


def test_a_broken_budget_informs_and_fails_only_when_strict() -> None:
    line = line_of(Case(name="x", ours=lambda: 2.0, budgets=[at_most(1)]))
    assert line["word"] == "FAIL"
    assert rounds.status([line], strict=False) == 0
    assert rounds.status([line], strict=True) == 1


def test_a_budget_beside_a_peer_the_case_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="'dask', not among peers"):
        Case(name="x", ours=lambda: 1.0, budgets=[at_most(1, peer="dask")])


BENCH = """
from beside import NUMBER
from house.measuring import Case, at_most

def cases():
    return [
        Case(name="first", ours=lambda: NUMBER, budgets=[at_most(2)], unit="MiB"),
        Case(name="second", ours=lambda: NUMBER, budgets=[at_most(0.5)], unit="MiB"),
    ]
"""


@pytest.fixture
def bench(tmp_path: Path) -> str:
    folder = tmp_path / "sy-x" / "benches"
    folder.mkdir(parents=True)
    (folder / "beside.py").write_text("NUMBER = 1.0")
    (folder / "bench_x.py").write_text(BENCH)
    return str(folder / "bench_x.py")


def test_the_last_lines_are_one_for_each_budget(
    bench: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rounds.main(["--rounds", "2", bench]) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split()[:2] for line in lines] == [["PASS", "first"], ["FAIL", "second"]]


def test_a_broken_file_is_a_crash_and_the_others_are_measured(
    bench: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "sy-x" / "benches" / "bench_broken.py"
    broken.write_text("1 / 0")
    assert rounds.main(["--rounds", "1", str(broken), bench]) == 1
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[0] for line in lines] == ["CRASH", "PASS", "FAIL"]


def test_json_is_all_that_is_printed_and_only_chooses(
    bench: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rounds.main(["--rounds", "1", "--json", "--only", "sec", bench]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["name"], line["word"], line["budget"]["limit"]) == ("second", "FAIL", 0.5)


def test_a_name_no_case_has_is_refused_with_the_names_there_are(
    bench: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rounds.main(["--only", "third", bench]) == 2
    assert "there are: first, second" in capsys.readouterr().err


@pytest.mark.integration
def test_peak_memory_is_the_fresh_process_s_own() -> None:
    """What this process holds must not count, and what the code holds must."""
    ballast = bytearray(os.urandom(1)) * 96 * 1024 * 1024
    bare = peak_rss_mib("pass")
    grown = peak_rss_mib("x = bytearray(b'1') * 64 * 1024 * 1024")
    assert bare < 64 < len(ballast) / 1024**2
    assert 60 < grown - bare < 80


@pytest.mark.integration
def test_imports_are_counted_beyond_a_bare_interpreter() -> None:
    assert imported_modules("pass") == set()
    assert "json.decoder" in imported_modules("import json")


def test_a_peer_that_is_there_but_broken_is_no_missing_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_peer.py").write_text("import what_it_needs_and_lacks")
    monkeypatch.syspath_prepend(tmp_path)
    assert optional("no_such_peer.sub") is None
    with pytest.raises(ModuleNotFoundError):
        optional("broken_peer")
