"""Run the cases of bench files in interleaved rounds: ``python -m house.rounds`` in .venv-bench."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import importlib.util
import inspect
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from house.measuring import Case, Measurement, Side
from house.verdicts import Budget, Verdict, judge, render

OURS = "ours"
# A noisy case earns more rounds before it is called so.
PATIENCE = 3


def main(arguments: list[str]) -> int:
    """Measure the cases of the files named, and print a line for every budget."""
    options = _parse(arguments)
    chatter = sys.stderr if options.json else sys.stdout
    print(_weather(options.rounds), file=chatter)
    lines: list[dict[str, Any]] = []
    every: list[Case] = []
    for file in options.files:
        try:
            every += load(Path(file))
        except Exception:  # noqa: BLE001 - one broken file must not silence the others
            lines.append(_crashed(Path(file).stem))
    chosen = [case for case in every if options.only in case.name]
    if not chosen and not lines:
        names = ", ".join(case.name for case in every)
        print(f"no case has {options.only!r} in its name; there are: {names}", file=sys.stderr)
        return 2
    for case in chosen:
        print(f"  measuring {case.name}", file=sys.stderr, flush=True)
        lines += perform(case, options.rounds)
    if options.json:
        print(json.dumps(lines, indent=2))
    else:
        show(lines)
    return status(lines, strict=options.strict)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="house.rounds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("files", nargs="*")
    return parser.parse_args(arguments)


def load(file: Path) -> list[Case]:
    """Return the cases of a bench file; modules beside it can be imported by it."""
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(f"{file.parent.parent.name}.{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        return list(module.cases())
    finally:
        sys.path.remove(str(file.parent))


def perform(case: Case, rounds: int) -> list[dict[str, Any]]:
    """Measure *case* and return a line for each of its budgets; a crash is a line too."""
    try:
        measured = measure(case, min(rounds, case.rounds or rounds))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(("sy_", "house")):
            return [_crashed(case.name)]
        return [_skipped(case, budget) for budget in case.budgets]
    except Exception:  # noqa: BLE001 - one crash must not take the other cases' numbers with it
        return [_crashed(case.name)]
    return [
        _line(case, _verdict(case, budget, measured))
        if _present(case, budget)
        else _skipped(case, budget)
        for budget in case.budgets
    ]


def measure(case: Case, rounds: int) -> dict[str, list[list[float]]]:
    """Return each side's rounds of samples, taken in turns after a round that warms up."""
    sides = {OURS: case.ours, **{name: side for name, side in case.peers.items() if side}}
    taken: dict[str, list[list[float]]] = {name: [] for name in sides}
    with _surroundings(case), asyncio.Runner(loop_factory=case.loop_factory) as runner:
        for side in sides.values():
            _sample(case, side, runner)
        for number in range(rounds * PATIENCE):
            # Looked at only after whole sets of rounds: to stop at the first calm one is to choose.
            whole_set = number > 0 and number % rounds == 0
            if whole_set and (case.rounds is not None or not _noisy(case, taken)):
                break
            for name in list(sides)[:: 1 if number % 2 else -1]:
                taken[name].append(_sample(case, sides[name], runner))
    return taken


@contextmanager
def _surroundings(case: Case) -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    if case.pinned:
        os.sched_setaffinity(0, {min(cores)})
    try:
        if case.setup:
            case.setup()
        yield
    finally:
        os.sched_setaffinity(0, cores)
        if case.teardown:
            case.teardown()


def _sample(case: Case, side: Side, runner: asyncio.Runner) -> list[float]:
    if case.each_round:
        case.each_round()
    gc.collect()
    gc.freeze()  # each side pays for its own garbage, and for nobody else's
    try:
        elapsed_s, returned = _call(side, runner)
    finally:
        gc.unfreeze()
    if returned is None:
        return [elapsed_s / case.operations]
    return [float(returned)] if isinstance(returned, int | float) else list(returned)


def _call(side: Side, runner: asyncio.Runner) -> tuple[float, Measurement]:
    if inspect.iscoroutinefunction(side):
        return runner.run(_awaited(side))
    start = time.perf_counter()
    returned = side()
    return time.perf_counter() - start, returned  # type: ignore[return-value] # not a coroutine


async def _awaited(side: Any) -> tuple[float, Measurement]:
    start = time.perf_counter()
    returned = await side()
    return time.perf_counter() - start, returned


def _noisy(case: Case, taken: dict[str, list[list[float]]]) -> bool:
    present = [budget for budget in case.budgets if _present(case, budget)]
    return any(_verdict(case, budget, taken).word == "NOISY" for budget in present)


def _present(case: Case, budget: Budget) -> bool:
    return budget.peer is None or case.peers[budget.peer] is not None


def _verdict(case: Case, budget: Budget, taken: dict[str, list[list[float]]]) -> Verdict:
    peer = None if budget.peer is None else taken[budget.peer]
    return judge(case.name, budget, taken[OURS], peer)


def _line(case: Case, verdict: Verdict) -> dict[str, Any]:
    return {**dataclasses.asdict(verdict), "unit": case.unit}


def _skipped(case: Case, budget: Budget) -> dict[str, Any]:
    text = f"peer-not-installed: {budget.peer}"
    return {"word": "SKIP", "name": case.name, "text": text}


def _crashed(name: str) -> dict[str, Any]:
    traceback.print_exc()
    return {"word": "CRASH", "name": name, "text": str(sys.exc_info()[1])}


def show(lines: list[dict[str, Any]]) -> None:
    """Print the closing lines, one for each budget."""
    width = max((len(line["name"]) for line in lines), default=0)
    for line in lines:
        if "text" in line:
            print(f"{line['word']:<5} {line['name']:<{width}}  {line['text']}")
            continue
        unit = line["unit"]
        fields = {key: value for key, value in line.items() if key != "unit"}
        verdict = Verdict(**{**fields, "budget": Budget(**line["budget"])})
        print(render(verdict, width=width, unit=unit))


def status(lines: list[dict[str, Any]], *, strict: bool) -> int:
    """Return the exit status: a crash fails; a broken budget informs, unless *strict*."""
    bad = {"CRASH", "FAIL"} if strict else {"CRASH"}
    return 1 if any(line["word"] in bad for line in lines) else 0


def _weather(rounds: int) -> str:
    return (
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {rounds} interleaved rounds "
        f"after one that warms up, up to {rounds * PATIENCE} where they stray; "
        "medians of each round's ratio"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
