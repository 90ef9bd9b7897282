import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sy_commons import (
    FileProblem,
    NotAFile,
    PathEscape,
    PathMissing,
    Root,
    RootClosed,
    SymphonyError,
    _beneath,
)
from sy_commons.testing import proof_count


@pytest.fixture(params=["kernel", "steps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both ways of resolving a path: by openat2, and by single steps."""
    if request.param == "steps":
        monkeypatch.setattr(_beneath, "_has_openat2", lambda: False)
    elif not _beneath._has_openat2():
        pytest.skip("needs a kernel with openat2")
    return request.param


@pytest.fixture
def tree(tmp_path: Path, way: str) -> Path:
    """Make a sandbox with a file, links within, and links that lead out."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key").write_text("outside")
    sandbox = tmp_path / "sandbox"
    (sandbox / "a" / "b").mkdir(parents=True)
    (sandbox / "a" / "note").write_text("inside")
    for link, target in {
        "within": "a/b/../note",
        "a/b/up": "../note",
        "folder": "a",
        "chain": "folder/b/up",
        "out": "../outside",
        "far": str(tmp_path / "outside"),
        "absolute_within": str(sandbox / "a"),
        "circle": "circle",
        "a/sly": "b/../../../outside/key",
    }.items():
        (sandbox / link).symlink_to(target)
    return sandbox


@pytest.mark.parametrize(
    "path",
    ["a/note", "./a//note", "a/b/../note", "within", "a/b/up", "folder/note", "chain",
     "a/../a/b/../../folder/note"],
)  # fmt: skip
def test_paths_and_links_within_are_followed(tree: Path, path: str) -> None:
    with Root(tree) as root:
        assert root.read_text(path) == "inside"
        assert root.exists(path)
        assert root.is_file(path)
        assert not root.is_folder(path)
        assert root.stat(path).st_size == 6


@pytest.mark.parametrize(
    "path",
    ["..", "../outside/key", "a/../../outside/key", "/etc/passwd", "/", "out/key", "out", "far/key",
     "absolute_within/note", "a/sly", "a/b/../../../outside/key", "folder/../../outside/key"],
)  # fmt: skip
def test_paths_and_links_that_lead_out_are_refused_by_every_operation(
    tree: Path, path: str
) -> None:
    with Root(tree) as root:
        for operation in (root.read_bytes, root.list, root.stat, root.exists, root.is_file):
            with pytest.raises(PathEscape):
                operation(path)
        for operation in (
            root.remove,
            root.remove_tree,
            root.make_folder,
            lambda path: root.atomic_write(path, b"x"),
            lambda path: root.rename("a/note", path),
        ):
            with pytest.raises((PathEscape, FileProblem)):
                operation(f"{path}/new")

    assert (tree.parent / "outside" / "key").read_text() == "outside"
    assert os.listdir(tree.parent / "outside") == ["key"]  # noqa: PTH208 - plain calls look where ours wrote


def test_a_link_at_the_end_is_replaced_or_removed_and_not_followed(tree: Path) -> None:
    with Root(tree) as root:
        root.atomic_write("out", "now a file")
        root.remove("far")
        root.rename("a/sly", "a/moved")
        root.remove_tree("a")

        assert root.read_text("out") == "now a file"
        assert not root.exists("a")
    assert (tree.parent / "outside" / "key").read_text() == "outside"


def test_folders_are_made_listed_and_removed(tree: Path) -> None:
    with Root(tree) as root:
        root.make_folder("new/deep/er", parents=True)
        root.make_folder("new/deep", parents=True)
        root.atomic_write("new/deep/file", b"x", mode=0o600)

        assert root.list("new/deep") == ["er", "file"]
        assert root.is_folder("new")
        with pytest.raises(FileProblem, match="File exists"):
            root.make_folder("new")
        with pytest.raises(FileProblem, match="not empty"):
            root.remove("new")
        root.remove("new/deep/er")
        root.remove_tree("new")
        assert not root.exists("new")


def test_what_is_wrong_is_told(tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    with Root(tree) as root:
        for path, error in (
            ("gone", PathMissing),
            ("a/note/x", PathMissing),
            ("fifo", NotAFile),
            ("a", NotAFile),
            ("circle", FileProblem),
            ("a\0b", FileProblem),
        ):
            with pytest.raises(error):
                root.read_bytes(path)
        for path in ("", ".", "a/.."):
            with pytest.raises(FileProblem, match="a name is wanted"):
                root.atomic_write(path, b"x")
    with pytest.raises(PathMissing):
        Root(tree / "gone")


def test_a_closed_root_refuses_and_what_runs_finishes(tree: Path) -> None:
    root = Root(tree)
    with root._entry("a"):
        root.close()
        root.close()
        os.fstat(root._descriptor)  # still open
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(root._descriptor)
    with pytest.raises(RootClosed):
        root.read_bytes("a/note")
    assert repr(root) == f"<Root {str(tree)!r} closed>"


def test_no_descriptor_is_left_open(tree: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - plain calls look where ours wrote
    with Root(tree) as root:
        for path in ("a/note", "chain", "out/key", "gone/x", "circle", "a\0", "..", "fifo"):
            for operation in (root.read_bytes, root.list, root.exists, root.remove):
                with contextlib.suppress(SymphonyError):
                    operation(path)

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - plain calls look where ours wrote


NAMES = st.sampled_from(["a", "b", "note", "..", ".", "", "folder", "out", "far", "circle"])


@given(st.lists(NAMES, max_size=8).map("/".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_ways_agree_and_neither_escapes(tree: Path, path: str) -> None:
    told: list[object] = []
    outside = (tree.parent / "outside").stat().st_ino
    for opener in (_beneath.open_beneath, _beneath.open_by_steps):
        folder = os.open(tree, os.O_PATH | os.O_DIRECTORY)
        try:
            found = opener(folder, str(tree), path, os.O_PATH)
            inode = os.fstat(found).st_ino
            os.close(found)
            assert inode != outside
            told.append(inode)
        except (SymphonyError, OSError, ValueError) as error:
            told.append(type(error))
        finally:
            os.close(folder)

    assert len(set(told)) == 1 or {PathEscape} < set(told)  # which of two reasons comes first


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_no_operation_escapes_while_links_are_swapped(tmp_path: Path, way: str) -> None:
    """Another process swaps a folder for a link that leads out, in a tight loop."""
    sandbox, outside = tmp_path / "sandbox", tmp_path / "outside"
    for folder, word in ((sandbox / "d", "inside"), (outside, "outside")):
        folder.mkdir(parents=True)
        (folder / "key").write_text(word)
    (sandbox / "link").symlink_to("../outside")
    swapper = os.fork()
    if swapper == 0:
        os.chdir(sandbox)
        while True:
            os.rename("d", "real")  # noqa: PTH104 - fast, in a tight loop
            os.rename("link", "d")  # noqa: PTH104 - fast, in a tight loop
            os.rename("d", "link")  # noqa: PTH104 - fast, in a tight loop
            os.rename("real", "d")  # noqa: PTH104 - fast, in a tight loop
    told = {"inside": 0, "refused": 0}
    try:
        with Root(sandbox) as root:
            for number in range(proof_count(3000, 100_000)):
                try:
                    if number % 10 == 0:
                        root.atomic_write("d/new", b"x")
                    word = root.read_text("d/key")
                    assert word == "inside"
                    told["inside"] += 1
                except (PathEscape, PathMissing, FileProblem):
                    told["refused"] += 1
    finally:
        os.kill(swapper, signal.SIGKILL)
        os.waitpid(swapper, 0)

    assert os.listdir(outside) == ["key"]  # noqa: PTH208 - plain calls look where ours wrote
    assert min(told.values()) > 20, "both have to happen"


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads' work on Linux")
def test_many_threads_share_a_root(tree: Path) -> None:
    wrong: list[str] = []
    with Root(tree) as root:
        threads = [
            threading.Thread(
                target=lambda: wrong.extend(
                    text for _ in range(100) if (text := root.read_text("chain")) != "inside"
                )
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert wrong == []
