"""Loggers and what listens to them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sy_commons import (
    LoggingConfig,
    Secret,
    StorageError,
    ValidationError,
    configure_logging,
    get_logger,
    log_context,
    silence_logging,
)

CANARY = "s3cr3t-c4n4ry"


@pytest.fixture(autouse=True)
def silent_again() -> Iterator[None]:
    yield
    silence_logging()


@pytest.fixture
def lines(tmp_path: Path) -> Any:
    path = tmp_path / "log.jsonl"

    def configure(**options: Any) -> Any:
        configure_logging(**{"console": False, "standard": False, "jsonl": path, **options})
        return lambda: [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    return configure


def test_nothing_is_heard_and_nothing_heavy_loaded_before_an_application_asks() -> None:
    program = (
        "import sys; from sy_commons import get_logger; get_logger('x').critical('boo');"
        "print([m for m in ('loguru', 'asyncio', 'logging', 'attrs') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_keyword_arguments_fill_the_message_and_are_fields(lines: Any) -> None:
    read = lines()

    get_logger("shop").info("leased {model} in {ms:.1f} ms", model="minilm", ms=3.21)

    [entry] = read()
    assert entry["message"] == "leased minilm in 3.2 ms"
    assert entry["fields"] == {"model": "minilm", "ms": 3.21}
    assert (entry["level"], entry["logger"]) == ("INFO", "shop")


def test_a_message_without_arguments_is_taken_as_it_is(lines: Any) -> None:
    read = lines()

    get_logger("shop").info("a {brace} and <red>colour</red>")

    assert read()[0]["message"] == "a {brace} and <red>colour</red>"


def test_a_message_that_cannot_be_filled_is_logged_all_the_same(lines: Any) -> None:
    read = lines()

    get_logger("shop").info("leased {modle}", model="minilm")

    assert read()[0]["message"].startswith("leased {modle}")
    assert read()[0]["fields"] == {"model": "minilm"}


def test_levels_hold_by_module_and_for_what_is_below_it(lines: Any) -> None:
    read = lines(level="WARNING", levels={"shop.till": "DEBUG", "shop.till.noisy": "ERROR"})

    for name in ("shop", "shop.till", "shop.till.drawer", "shop.till.noisy", "shop.tills"):
        get_logger(name).debug("debug")
        get_logger(name).warning("warning")

    assert [(e["logger"], e["message"]) for e in read()] == [
        ("shop", "warning"),
        ("shop.till", "debug"),
        ("shop.till", "warning"),
        ("shop.till.drawer", "debug"),
        ("shop.till.drawer", "warning"),
        ("shop.tills", "warning"),
    ]


def test_a_logger_made_before_hears_of_the_configuration_and_of_the_next(lines: Any) -> None:
    log = get_logger("early")
    log.info("lost")
    read = lines()
    log.info("heard")
    lines(level="ERROR")
    log.info("too quiet")

    assert [entry["message"] for entry in read()] == ["heard"]


async def test_context_is_each_tasks_own(lines: Any) -> None:
    read = lines()
    log = get_logger("shop")

    async def work(run: str) -> None:
        with log_context(run=run):
            await asyncio.sleep(0)
            log.info("working")

    with log_context(shop="A"):
        await asyncio.gather(work("one"), work("two"))
    log.info("done")

    fields = [entry.get("fields") for entry in read()]
    assert fields == [{"shop": "A", "run": "one"}, {"shop": "A", "run": "two"}, None]


def test_an_exception_is_told_with_notes_and_causes(lines: Any) -> None:
    read = lines()
    try:
        try:
            {}["book"]
        except KeyError as cause:
            error = ValueError("no such book")
            error.add_note("look at the other shelf")
            raise error from cause
    except ValueError:
        get_logger("shop").exception("lookup failed", shelf=3)

    told = read()[0]["exception"]
    assert all(
        word in told for word in ("KeyError", "no such book", "other shelf", "test_logging.py")
    )


def test_a_planted_secret_is_in_no_sink(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As value, key, argument, exception text, note, nested context, and by ``logging``."""
    configure_logging(
        level="TRACE", console=True, file=tmp_path / "a.log", jsonl=tmp_path / "a.jsonl"
    )
    log = get_logger("shop")
    with log_context(auth={"password": CANARY}):
        log.info("with {api_key} and {held}", api_key=CANARY, held=Secret(CANARY))
        carelessly = f"password={CANARY}"
        log.info(carelessly, nested=[{"token": CANARY}])
        try:
            password = CANARY
            error = ValueError(f"api_key={password}")
            error.add_note(f"secret: {password}")
            raise error
        except ValueError:
            log.exception("it failed")
            logging.getLogger("other").exception("password=%s", CANARY)
    logging.getLogger("other").warning("bearer %s", f"Bearer {CANARY}")
    silence_logging()

    shown = (tmp_path / "a.log").read_text("utf-8") + (tmp_path / "a.jsonl").read_text("utf-8")
    assert CANARY not in shown + "".join(capsys.readouterr())
    assert shown.count("it failed") == 2


