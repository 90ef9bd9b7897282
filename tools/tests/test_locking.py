import pytest

from house.locking import addresses, index_free

UV_WRITES = """\
[[package]]
name = "attrs"
source = { registry = "https://mirror.example/simple" }
sdist = { url = "https://mirror.example/a/attrs-25.tar.gz", hash = "sha256:aa", size = 9 }
wheels = [
    { url = "https://mirror.example/b/attrs-25-py3-none-any.whl", hash = "sha256:bb" },
]
"""


def test_a_lock_is_made_free_of_its_index() -> None:
    free = index_free(UV_WRITES)
    assert addresses(free) == []
    assert 'registry = "index"' in free
    assert '{ path = "attrs-25.tar.gz", hash = "sha256:aa", size = 9 }' in free


def test_what_is_free_stays_as_it_is() -> None:
    assert index_free(index_free(UV_WRITES)) == index_free(UV_WRITES)


@pytest.mark.parametrize("line", ["file:///opt/simple", "https://user:secret@mirror.example"])
def test_any_kind_of_address_is_seen(line: str) -> None:
    assert addresses(f'registry = "{line}"') == [f'1: registry = "{line}"']
