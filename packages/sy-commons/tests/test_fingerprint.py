import os
from pathlib import Path

import pytest

from sy_commons import NotAFile, PathMissing, hash_file, hash_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    (tmp_path / "link").symlink_to("two")
    return tmp_path


def test_every_change_that_counts_changes_it(tree: Path) -> None:
    """Each step differs from all before: bytes, name, mode bit, link, empty folder, border."""
    seen = [hash_tree(tree)]
    for change in (
        lambda: (tree / "two").write_text("3"),
        lambda: (tree / "two").rename(tree / "three"),
        lambda: (tree / "three").chmod(0o755),
        (tree / "a" / "b").rmdir,
        lambda: ((tree / "link").unlink(), (tree / "link").symlink_to("three")),
        lambda: (tree / "a" / "one").rename(tree / "aone"),
    ):
        change()
        seen.append(hash_tree(tree))

    assert len(set(seen)) == len(seen)


def test_what_does_not_count_does_not_change_it(tree: Path) -> None:
    before = hash_tree(tree)
    os.utime(tree / "two", (0, 0))
    (tree / "two").chmod(0o600)
    os.mkfifo(tree / "fifo")

    assert hash_tree(tree) == before


def test_what_is_left_out_is_not_entered(tree: Path) -> None:
    before = hash_tree(tree, leave_out=lambda path: path == "a")
    (tree / "a" / "one").write_text("other")

    assert hash_tree(tree, leave_out=lambda path: path == "a") == before
    assert hash_tree(tree) != before


def test_what_is_no_file_or_folder_is_told(tree: Path) -> None:
    with pytest.raises(NotAFile):
        hash_file(tree)
    with pytest.raises(PathMissing):
        hash_tree(tree / "gone")
    with pytest.raises(PathMissing):
        hash_tree(tree / "two")