def test_what_libraries_say_by_other_means_is_heard(lines: Any) -> None:
    read = lines(standard=True)

    logging.getLogger("other.lib").warning("careful with %s", "that")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("this will go away", DeprecationWarning, stacklevel=1)

    assert [(e["logger"], e["level"]) for e in read()] == [
        ("other.lib", "WARNING"),
        ("py.warnings", "WARNING"),
    ]


def test_the_standard_library_is_left_as_it_was_found() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), warnings.showwarning)

    configure_logging(console=False)
    silence_logging()

    assert (root.level, list(root.handlers), warnings.showwarning) == before


def test_the_console_is_plain_where_it_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(standard=False)

    get_logger("shop").warning("low on {what}", what="ink and {paper}")

    line = capsys.readouterr().err
    assert "WARNING  shop: low on ink and {paper} what='ink and {paper}'" in line
    assert "\x1b" not in line


def test_a_file_rotates_and_old_ones_go(tmp_path: Path) -> None:
    configure_logging(
        console=False, standard=False, file=tmp_path / "a.log", rotation="1 KB", retention=2
    )
    log = get_logger("shop")

    for n in range(100):
        log.info("line {n}", n=n)

    assert 2 <= len(list(tmp_path.iterdir())) <= 3


@pytest.mark.parametrize("options", [{"level": "LOUD"}, {"levels": {"x": "LOUD"}}])
def test_a_level_that_is_none_is_refused_and_nothing_changes(lines: Any, options: Any) -> None:
    read = lines()

    with pytest.raises(ValidationError, match="LOUD"):
        configure_logging(**options)
    get_logger("shop").info("still heard")

    assert [entry["message"] for entry in read()] == ["still heard"]


def test_a_file_that_cannot_be_opened_is_refused_and_nothing_changes(
    lines: Any, tmp_path: Path
) -> None:
    read = lines()

    with pytest.raises(StorageError, match="log file"):
        configure_logging(console=False, file=Path(os.devnull) / "a.log")
    get_logger("shop").info("still heard")

    assert [entry["message"] for entry in read()] == ["still heard"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    message=st.text(),
    value=st.text() | st.binary() | st.floats() | st.dictionaries(st.text(), st.text()),
)
def test_no_message_and_no_field_is_an_error(
    capsys: pytest.CaptureFixture[str], message: str, value: Any
) -> None:
    """Loguru would print a traceback of its own on standard error."""
    configure_logging(LoggingConfig(level="TRACE", standard=False))

    get_logger("any").info(message, value=value)

    assert "Traceback" not in capsys.readouterr().err


def test_an_entry_forges_no_other_line_and_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.txt"
    configure_logging(standard=False, file=path)
    nasty = "x\n00:00:00 ERROR forged: \x1b[2J\r\x9b2J\u2028"

    get_logger("shop\nx").info(nasty)
    get_logger("shop").info("sold {thing}", thing=nasty)
    try:
        raise ValueError(nasty)  # noqa: TRY301 - to be handled here
    except ValueError:
        get_logger("shop").exception("failed")

    for text in (path.read_text("utf-8"), capsys.readouterr().err):
        lines = text.splitlines()
        assert not any(code in text for code in "\x1b\r\x9b\u2028")
        assert sum(not line.startswith("    ") for line in lines) == 3


def test_a_sink_of_ones_own_gets_redacted_entries_and_may_fail(
    lines: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    entries: list[dict[str, Any]] = []

    def broken(entry: dict[str, Any]) -> None:
        raise RuntimeError("no room")

    read = lines(sinks=[broken, entries.append])
    get_logger("shop").error("failed with password={p}", p=CANARY, api_key=CANARY)

    assert entries == read()
    assert entries[0]["message"] == "failed with password=***"
    assert entries[0]["fields"]["api_key"] == "***"
    assert "no room" in capsys.readouterr().err


def test_the_ids_of_a_current_span_are_fields_where_opentelemetry_is_loaded(
    lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Span:
        is_valid, trace_id, span_id = True, 0xABC, 0xDEF

        def get_span_context(self) -> Span:
            return self

    class Trace:
        get_current_span = Span

    read = lines()
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", Trace)  # type: ignore[arg-type]  # a stand-in for the module
    get_logger("shop").info("in a span")
    monkeypatch.setattr(Span, "is_valid", False)
    get_logger("shop").info("in none")
    monkeypatch.setattr(Trace, "get_current_span", None)
    get_logger("shop").info("broken")

    assert [entry.get("fields") for entry in read()] == [
        {"trace_id": f"{0xABC:032x}", "span_id": f"{0xDEF:016x}"}, None, None,
    ]  # fmt: skip


def test_an_application_may_remove_all_of_logurus_handlers(lines: Any) -> None:
    from loguru import logger  # noqa: PLC0415 - heavy, and here alone

    lines()
    logger.remove()
    get_logger("shop").info("heard by nobody")
    read = lines()
    get_logger("shop").info("heard again")

    assert [entry["message"] for entry in read()] == ["heard again"]
