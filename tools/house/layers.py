"""A pytest plugin: which tests overran their layer, and what a full run amounted to."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

# Seconds a test of each layer may take, its fixtures included.
LIMITS_S = {"unit": 0.1, "integration": 5.0, "proof": 600.0}
LISTED = 20


@dataclass
class Record:
    """One test: its layer, how it ended, and how long it took from first fixture to last."""

    name: str
    layer: str
    outcome: str = "passed"
    duration_s: float = 0.0

    @property
    def overran(self) -> bool:
        """Whether it took longer than its layer allows."""
        return self.duration_s > LIMITS_S[self.layer]

    @property
    def room(self) -> str:
        """Return the package it belongs to: ``sy-dag``, or ``tools``."""
        parts = Path(self.name).parts
        return parts[1] if parts[0] == "packages" and len(parts) > 1 else parts[0]


RECORDS: dict[str, Record] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Leave no trace in the tests' own processes, and let no slow machine fail a property."""
    os.environ.pop("PYTHONPATH", None)
    if config.pluginmanager.hasplugin("hypothesispytest"):
        from hypothesis import settings  # noqa: PLC0415 - heavy, and perhaps not there

        settings.register_profile("house", deadline=None)
        settings.load_profile("house")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add one phase of one test to its record."""
    record = RECORDS.setdefault(report.nodeid, Record(report.nodeid, layer_of(report.keywords)))
    record.duration_s += report.duration
    if report.outcome != "passed":
        record.outcome = report.outcome


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say, before pytest's own last line, which tests overran; after a full run, what it was."""
    for line in overrun_lines(RECORDS.values()):
        terminalreporter.write_line(line)
    if os.environ.get("SYMPHONY_FULL"):
        for line in full_lines(RECORDS.values(), setting()):
            terminalreporter.write_line(line)


def layer_of(keywords: Mapping[str, object] | Iterable[str]) -> str:
    """Return the layer a test is marked with; unmarked is unit.

    >>> layer_of({"proof": 1, "integration": 1}), layer_of({"test_x": 1})
    ('proof', 'unit')
    """
    return next((layer for layer in ("proof", "integration") if layer in keywords), "unit")


def overrun_lines(records: Iterable[Record]) -> list[str]:
    """Return the tests that overran their layer, slowest beside its limit first."""
    late = sorted((r for r in records if r.overran), key=lambda r: -r.duration_s)
    if not late:
        return []
    lines = [f"{len(late)} overran their layer (a list, not a failure; the machine may be busy):"]
    for record in late[:LISTED]:
        limit_s = LIMITS_S[record.layer]
        lines.append(f"  {record.duration_s:7.2f} s  {record.layer} < {limit_s:g} s  {record.name}")
    if len(late) > LISTED:
        lines.append(f"  … and {len(late) - LISTED} more")
    return lines


def full_lines(records: Iterable[Record], setting: str) -> list[str]:
    """Return a full run in a few lines: every package's tests and proofs, and where it ran."""
    rooms: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        rooms[record.room].append(record)
    lines = [f"full run: {setting}"]
    for room, tests in sorted(rooms.items()):
        proofs = [test for test in tests if test.layer == "proof"]
        outcomes = ", ".join(
            f"{count} {outcome}"
            for outcome in ("passed", "failed", "skipped")
            if (count := sum(test.outcome == outcome for test in tests))
        )
        took_s = sum(test.duration_s for test in tests)
        proved_s = sum(test.duration_s for test in proofs)
        lines.append(
            f"  {room:<18} {outcomes} in {took_s:.0f} s; {len(proofs)} proofs in {proved_s:.0f} s"
        )
    return lines


def setting() -> str:
    """Return where this ran: Python, system, cores and commit."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, commit {commit or 'unknown'}"
    )
