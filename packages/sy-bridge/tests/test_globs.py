"""Which files match."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sy_bridge._builtin._globs import matches, walk


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.py", "**/*.py", True),
        ("x/y/a.py", "**/*.py", True),
        ("x/a.py", "*.py", False),
        ("x/a.py", "*/*.py", True),
        ("README.md", "README*", True),
        ("x/README.md", "README*", False),
        ("x/y/z", "x/**", True),
        ("x/y/z", "x/**/z", True),
        ("x/z", "x/**/z", True),
        ("a[1].py", "a[[]1].py", True),
        ("ab.py", "a[!c].py", True),
        ("ac.py", "a[!c].py", False),
        ("a.py", "?.py", True),
        ("a\nb.py", "**/*.py", True),
        ("a.py", "a.p", False),
        ("aXpy", "a.py", False),
    ],
)
def test_a_pattern_matches_as_a_shell_user_expects(path: str, pattern: str, expected: bool) -> None:
    assert matches(path, pattern) is expected


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_pattern_is_an_error(path: str, pattern: str) -> None:
    """Whatever a Melody says, matching answers yes or no."""
    assert matches(path, pattern) in (True, False)


def test_files_come_in_a_fixed_order_and_hidden_folders_stay_shut(tmp_path: Path) -> None:
    for name in ("b/2.py", "a/1.py", ".git/x.py", "b/__pycache__/y.py", "z.py", ".dotfile"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    assert list(walk(str(tmp_path))) == [".dotfile", "a/1.py", "b/2.py", "z.py"]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    """A link to a folder above would make the walk go round for ever."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.py").write_text("")
    (tmp_path / "x" / "up").symlink_to(tmp_path, target_is_directory=True)

    assert list(walk(str(tmp_path))) == ["x/a.py"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(walk(str(tmp_path / "missing")))


def test_a_link_that_leads_to_itself_is_a_file_for_its_reader_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "loop.py").symlink_to("loop.py")

    assert list(walk(str(tmp_path))) == ["loop.py"]
