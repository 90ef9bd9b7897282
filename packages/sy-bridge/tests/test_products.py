"""Values as bytes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sy_artifacts import ArtifactStore
from sy_bridge._products import as_product, product_name

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values))
def test_data_becomes_json_that_says_the_same(value: dict[str, Any]) -> None:
    product = as_product(value)

    if value.keys() != {"path", "text"}:
        assert json.loads(product.data) == value


@given(st.dictionaries(st.text(max_size=3), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_show(value: dict[str, int]) -> None:
    assert as_product(value) == as_product(dict(reversed(value.items())))


def test_a_document_is_stored_as_the_file_it_is() -> None:
    assert as_product({"path": "x.py", "text": "a = 'ä'"}).data == "a = 'ä'".encode()
    assert as_product({"path": "x.py", "text": "a", "more": 1}).content_type == "application/json"


@given(st.text(min_size=1, max_size=40))
def test_every_item_has_a_name_the_store_takes(item: str) -> None:
    """Keys of items come from file names, which may hold anything but NUL."""
    with ArtifactStore.memory() as store:
        stored = store.put(b"x", name=product_name("melody", "node", item))

        assert store.get(str(stored.name)) == b"x"
