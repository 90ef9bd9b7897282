from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sy_commons import SymphonyError
from sy_extensions import (
    ArgumentsInvalid,
    CallFailed,
    Extension,
    ExtensionBusy,
    ExtensionHost,
    ExtensionInactive,
    ExtensionUnknown,
    HookFailed,
    Instrument,
    IsolationUnavailable,
    LoadFailed,
    ManifestInvalid,
    MethodUnknown,
    NotConfigurable,
    Operator,
    ResultInvalid,
)


def recorder(log: list[str], name: str = "") -> type[Operator]:
    """Return an operator class that writes down what happens to it."""

    class Recorder(Operator):
        def __init__(self) -> None:
            log.append(f"{name}made")

        async def on_configure(self, configuration: Mapping[str, Any]) -> None:
            log.append(f"{name}configure {dict(configuration)}")

        async def on_activate(self) -> None:
            log.append(f"{name}activate")

        async def on_deactivate(self) -> None:
            log.append(f"{name}deactivate")

        async def process(self, text: str = "") -> str:
            log.append(f"{name}process")
            return text

    return Recorder


class Gate(Operator):
    """Holds its calls until the test opens it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.ended = False

    async def process(self) -> str:
        self.entered.set()
        await self.open.wait()
        assert not self.ended
        return "through"

    async def on_deactivate(self) -> None:
        self.ended = True


class Sum(Operator):
    """Adds, or does what else the test wants."""

    async def process(self, numbers: list[int], *, scale: int = 1) -> int:
        if scale == 0:
            raise ZeroDivisionError("scale")
        if scale < 0:
            raise SymphonyError("no negatives")
        if scale > 9:
            return "much"  # type: ignore[return-value]  # a promise is broken on purpose
        return sum(numbers) * scale


async def activate_and_leave(host: ExtensionHost, *names: str) -> None:
    async with host:
        for name in names:
            await host.activate(name)


async def test_the_life_of_an_extension_is_in_order() -> None:
    log: list[str] = []
    host = ExtensionHost(extra={"a": recorder(log)}, configuration={"a": {"k": 1}})
    async with host:
        active = await host.activate("a")
        assert await active.call("process", text="x") == "x"
    assert log == ["made", "configure {'k': 1}", "activate", "process", "deactivate"]


async def test_without_configuration_nothing_is_configured() -> None:
    log: list[str] = []
    async with ExtensionHost(extra={"a": recorder(log)}) as host:
        await host.activate("a")
    assert log == ["made", "activate", "deactivate"]


async def test_configuration_for_one_that_takes_none_is_an_error() -> None:
    async with ExtensionHost(extra={"sum": Sum}, configuration={"sum": {"k": 1}}) as host:
        with pytest.raises(NotConfigurable, match="given k"):
            await host.activate("sum")


async def test_however_many_ask_it_is_activated_once() -> None:
    log: list[str] = []
    async with ExtensionHost(extra={"a": recorder(log)}) as host:
        first, *others = await asyncio.gather(*(host.activate("a") for _ in range(50)))
        assert all(other is first for other in others)
        assert await host.activate("a") is first
    assert log.count("activate") == log.count("deactivate") == 1


async def test_one_who_gives_up_waiting_stops_nobody_else() -> None:
    started, go = asyncio.Event(), asyncio.Event()

    class Slow(Operator):
        async def on_activate(self) -> None:
            started.set()
            await go.wait()

        async def process(self) -> int:
            return 7

    async with ExtensionHost(extra={"slow": Slow}) as host:
        impatient = asyncio.create_task(host.activate("slow"))
        patient = asyncio.create_task(host.activate("slow"))
        await started.wait()
        impatient.cancel()
        await asyncio.wait([impatient])
        assert impatient.cancelled()
        go.set()
        assert await (await patient).call("process") == 7


async def test_a_failed_activation_tells_all_and_leaves_nothing_behind() -> None:
    tries = []

    class Flaky(Operator):
        async def on_activate(self) -> None:
            tries.append(1)
            if len(tries) == 1:
                raise OSError("no disk")

        async def on_deactivate(self) -> None:
            tries.append(-1)

        async def process(self) -> int:
            return len(tries)

    async with ExtensionHost(extra={"flaky": Flaky}) as host:
        results = await asyncio.gather(
            *(host.activate("flaky") for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(result, HookFailed) for result in results)
        assert "OSError: no disk" in str(results[0])
        assert tries == [1], "what never became active is not deactivated"
        assert await (await host.activate("flaky")).call("process") == 2
        assert host.stats().failed_activations == 1


async def test_a_constructor_that_raises_is_told() -> None:
    class Bad(Operator):
        def __init__(self, needed: int) -> None: ...

        async def process(self) -> None: ...

    async with ExtensionHost(extra={"bad": Bad}) as host:
        with pytest.raises(HookFailed, match=r"__init__ of extension 'bad' failed: TypeError"):
            await host.activate("bad")


async def test_a_hook_that_hangs_is_given_up() -> None:
    class Hanging(Operator):
        async def on_activate(self) -> None:
            await asyncio.Event().wait()

        async def process(self) -> None: ...

    async with ExtensionHost(extra={"hangs": Hanging}, hook_timeout_s=0.01) as host:
        with pytest.raises(HookFailed, match=r"it took over 0.01 s"):
            await host.activate("hangs")


async def test_arguments_are_checked_before_the_call() -> None:
    log: list[str] = []
    async with ExtensionHost(extra={"a": recorder(log)}) as host:
        active = await host.activate("a")
        with pytest.raises(ArgumentsInvalid) as caught:
            await active.call("process", txt="x", text=1)
    assert caught.value.problems == [
        "unknown argument 'txt'; did you mean 'text'?",
        "text: expected str, got int",
    ]
    assert "process" not in log
    assert caught.value.hint == "what it takes: sy ext describe a"


async def test_an_argument_may_be_called_method_or_self() -> None:
    class Odd(Operator):
        async def process(this, method: str, self: str) -> str:  # noqa: N805 - that is the point
            return method + self

    async with ExtensionHost(extra={"odd": Odd}) as host:
        odd = await host.activate("odd")
        assert await odd.call("process", method="a", self="b") == "ab"


async def test_only_the_method_of_its_type_is_called() -> None:
    async with ExtensionHost(extra={"sum": Sum}) as host:
        active = await host.activate("sum")
        for method in ("invoke", "on_deactivate", "__init__"):
            with pytest.raises(MethodUnknown) as caught:
                await active.call(method)
        assert caught.value.hint == 'call "process"'


async def test_what_a_call_raises_keeps_its_story() -> None:
    async with ExtensionHost(extra={"sum": Sum}) as host:
        active = await host.activate("sum")
        with pytest.raises(CallFailed, match=r"sum.process failed: ZeroDivisionError") as caught:
            await active.call("process", numbers=[], scale=0)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        with pytest.raises(SymphonyError, match="no negatives") as told:
            await active.call("process", numbers=[], scale=-1)
        assert type(told.value) is SymphonyError
        with pytest.raises(ResultInvalid, match="result: expected int, got str"):
            await active.call("process", numbers=[], scale=10)
        assert await active.call("process", numbers=[1, 2]) == 3
        (stats,) = host.stats().active
        assert (stats.calls, stats.failed, stats.running) == (4, 3, 0)


async def test_cancelling_the_caller_cancels_the_call() -> None:
    async with ExtensionHost(extra={"gate": Gate}) as host:
        active = await host.activate("gate")
        call = asyncio.create_task(active.call("process"))
        await active.instance.entered.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert host.stats().active[0].running == 0


async def test_deactivation_waits_for_running_calls_and_refuses_new_ones() -> None:
    async with ExtensionHost(extra={"gate": Gate}) as host:
        active = await host.activate("gate")
        call = asyncio.create_task(active.call("process"))
        await active.instance.entered.wait()
        leaving = [asyncio.create_task(host.deactivate("gate")) for _ in range(2)]
        await asyncio.sleep(0)  # both have begun
        with pytest.raises(ExtensionInactive):
            await active.call("process")
        assert not active.instance.ended
        active.instance.open.set()
        assert await call == "through"
        await asyncio.gather(*leaving)
        assert active.instance.ended


async def test_calls_that_outlast_the_grace_are_told() -> None:
    async with ExtensionHost(extra={"gate": Gate}, grace_s=0.01) as host:
        active = await host.activate("gate")
        call = asyncio.create_task(active.call("process"))
        await active.instance.entered.wait()
        with pytest.raises(ExtensionBusy, match="1 calls of extension 'gate'"):
            await host.deactivate("gate")
        assert active.instance.ended
        call.cancel()
        await asyncio.wait([call])


async def test_one_life_ends_before_the_next_begins() -> None:
    log: list[str] = []
    leaving, go = asyncio.Event(), asyncio.Event()

    class Slow(Operator):
        async def on_activate(self) -> None:
            log.append("activate")

        async def on_deactivate(self) -> None:
            leaving.set()
            await go.wait()
            log.append("deactivate")

        async def process(self) -> None: ...

    async with ExtensionHost(extra={"slow": Slow, "other": Sum}) as host:
        first = await host.activate("slow")
        gone = asyncio.create_task(host.deactivate("slow"))
        await leaving.wait()
        again = asyncio.create_task(host.activate("slow"))
        for _ in range(3):  # what is not held up comes through meanwhile
            await host.activate("other")
            await host.deactivate("other")
        assert log == ["activate"]
        go.set()
        await gone
        assert await again is not first
        assert log == ["activate", "deactivate", "activate"]


async def test_one_who_gives_up_waiting_for_the_end_does_not_stop_it() -> None:
    async with ExtensionHost(extra={"gate": Gate}) as host:
        active = await host.activate("gate")
        call = asyncio.create_task(active.call("process"))
        await active.instance.entered.wait()
        leaving = asyncio.create_task(host.deactivate("gate"))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        active.instance.open.set()
        assert await call == "through"
    assert active.instance.ended


async def test_leaving_deactivates_in_reverse_order_and_all_in_spite_of_errors() -> None:
    log: list[str] = []

    class Stubborn(Operator):
        async def on_deactivate(self) -> None:
            log.append("stubborn")
            raise OSError("still here")

        async def process(self) -> None: ...

    extra = {"a": recorder(log, "a "), "b": Stubborn, "c": recorder(log, "c ")}
    host = ExtensionHost(extra=extra)
    with pytest.raises(HookFailed, match="still here"):
        await activate_and_leave(host, *extra)
    log = log[-3:]
    assert log == ["c deactivate", "stubborn", "a deactivate"]
    assert host.stats().deactivations == 3


async def test_several_errors_at_the_end_come_as_a_group() -> None:
    class Stubborn(Operator):
        async def on_deactivate(self) -> None:
            raise OSError("still here")

        async def process(self) -> None: ...

    with pytest.raises(ExceptionGroup) as caught:
        await activate_and_leave(ExtensionHost(extra={"a": Stubborn, "b": Stubborn}), "a", "b")
    assert len(caught.value.exceptions) == 2


async def test_an_error_inside_is_the_story_and_the_others_are_notes_to_it() -> None:
    class Stubborn(Operator):
        async def on_deactivate(self) -> None:
            raise OSError("still here")

        async def process(self) -> None: ...

    async def main() -> None:
        async with ExtensionHost(extra={"a": Stubborn}) as host:
            await host.activate("a")
            raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        await main()
    assert any("still here" in note for note in caught.value.__notes__)


async def test_a_cancelled_exit_still_deactivates() -> None:
    leaving, go = asyncio.Event(), asyncio.Event()
    log: list[str] = []

    class Slow(Operator):
        async def on_deactivate(self) -> None:
            leaving.set()
            await go.wait()
            log.append("gone")

        async def process(self) -> None: ...

    async def main() -> None:
        async with ExtensionHost(extra={"a": Slow, "b": recorder(log)}) as host:
            await host.activate("b")
            await host.activate("a")

    task = asyncio.create_task(main())
    await leaving.wait()
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log[-2:] == ["gone", "deactivate"]


async def test_a_second_cancel_ends_a_hanging_exit() -> None:
    leaving = asyncio.Event()

    class Hanging(Operator):
        async def on_deactivate(self) -> None:
            leaving.set()
            await asyncio.Event().wait()

        async def process(self) -> None: ...

    async def main() -> None:
        async with ExtensionHost(extra={"a": Hanging}) as host:
            await host.activate("a")

    task = asyncio.create_task(main())
    await leaving.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_unknown_id_comes_with_a_suggestion() -> None:
    async with ExtensionHost(extra={"text.join": Sum}) as host:
        with pytest.raises(ExtensionUnknown, match=r"'text.jion'.*did you mean 'text.join'"):
            await host.activate("text.jion")


async def test_a_folder_is_not_trusted_code(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "extension.py").write_text(f"open({str(canary)!r}, 'w')\n")
    (tmp_path / "extension.toml").write_text(
        'id = "acme.x"\nversion = "1.0.0"\ntype = "operator"\nentry_point = "extension:X"\n'
    )
    async with ExtensionHost() as host:
        for folder in (tmp_path, str(tmp_path)):
            with pytest.raises(IsolationUnavailable, match=r"acme.x at .*network") as caught:
                await host.activate(folder)
            assert "sy.extensions" in caught.value.hint
        with pytest.raises(ManifestInvalid):
            await host.activate(tmp_path / "nothing")
    assert not canary.exists()


async def test_an_installed_extension_is_activated_by_its_id(install: Callable[..., Path]) -> None:
    source = (
        "from sy_extensions import Instrument\n"
        "class Echo(Instrument):\n"
        "    async def invoke(self, prompt: str) -> str:\n"
        "        return prompt\n"
    )
    install(
        "acme-echo", {"acme.echo": "host_echo:Echo", "acme.gone": "host_gone:X"}, host_echo=source
    )
    async with ExtensionHost() as host:
        echo = await host.activate("acme.echo")
        assert isinstance(echo.instance, Instrument)
        assert await echo.call("invoke", prompt="hi") == "hi"
        with pytest.raises(LoadFailed, match="acme-echo"):
            await host.activate("acme.gone")
        assert {"acme.echo", "acme.gone"} <= {found.id for found in host.list()}


async def test_what_the_program_brings_stands_before_what_is_installed(
    install: Callable[..., Path],
) -> None:
    install("acme-sum", {"acme.sum": "host_no_such:Sum"})
    async with ExtensionHost(extra={"acme.sum": Sum}) as host:
        assert (await host.activate("acme.sum")).instance.__class__ is Sum


async def test_a_host_that_is_not_open_activates_nothing() -> None:
    host = ExtensionHost(extra={"sum": Sum})
    with pytest.raises(ExtensionInactive, match="not open"):
        await host.activate("sum")
    async with host:
        active = await host.activate("sum")
        with pytest.raises(ExtensionInactive, match="open already"):
            await host.__aenter__()
    with pytest.raises(ExtensionInactive, match="not open"):
        await host.activate("sum")
    with pytest.raises(ExtensionInactive, match="deactivated"):
        await active.call("process", numbers=[])


async def test_a_host_may_be_entered_again() -> None:
    log: list[str] = []
    host = ExtensionHost(extra={"a": recorder(log)})
    for _ in range(2):
        async with host:
            await host.activate("a")
    assert log == ["made", "activate", "deactivate"] * 2


async def test_deactivating_what_is_not_active_does_nothing() -> None:
    async with ExtensionHost() as host:
        await host.deactivate("acme.nothing")


async def test_an_activation_nobody_waits_for_fails_without_a_warning() -> None:
    started, go = asyncio.Event(), asyncio.Event()

    class Slow(Operator):
        async def on_activate(self) -> None:
            started.set()
            await go.wait()
            raise OSError("nobody hears it")

        async def process(self) -> None: ...

    complaints: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    async with ExtensionHost(extra={"slow": Slow}) as host:
        waiting = asyncio.create_task(host.activate("slow"))
        await started.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        go.set()
    gc.collect()
    assert complaints == []


async def test_the_repr_says_what_is_going_on() -> None:
    async with ExtensionHost(extra={"sum": Sum}) as host:
        assert repr(host) == "<ExtensionHost open: nothing active>"
        active = await host.activate("sum")
        await active.call("process", numbers=[])
        assert repr(host) == "<ExtensionHost open: sum active>"
        assert repr(active) == "<ActiveExtension sum active: 1 calls, 0 running>"
    assert repr(host).startswith("<ExtensionHost closed")


async def test_an_abstract_class_is_refused_by_the_host() -> None:
    class Half(Operator):
        pass

    for cls in (Half, Extension, int):
        async with ExtensionHost(extra={"half": cls}) as host:  # type: ignore[dict-item]  # the point
            with pytest.raises(LoadFailed, match="this program"):
                await host.activate("half")
