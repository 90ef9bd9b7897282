"""List runs, and tell of one."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from sy_bridge._errors import RunUnknown
from sy_bridge.cli import LAST
from sy_commons import suggestion
from sy_commons.cli import command_line, describe
from sy_commons.cli import home as default_home
from sy_dag import Engine, RunSummary


def show(options: argparse.Namespace) -> int:
    """Print the runs, or the one that *options* name, as text or JSON."""
    engine = Engine((options.home or default_home()) / "runs")
    if options.run_id is not None:
        return _show_one(engine, options)
    runs = engine.runs()
    if options.json:
        print(json.dumps([_as_data(run) for run in runs], ensure_ascii=False, indent=2))
    elif not runs:
        print(f"no runs yet; start one: {command_line()} run repo-brief --input path=FOLDER")
    else:
        for run in runs:
            print(f"{run.run_id:40} {run.state:12} {_when(run.started_at)}  {run.workflow}")
    return 0


def find_run(engine: Engine, wanted: str) -> RunSummary:
    """Return the run with the id *wanted*, the only one that starts so, or the last.

    Raises :class:`RunUnknown`, with a suggestion, where there is none or more than one.
    """
    runs = engine.runs()
    by_id = {run.run_id: run for run in runs}
    if wanted == LAST and runs:
        return max(runs, key=lambda run: run.started_at)
    if wanted in by_id:
        return by_id[wanted]
    starting = [run for run in runs if run.run_id.startswith(wanted)]
    if len(starting) == 1:
        return starting[0]
    meant = f"; {len(starting)} start so" if starting else suggestion(wanted, by_id)
    raise RunUnknown(
        run=wanted, folder=str(engine.folder), suggestion=meant, command=command_line()
    )


def _show_one(engine: Engine, options: argparse.Namespace) -> int:
    summary = find_run(engine, options.run_id)
    stored = engine.open(summary.run_id)
    data = _as_data(summary) | {
        "inputs": stored.inputs,
        "nodes": {name: str(node.state) for name, node in stored.nodes.items()},
    }
    if options.json:
        print(json.dumps(data, ensure_ascii=False, indent=2, default=str))
        return 0
    print(f"{summary.run_id}: {summary.workflow}, {summary.state}")
    print(f"  started  {_when(summary.started_at)}, last change {_when(summary.updated_at)}")
    print(f"  inputs   {json.dumps(stored.inputs, ensure_ascii=False, default=str)}")
    for name, node in stored.nodes.items():
        print(f"  {name:20} {node.state}")
    if stored.error is not None:
        print(describe("  why", stored.error))
    if summary.state != "completed":
        print(f"  go on: {command_line()} resume {summary.run_id}")
    return 0


def _as_data(run: RunSummary) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "state": str(run.state),
        "workflow": run.workflow,
        "started_at": _iso(run.started_at),
        "updated_at": _iso(run.updated_at),
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _when(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
