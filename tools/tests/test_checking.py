import pytest

from house import checking
from house.checking import CHECKS, SAYS, Outcome, Scope, check

EVERYTHING = Scope((), whole=True)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for the checks: one passes, one finds something, one stumbles over a file."""
    ran: list[str] = []

    def broken(scope: Scope) -> Outcome:
        raise SyntaxError("invalid syntax (dag.py, line 3)")

    def passes(scope: Scope) -> Outcome:
        ran.append("passes")
        return Outcome(note="(2 to come)")

    stand_ins = {
        "passes": passes,
        "finds": lambda scope: Outcome(found="sy-dag: a\n    mend: b"),
        "broken": broken,
    }
    monkeypatch.setattr(checking, "CHECKS", stand_ins)
    monkeypatch.setattr(checking, "SAYS", dict.fromkeys(stand_ins, "says"))
    return ran


def test_a_line_for_each_check_and_details_below_those_that_fail(
    checks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(EVERYTHING, ["passes", "finds", "broken"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if line[0] != " "] == [
        ["PASS", "passes"],
        ["FAIL", "finds"],
        ["FAIL", "broken"],
        ["2", "of"],
    ]
    assert lines[0].endswith("says  (2 to come)")
    assert [line.strip() for line in lines[2:4]] == ["sy-dag: a", "mend: b"]
    assert "SyntaxError: invalid syntax (dag.py, line 3)" in lines[5]
    assert lines[-1].endswith(": finds broken")


def test_when_all_pass_the_status_is_0(
    checks: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(EVERYTHING, ["passes"]) == 0
    assert checks == ["passes"]
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 checks passed in ")


def test_fix_lets_ruff_mend_before_anything_is_checked(
    checks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(*words: str) -> Outcome:
        checks.append(" ".join(words))
        return Outcome()

    monkeypatch.setattr(checking, "_program", program)
    check(EVERYTHING, ["passes"], fix=True)
    assert checks == ["ruff format --quiet .", "ruff check --quiet --fix .", "passes"]


@pytest.mark.parametrize("words", [["dga"], ["--only", "imprts"]])
def test_an_unknown_package_or_check_exits_with_2_and_says_what_was_meant(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert checking.main(words) == 2
    assert "did you mean" in capsys.readouterr().err


def test_a_program_that_fails_is_what_it_said() -> None:
    code = "import sys; print('seen'); sys.exit(int(sys.argv[1]))"
    assert checking._program("python", "-c", code, "0") == Outcome()
    assert checking._program("python", "-c", code, "3") == Outcome(found="seen")


def test_every_check_says_what_it_is() -> None:
    assert CHECKS.keys() == SAYS.keys()
