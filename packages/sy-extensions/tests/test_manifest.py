from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sy_commons import SymphonyError
from sy_extensions import FilePermission, Manifest, ManifestInvalid, NetworkPermission, Resources

GOOD = """\
id = "acme.word-count"
version = "1.2.0"
type = "operator"
entry_point = "extension:WordCount"
name = "Word count"
description = "Counts words."

[dependencies]
"acme.tokenizer" = "^2.1"

[permissions]
filesystem = [{ path = "${workspace}/**", access = "read", reason = "reads what you name" }]
network = [{ host = "api.example.org" }, { host = "*.example.net", port = 8443 }]

[resources]
memory = "128 MiB"
cpu = "50%"
threads = 16
files = 256
call_timeout = "30s"
"""
MINIMAL = {"id": "acme.x", "version": "1.0.0", "type": "operator", "entry_point": "m:C"}


def problems_of(content: str | dict[str, Any], source: str = "extension.toml") -> list[str]:
    if isinstance(content, dict):
        content, source = json.dumps(content), "extension.json"
    with pytest.raises(ManifestInvalid) as caught:
        Manifest.parse(content, source=source)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return [problem.removeprefix(source) for problem in caught.value.problems]


def test_a_full_manifest_reads_into_typed_values() -> None:
    manifest = Manifest.parse(GOOD)
    assert (manifest.id, manifest.version, manifest.type) == (
        "acme.word-count",
        "1.2.0",
        "operator",
    )
    assert manifest.entry_point == "extension:WordCount"
    assert manifest.dependencies == {"acme.tokenizer": "^2.1"}
    assert manifest.permissions.filesystem == (
        FilePermission("${workspace}/**", "read", "reads what you name"),
    )
    assert manifest.permissions.network == (
        NetworkPermission("api.example.org"),
        NetworkPermission("*.example.net", 8443),
    )
    assert manifest.resources == Resources(128 << 20, 0.5, 16, 256, 30.0)


def test_json_says_the_same_as_toml() -> None:
    as_json = json.dumps(tomllib.loads(GOOD))
    assert Manifest.parse(as_json, source="extension.json") == Manifest.parse(GOOD)


def test_what_is_absent_is_asked_for_nothing() -> None:
    manifest = Manifest.parse(json.dumps(MINIMAL), source="x.json")
    assert manifest.permissions.filesystem == manifest.permissions.network == ()
    assert manifest.resources == Resources()


def test_all_problems_come_at_once_each_with_line_and_key() -> None:
    broken = (
        GOOD.replace('"acme.word-count"', '"WordCount"')
        .replace('version = "1.2.0"', 'version = "1.2"')
        .replace('type = "operator"', 'type = "operater"')
        .replace("extension:WordCount", "extension.WordCount")
        .replace('"^2.1"', "2")
        .replace('access = "read"', 'acess = "read"')
        .replace("8443", "84430")
        .replace('"128 MiB"', '"128 M"')
        .replace("cpu", "cpus")
        .replace("threads = 16", "threads = true")
    )
    expected = [
        ":1: id: 'WordCount' is not publisher and name in lower case, like acme.word-count",
        ":2: version: '1.2' is not a version like 1.2.0 or 2.0.0-beta.1",
        ":3: type: 'operater' is not one of operator, instrument, motif; did you mean 'operator'?",
        ":4: entry_point: 'extension.WordCount' is not module:Class",
        ":9: dependencies.'acme.tokenizer': expected a text, got int",
        ":12: permissions.filesystem[0].access: missing",
        ":12: permissions.filesystem[0].acess: unknown key; did you mean 'access'?",
        ":13: permissions.network[1].port: expected a port: 1 to 65535",
        ":16: resources.memory: '128 M' is not a size",
        ":18: resources.threads: expected a whole number, got bool",
        ":17: resources.cpus: unknown key; did you mean 'cpu'?",
    ]
    found = problems_of(broken)
    assert len(found) == len(expected)
    assert all(f.startswith(e) for f, e in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    "version", ["0.0.0", "1.2.3", "10.20.30-rc.1", "1.0.0-alpha-x.7+b.5", "1.0.0+001", "1.0.0--"]
)
def test_a_semantic_version_is_taken(version: str) -> None:
    content = json.dumps(MINIMAL | {"version": version})
    assert Manifest.parse(content, source="x.json").version == version


