import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from sy_commons._lines import find_lines

TEXT = '''\
# a comment = 1
title = "a # no comment" # one
'quoted key' = 1
"b\\u00e9" . x = 'é'
multi = """
[not.a.table]
x = "1" \\"""
""""
raw = \'\'\'
'' # ]
\'\'\'
after = { a = 1, "b.c" = [ 1,
  2, { d = "}" } ], e.f = 2 }
when = 1979-05-27T07:32:00Z

[db]          # table
port=5
[db.pool.deep]
size = 1
[[ servers ]]
name = "a"
[servers.limits]
cpu = 1
[[servers]]
name = "b"
[[servers.disks]]
size = 2
'''


def leaves(value: Any, path: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    if isinstance(value, dict):
        return {path}.union(*(leaves(item, (*path, key)) for key, item in value.items())) - {()}
    if isinstance(value, list):
        return {path}.union(*(leaves(item, (*path, n)) for n, item in enumerate(value)))
    return {path}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2), (("quoted key",), 3), (("bé", "x"), 4), (("multi",), 5), (("raw",), 9),
        (("after", "a"), 12), (("after", "b.c", 0), 12), (("after", "b.c", 1), 13),
        (("after", "b.c", 2, "d"), 13), (("after", "e", "f"), 13), (("when",), 14), (("db",), 16),
        (("db", "port"), 17), (("db", "pool"), 18), (("db", "pool", "deep", "size"), 19),
        (("servers",), 20), (("servers", 0), 20), (("servers", 0, "name"), 21),
        (("servers", 0, "limits", "cpu"), 23), (("servers", 1), 24), (("servers", 1, "name"), 25),
        (("servers", 1, "disks", 0, "size"), 27),
    ],
)  # fmt: skip
def test_every_key_is_found_on_its_line(path: tuple[Any, ...], line: int) -> None:
    assert find_lines(TEXT)[path] == line


def test_every_leaf_of_the_text_has_a_line() -> None:
    assert leaves(tomllib.loads(TEXT)) <= find_lines(TEXT).keys()


VALUES = st.recursive(
    st.integers(-(10**9), 10**9) | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text("ab.\"'é #=[]", max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text('abc.-"é #', min_size=1, max_size=4), VALUES, max_size=4))
def test_all_that_is_written_is_found(data: dict[str, Any]) -> None:
    text = tomlkit.dumps(data)
    parsed = tomllib.loads(text)
    lines = find_lines(text)

    assert leaves(parsed) <= lines.keys()
    for path, line in lines.items():
        key = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
        assert 1 <= line <= text.count("\n") + 1
        if key.isalnum():
            block = "\n".join(text.splitlines()[:line])
            assert key in block


@given(st.text("ab=[]{}\"'#.,\n 1", max_size=40))
def test_no_text_makes_it_fail(text: str) -> None:
    assert isinstance(find_lines(text), dict)


def test_it_is_linear_and_takes_deep_nesting() -> None:
    assert find_lines("a = " + "[" * 50_000 + "]" * 50_000)[("a",)] == 1
    text = "".join(f"key_{n} = {n}\n" for n in range(20_000))
    assert find_lines(text)[("key_19999",)] == 20_000
