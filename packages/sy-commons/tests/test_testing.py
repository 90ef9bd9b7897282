import sys

import pytest

from sy_commons.testing import proof_count, require_program


def test_a_program_that_is_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMPHONY_REQUIRE", "")

    assert require_program(sys.executable) == sys.executable


def test_a_missing_program_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMPHONY_REQUIRE", "strace,bwrap")

    with pytest.raises(pytest.skip.Exception, match="needs no-such-program"):
        require_program("no-such-program")


def test_a_missing_program_that_is_required_fails_the_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SYMPHONY_REQUIRE", "strace, no-such-program")

    with pytest.raises(pytest.fail.Exception, match="SYMPHONY_REQUIRE names it"):
        require_program("no-such-program")


def test_a_proof_is_sampled_unless_it_is_run_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYMPHONY_FULL", raising=False)
    assert proof_count(20, 1000) == 20
    monkeypatch.setenv("SYMPHONY_FULL", "1")
    assert proof_count(20, 1000) == 1000