@pytest.mark.parametrize(
    "version",
    [
        "",
        "1",
        "1.2",
        "01.2.3",
        "1.2.3-",
        "1.2.3-01",
        "v1.2.3",
        "1.2.3+",
        " 1.2.3",
        "1.2.3\n",
        "1.2.³",
    ],
)
def test_what_only_looks_like_a_version_is_not(version: str) -> None:
    (problem,) = problems_of(MINIMAL | {"version": version})
    assert problem.startswith(": version: ")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": "nodots"}, "id: 'nodots' is not publisher and name"),
        ({"id": "a." + "b" * 200}, "id: "),
        ({"id": 7}, "id: expected a text, got int"),
        ({"name": "a\u202eb"}, "name: it has characters that do not show"),
        ({"name": "a\x1b[2J"}, "name: it has characters that do not show"),
        ({"name": "a" * 1001}, "name: 1001 characters"),
        ({"name": "\ud800"}, "name: it has characters that do not show"),
        ({"dependencies": {"acme.x": "1"}}, "dependencies: it depends on itself"),
        ({"dependencies": {"A/B": "1"}}, "dependencies.'A/B': is no extension id"),
        ({"dependencies": {"a.b": ""}}, "dependencies.'a.b': it is empty"),
        ({"dependencies": []}, "dependencies: expected a table, got list"),
        ({"permissions": {"filesystem": {}}}, "permissions.filesystem: expected a list of tables"),
        ({"permissions": {"filesystem": [7]}}, "permissions.filesystem[0]: expected a table"),
        ({"permissions": {"network": [{"host": "A.b"}]}}, "permissions.network[0].host: 'A.b'"),
        ({"permissions": {"netwrok": []}}, "permissions.netwrok: unknown key; did you mean 'net"),
        ({"resources": {"cpu": "0%"}}, "resources.cpu: '0%' is not a share"),
        ({"resources": {"files": 0}}, "resources.files: expected a number above 0"),
        ({"resources": {"call_timeout": "-1s"}}, "resources.call_timeout: "),
        ({"entrypoint": ""}, "entrypoint: unknown key; did you mean 'entry_point'?"),
        ({"a\x1bb": 1}, "'a\\x1bb': unknown key"),
    ],
)
def test_each_wrong_value_is_told(change: dict[str, Any], problem: str) -> None:
    assert any(found.startswith(f": {problem}") for found in problems_of(MINIMAL | change))


def test_syntax_errors_name_their_line() -> None:
    assert problems_of('id = "a.b"\nversion = \n')[0].startswith(":2: Invalid value")
    assert problems_of('id = "a.b')[0].startswith(":1: ")
    assert problems_of('{\n"id": }', "x.json")[0].startswith(":2: Expecting value")


def test_a_key_that_stands_twice_is_a_problem_in_json_too() -> None:
    assert problems_of('{"id": "a.b", "id": "a.c"}', "x.json") == [
        ": the key 'id' stands twice in one object"
    ]


@pytest.mark.parametrize("content", ["[]", "7", "null", '"text"'])
def test_json_that_is_no_object_is_a_problem(content: str) -> None:
    assert problems_of(content, "x.json")[0].startswith(": expected a table, got ")


