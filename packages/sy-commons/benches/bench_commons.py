"""sy-commons beside loguru, tomllib, the standard library and the same thing written by hand."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import attrs
from loguru import logger as loguru

from house.measuring import Case, at_most, imported_modules
from sy_commons import (
    atomic_write,
    configure_logging,
    each,
    get_logger,
    in_range,
    load_config,
    matches,
    max_length,
    not_empty,
    record,
    silence_logging,
    validate,
)

CALLS = 20_000
LINES = 2_000
WRITES = 200
BLOCK = os.urandom(4096)


def modules() -> list[float]:
    bare = imported_modules("pass")
    ours = imported_modules("from sy_commons import SymphonyError")
    return [float(len(ours - bare))]


log = get_logger("bench")


def ours_disabled() -> None:
    for _ in range(CALLS):
        log.debug("leased {model} in {ms:.1f} ms", model="minilm", ms=3.2)


def loguru_disabled() -> None:
    for _ in range(CALLS):
        loguru.debug("leased {model} in {ms:.1f} ms", model="minilm", ms=3.2)


def quiet() -> None:
    silence_logging()
    loguru.remove()
    loguru.add(sys.stderr, level="ERROR")


class Enabled:
    """The same call as JSON lines; one at a time, since all sinks are loguru's handlers."""

    def setup(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bench-commons-"))

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def ours(self) -> list[float]:
        loguru.remove()
        configure_logging(console=False, standard=False, jsonl=self.folder / "ours.jsonl")
        started = time.perf_counter()
        for _ in range(LINES):
            log.info("leased {model} in {ms:.1f} ms", model="minilm", ms=3.2)
        took = (time.perf_counter() - started) / LINES
        silence_logging()
        return [took]

    def theirs(self) -> list[float]:
        loguru.remove()
        loguru.add(self.folder / "theirs.jsonl", serialize=True)
        started = time.perf_counter()
        for _ in range(LINES):
            loguru.info("leased {model} in {ms:.1f} ms", model="minilm", ms=3.2)
        took = (time.perf_counter() - started) / LINES
        loguru.remove()
        return [took]


@attrs.frozen
class Section:
    name: str = ""
    port: Annotated[int, in_range(1, 65535)] = 80
    ratio: float = 0.5
    on: bool = False
    words: list[str] = attrs.Factory(list)


@attrs.frozen
class Settings:
    sections: dict[str, Section] = attrs.Factory(dict)


class Loading:
    """200 lines in all: a default, an environment's file, and variables over both."""

    def setup(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bench-commons-"))
        block = '[sections.s{}]\nname = "a"\nport = 8{}\nratio = 0.25\nwords = ["one", "two"]\n\n'
        self.default = "".join(block.format(n, n) for n in range(24))
        self.production = "".join(f"[sections.s{n}]\nport = 9{n}\non = true\n\n" for n in range(14))
        (self.folder / "default.toml").write_text(self.default)
        (self.folder / "production.toml").write_text(self.production)
        self.environ = {f"ACME__SECTIONS__S{n}__NAME": "b" for n in range(10)}
        assert 195 <= (self.default + self.production).count("\n") <= 205

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def ours(self) -> None:
        config = load_config(
            Settings, env="production", dirs=[self.folder], prefix="ACME", environ=self.environ
        )
        assert config.value.sections["s3"].name == "b"

    def theirs(self) -> None:
        tomllib.loads(self.default)
        tomllib.loads(self.production)


RULES = record(
    {
        f"field_{n}": (
            not_empty & max_length(80),
            in_range(0, 1000),
            matches(r"[a-z]+(-[a-z]+)*"),
            each(max_length(20)),
        )[n % 4]
        for n in range(30)
    }
)
RECORD = {f"field_{n}": ("some text", 5, "a-slug", ["one", "two"])[n % 4] for n in range(30)}


def check_records() -> list[float]:
    return [timed(validate, RECORD, RULES) for _ in range(2000)]


class Writing:
    """The same 4 KiB, durably, in a folder of one's own."""

    def setup(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bench-commons-", dir=os.environ.get("TMPDIR")))

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def ours(self) -> list[float]:
        return [timed(atomic_write, self.folder / "ours", BLOCK) for _ in range(WRITES)]

    def by_hand(self) -> list[float]:
        return [timed(write_by_hand, self.folder, "theirs") for _ in range(WRITES)]


def write_by_hand(folder: Path, name: str) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=folder)
    try:
        os.write(descriptor, BLOCK)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, folder / name)  # noqa: PTH105 - the bare call, as the floor
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def timed(function: Callable[..., Any], *arguments: Any) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def cases() -> list[Case]:
    enabled, loading, writing = Enabled(), Loading(), Writing()
    return [
        Case(name="modules", ours=modules, budgets=[at_most(45)], unit="modules", rounds=1),
        Case(
            name="log-disabled",
            ours=ours_disabled,
            peers={"loguru": loguru_disabled},
            budgets=[at_most(0.6, peer="loguru")],
            operations=CALLS,
            setup=quiet,
        ),
        Case(
            name="log-json",
            ours=enabled.ours,
            peers={"loguru": enabled.theirs},
            budgets=[at_most(0.8, peer="loguru")],
            setup=enabled.setup,
            teardown=enabled.teardown,
        ),
        Case(
            name="config",
            ours=loading.ours,
            peers={"tomllib": loading.theirs},
            budgets=[at_most(3, peer="tomllib")],
            setup=loading.setup,
            teardown=loading.teardown,
        ),
        Case(name="validate", ours=check_records, budgets=[at_most(100e-6, statistic="p99")]),
        Case(
            name="atomic-write",
            ours=writing.ours,
            peers={"by-hand": writing.by_hand},
            budgets=[at_most(1.2, peer="by-hand")],
            setup=writing.setup,
            teardown=writing.teardown,
        ),
    ]
