from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sy_extensions import DefinitionInvalid, IdClaimedTwice, LoadFailed, Operator, discover

SHOUT = '''
from sy_extensions import Operator

class Shout(Operator):
    """Makes a text loud."""
    async def process(self, text: str) -> str:
        return text.upper()

class Half(Operator):
    pass

class Lost(Operator):
    async def process(self, text: "Nowhere") -> str:
        return text
'''


def found(extension_id: str):  # noqa: ANN201 - what discover gives
    (one,) = [one for one in discover() if one.id == extension_id]
    return one


def test_an_installed_extension_is_found_and_not_imported(install: Callable[..., Path]) -> None:
    install("acme-loud", {"acme.shout": "found_shout:Shout"}, version="2.1.0", found_shout=SHOUT)
    shout = found("acme.shout")
    assert (shout.version, shout.distribution) == ("2.1.0", "acme-loud")
    assert shout.entry_point == "found_shout:Shout"
    assert "found_shout" not in sys.modules
    assert issubclass(shout.load(), Operator)
    assert shout.describe().summary == "Makes a text loud."


def test_what_is_found_is_sorted_by_id(install: Callable[..., Path]) -> None:
    install("acme-b", {"acme.zz": "m:A", "acme.aa": "m:B"})
    install("acme-a", {"acme.mm": "m:C"})
    ids = [one.id for one in discover()]
    assert ids == sorted(ids)
    assert {"acme.aa", "acme.mm", "acme.zz"} <= set(ids)


def test_two_distributions_with_one_id_are_both_named(install: Callable[..., Path]) -> None:
    install("acme-one", {"acme.same": "m:A"})
    install("acme-two", {"acme.same": "n:B"})
    with pytest.raises(IdClaimedTwice, match=r"acme-one \(m:A\) and acme-two \(n:B\)"):
        discover()


def test_one_distribution_that_is_on_the_path_twice_claims_once(
    install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an editable install beside an old copy, or a virtual environment over the system's."""
    site = install("acme-one", {"acme.same": "m:A"})
    (tmp_path / "copy").symlink_to(site)
    monkeypatch.syspath_prepend(str(tmp_path / "copy"))
    assert found("acme.same").distribution == "acme-one"


@pytest.mark.parametrize(
    ("module", "value", "reason"),
    [
        ("", "broken_gone:Shout", "ModuleNotFoundError"),
        (SHOUT, "{module}:Nothing", "AttributeError"),
        ("1 / 0", "{module}:Shout", "ZeroDivisionError"),
        ("raise SystemExit(3)", "{module}:Shout", "SystemExit: 3"),
        ("def (", "{module}:Shout", "SyntaxError"),
        ("Shout = 7", "{module}:Shout", "7 is no Extension"),
        (SHOUT, "{module}:Half", "Half defines no process"),
        ("from sy_extensions import Extension", "{module}:Extension", "defines no method"),
    ],
)
def test_a_broken_extension_fails_alone_and_when_loaded(
    module: str,
    value: str,
    reason: str,
    install: Callable[..., Path],
    request: pytest.FixtureRequest,
) -> None:
    name = f"broken_{abs(hash(request.node.name))}"
    install(
        "acme-bad",
        {"acme.bad": value.format(module=name), "acme.good": f"{name}_good:Shout"},
        **{name: module, f"{name}_good": SHOUT},
    )
    with pytest.raises(LoadFailed, match=r"'acme.bad' of acme-bad") as caught:
        found("acme.bad").load()
    assert reason in caught.value.reason
    assert found("acme.good").load().__name__ == "Shout"


def test_a_type_that_is_not_there_fails_when_loaded(install: Callable[..., Path]) -> None:
    install("acme-lost", {"acme.lost": "lost_types:Lost"}, lost_types=SHOUT)
    with pytest.raises(DefinitionInvalid, match="Nowhere"):
        found("acme.lost").load()


def test_an_id_that_is_none_fails_when_loaded(install: Callable[..., Path]) -> None:
    install("acme-odd", {"Acme Odd!": "odd_id:Shout"}, odd_id=SHOUT)
    with pytest.raises(LoadFailed, match="lower-case words"):
        found("Acme Odd!").load()


def test_metadata_without_a_version_is_no_obstacle(install: Callable[..., Path]) -> None:
    site = install("acme-bare", {"acme.bare": "bare:Shout"}, bare=SHOUT)
    (site / "acme_bare-1.0.0.dist-info" / "METADATA").write_text("Name: acme-bare\n")
    assert found("acme.bare").version == "unknown"
