"""The commands of sy-dag: ``sy dag check``, ``sy dag show``, ``sy dag run``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from sy_commons import ValidationError
from sy_commons.cli import FAILED, Command, add_common_options, run_program
from sy_dag._errors import Listing, WorkflowInvalid
from sy_dag._graph._workflow import Workflow
from sy_dag._run._blocking import run as run_workflow
from sy_dag._run._result import Result
from sy_dag._run._runners import Registry
from sy_dag._run._states import RunState

_MELODY = "the melody: a TOML file"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sy-dag`` with *arguments* (default: the process's) and return its exit status."""
    return run_program("sy-dag", COMMANDS, arguments)


def check(options: argparse.Namespace) -> int:
    """Say whether a melody is well formed; with ``--runners`` also whether it can run here."""
    workflow = Workflow.load(options.melody)
    if options.runners:
        registry = Registry({}, {})
        found = [
            p for node in workflow.nodes.values() for p in registry.problems(node, workflow.place)
        ]
        if found:
            raise WorkflowInvalid(source=str(options.melody), problems=Listing(found))
    told = {"name": workflow.name, "version": workflow.version, "nodes": len(workflow)}
    if options.json:
        print(json.dumps(told))
    else:
        print(f"{options.melody}: {workflow.name} {workflow.version}, {len(workflow)} nodes, fine")
    return 0


def show(options: argparse.Namespace) -> int:
    """Show a melody's nodes in the order they go, and what each waits for."""
    workflow = Workflow.load(options.melody)
    if options.mermaid:
        print(workflow.to_mermaid(), end="")
        return 0
    order = workflow.order()
    if options.json:
        waits = {name: workflow.dependencies(name) for name in order}
        definition = workflow.to_dict()
        print(json.dumps({"order": order, "waits": waits, "definition": definition}, indent=2))
        return 0
    for name in order:
        node = workflow.node(name)
        before = ", ".join(workflow.dependencies(name))
        mapped = " (for each item)" if node.map else ""
        print(f"{name:20} {node.label}{mapped}" + (f"  after {before}" if before else ""))
    return 0


def run(options: argparse.Namespace) -> int:
    """Run a melody with the operators that are installed, and print its outputs as JSON."""
    workflow = Workflow.load(options.melody)
    inputs = dict(_pair(text) for text in options.input)
    folder = None if options.folder is None else Path(options.folder)
    result = run_workflow(workflow, inputs, folder=folder, run_id=options.run_id)
    print(json.dumps(_told(result), ensure_ascii=False, indent=2, default=str))
    if result.error is not None:
        raise result.error
    return 0 if result.state is RunState.COMPLETED else FAILED


def _told(result: Result) -> dict[str, object]:
    return {
        "run_id": result.run_id,
        "state": result.state.value,
        "outputs": result.outputs,
        "skipped": [[unit.node, unit.item, str(unit.error or "")] for unit in result.skipped],
    }


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValidationError(f"--input {text!r} has no '='", hint="write --input name=value")
    return name, value


def _configure_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("melody", help=_MELODY)
    parser.add_argument(
        "--runners", action="store_true", help="also ask whether its operators are installed"
    )


def _configure_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("melody", help=_MELODY)
    parser.add_argument("--mermaid", action="store_true", help="print a Mermaid flow chart")


def _configure_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("melody", help=_MELODY)
    parser.add_argument(
        "--input", action="append", default=[], metavar="NAME=VALUE", help="an input; repeatable"
    )
    parser.add_argument("--folder", help="keep a journal there, so that the run can be resumed")
    parser.add_argument("--run-id", help="name the run; one that lies in the folder is resumed")


COMMANDS = {
    "check": Command("Say whether a melody is well formed.", _configure_check, check),
    "show": Command("Show a melody's nodes and order.", _configure_show, show),
    "run": Command("Run a melody with installed operators.", _configure_run, run),
}


def _configure(parser: argparse.ArgumentParser) -> None:
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for word, command in COMMANDS.items():
        sub = subparsers.add_parser(word, help=command.help, description=command.help)
        add_common_options(sub)
        command.configure(sub)
        sub.set_defaults(dag=command.run)


def _run(options: argparse.Namespace) -> int | None:
    chosen: Callable[[argparse.Namespace], int | None] = options.dag
    return chosen(options)


COMMAND = Command("Check, show and run workflows.", _configure, _run)