@pytest.mark.parametrize(
    ("content", "source"),
    [
        ("[" * 30_000, "x.json"),
        ('{"a":' * 10_000 + "1" + "}" * 10_000, "x.json"),
        ("a = " + "[" * 20_000, "x.toml"),
        (".".join("a" * 20_000) + " = 1", "x.toml"),
        ('"a".' * 12_000 + "a = 1", "x.toml"),
        ("[" + "a . " * 12_000 + "a]", "x.toml"),
        ("a" * 65_000, "x.toml"),
        ('"' * 65_000, "x.toml"),
        ("a = 1" + "0" * 10_000, "x.toml"),
        ('{"a": 1' + "0" * 10_000 + "}", "x.json"),
        ("x" * 70_000, "x.toml"),
        ("\n".join(f"k{n} = 1" for n in range(6000)), "x.toml"),
        (json.dumps({"id" * 20_000: 1}), "x.json"),
        (json.dumps({"permissions": {"filesystem": [{}] * 15_000}}), "x.json"),
    ],
)
@pytest.mark.timeout(5)
def test_a_bomb_is_a_problem_like_any_other(content: str, source: str) -> None:
    found = problems_of(content, source)
    assert len(found) <= 51
    assert sum(map(len, found)) < 20_000


def test_a_line_is_told_only_where_it_is_certain() -> None:
    """A key of an array of tables is not mistaken for one of the table before it."""
    content = GOOD.partition("[permissions]")[0] + (
        "[permissions]\nhost.a = 1\n[[permissions.filesystem]]\nhost = 1\n"
    )
    assert ": permissions.host: unknown key" in problems_of(content)
    quoted = GOOD.replace("1.2.0", "1").replace('"Counts words."', '"""\nversion = 3\n"""')
    assert problems_of(quoted)[0].startswith(": version: ")


def test_a_file_and_its_folder_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "extension.toml").write_text(GOOD)
    assert Manifest.load(tmp_path) == Manifest.load(tmp_path / "extension.toml")


def test_a_folder_may_hold_json(tmp_path: Path) -> None:
    (tmp_path / "extension.json").write_text(json.dumps(MINIMAL))
    assert Manifest.load(str(tmp_path)).id == "acme.x"


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'id = "a.b"\nname = "\xe9"\n')
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    reasons = {
        "missing.toml": "there is no such file",
        "latin.toml": ":2: it is not UTF-8",
        "pipe.toml": "it is no regular file",
        "loop.toml": "it cannot be read",
        "a\0b.toml": "it cannot be read",
    }
    for name, reason in reasons.items():
        with pytest.raises(ManifestInvalid) as caught:
            Manifest.load(tmp_path / name)
        assert reason in str(caught.value)
        assert str(tmp_path) in str(caught.value)


def test_a_manifest_is_json_data_again() -> None:
    data = Manifest.parse(GOOD).to_dict()
    assert json.loads(json.dumps(data))["resources"]["memory_bytes"] == 128 << 20


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_KEYS = ("id", "version", "type", "entry_point", "dependencies", "permissions", "resources")
_SHAPED = st.fixed_dictionaries(
    {},
    optional={
        **{key: _JSON for key in _KEYS},  # noqa: C420 - beside the two below
        "permissions": st.dictionaries(st.sampled_from(["filesystem", "network"]), _JSON) | _JSON,
        "resources": st.dictionaries(st.sampled_from(["memory", "cpu", "files"]), _JSON) | _JSON,
    },
)


def _parse(content: str, source: str) -> None:
    try:
        Manifest.parse(content, source=source)
    except SymphonyError as error:
        assert str(error)  # noqa: PT017 - whatever came, it says something


@given(_SHAPED)
def test_any_data_gives_a_manifest_or_its_problems(data: dict[str, Any]) -> None:
    _parse(json.dumps(data), "x.json")


@given(st.text(alphabet='ab.[]{}="\\\n#,:0 -') | st.text())
@example('a."".b = 1')
@example("[[a]]\n[a]")
def test_any_text_gives_a_manifest_or_its_problems(content: str) -> None:
    _parse(content, "x.toml")
    _parse(content, "x.json")


@given(st.data())
def test_a_good_manifest_damaged_anywhere_gives_problems_and_no_crash(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 10)))
    _parse(GOOD[:start] + data.draw(st.text(max_size=5)) + GOOD[end:], "x.toml")
