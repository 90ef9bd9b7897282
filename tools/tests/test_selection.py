from pathlib import Path
from typing import Any

import pytest

from house.places import Package
from house.selection import Unknown, select


@pytest.fixture
def root(workspace: Any) -> Path:
    for name in ("sy-dag", "sy-ipc", "sy-pool"):
        workspace.package(name)
    root: Path = workspace.root
    return root


def names(found: list[Package]) -> list[str]:
    return [package.name for package in found]


@pytest.mark.parametrize("word", ["sy-dag", "dag", "sy_dag", "packages/sy-dag/"])
def test_a_package_has_many_names(root: Path, word: str) -> None:
    assert names(select([word], root)) == ["sy-dag"]


def test_no_name_means_all_and_a_name_twice_means_one(root: Path) -> None:
    assert names(select([], root)) == ["sy-dag", "sy-ipc", "sy-pool"]
    assert names(select(["pool", "dag", "sy-pool"], root)) == ["sy-pool", "sy-dag"]


def test_an_unknown_package_is_told_with_what_was_meant(root: Path) -> None:
    with pytest.raises(Unknown, match=r"no package 'sy-dga'\n  hint: did you mean sy-dag\?"):
        select(["sy-dga"], root)
