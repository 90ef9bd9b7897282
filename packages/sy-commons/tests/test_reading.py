import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyfakefs.fake_filesystem import FakeFilesystem, set_uid

from sy_commons import (
    BinaryFile,
    FileProblem,
    FileRefused,
    FileTooLarge,
    NotAFile,
    NotDecodable,
    PathMissing,
    SymphonyError,
    UnknownEncoding,
    read_bytes,
    read_text,
)
from sy_commons._reading import decode


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "note.txt"


def test_a_file_is_read_whole_up_to_its_limit(file: Path) -> None:
    file.write_bytes(b"x" * 3_000_000)

    assert read_bytes(file, max_bytes=3_000_000) == b"x" * 3_000_000
    with pytest.raises(FileTooLarge, match="3000000 bytes, and 2999999 are allowed"):
        read_bytes(file, max_bytes=2_999_999)


def test_a_file_that_does_not_say_its_size_is_limited_too() -> None:
    with pytest.raises(FileTooLarge) as caught:
        read_bytes("/proc/self/maps", max_bytes=100)

    assert caught.value.max_bytes == 100
    assert len(read_bytes("/proc/self/maps")) > 100


def test_an_endless_device_is_not_read() -> None:
    with pytest.raises(NotAFile, match="/dev/zero is a device"):
        read_bytes("/dev/zero")


def test_folders_fifos_and_sockets_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))

        for name, kind in (("fifo", "a FIFO"), ("socket", "a socket"), (".", "a folder")):
            with pytest.raises(NotAFile, match=f"is {kind}, and a file is wanted"):
                read_text(tmp_path / name)


def test_a_fifo_that_takes_the_files_place_does_not_hang(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("a file")
    looked = os.stat(file)  # noqa: PTH116 - plain calls look where ours wrote
    file.unlink()
    os.mkfifo(file)
    monkeypatch.setattr(os, "stat", lambda path: looked)

    with pytest.raises(NotAFile, match="a FIFO"):
        read_bytes(file)


def test_a_file_that_vanished_is_missing(file: Path) -> None:
    for path in (file, file / "below", Path("")):  # noqa: PTH201 - as a caller might give it
        with pytest.raises((PathMissing, NotAFile)):
            read_text(path)


@pytest.mark.parametrize("path", ["a\0b", "\ud800", "x" * 300])
def test_an_impossible_path_is_a_problem_and_no_crash(path: str) -> None:
    with pytest.raises(SymphonyError) as caught:
        read_bytes(path)

    assert isinstance(caught.value, FileProblem | PathMissing)


def test_a_path_as_bytes_is_refused() -> None:
    with pytest.raises(TypeError, match="a path is a str or a Path"):
        read_bytes(b"x")  # type: ignore[arg-type]  # wrong on purpose


def test_what_may_not_be_read_is_refused(fs: FakeFilesystem) -> None:
    fs.create_file("/data/note.txt", st_mode=0o100000, contents="x")
    set_uid(1000)

    with pytest.raises(FileRefused, match=r"/data/note\.txt: Permission denied"):
        read_text("/data/note.txt")


def test_a_failing_disk_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("x")

    def fail(*arguments: Any) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(FileProblem, match=r"note\.txt: Input/output error"):
        read_bytes(file)


def test_binary_is_refused_with_the_offset(file: Path) -> None:
    file.write_bytes(b"text\0more")

    with pytest.raises(BinaryFile, match="NUL byte at offset 4"):
        read_text(file)


def test_what_is_not_utf8_is_refused_with_offset_and_line(file: Path) -> None:
    file.write_bytes("one\ntwo\ngrö".encode("latin-1"))

    with pytest.raises(NotDecodable, match=r"is not utf-8: byte 0xf6 .* at offset 10, line 3"):
        read_text(file)
    assert read_text(file, encoding="latin-1") == "one\ntwo\ngrö"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding(file: Path, encoding: str) -> None:
    file.write_bytes("größe\r\n".encode(encoding))

    assert read_text(file) == "größe\r\n"


@pytest.mark.parametrize(
    "start",
    [
        "# -*- coding: latin-1 -*-",
        "#!/bin/sh\n# vim: set fileencoding=latin-1 :",
        "\n# coding=latin1",
    ],
)
def test_a_coding_comment_names_the_encoding(file: Path, start: str) -> None:
    file.write_bytes(f"{start}\nx = 'ö'\n".encode("latin-1"))

    assert read_text(file).endswith("'ö'\n")


def test_a_coding_comment_after_code_or_on_line_three_does_not_count(file: Path) -> None:
    for start in ("x = 1\n# coding: ascii\n", "#\n#\n# coding: ascii\n"):
        file.write_text(f"{start}ö")
        assert read_text(file).endswith("ö")


@pytest.mark.parametrize("name", ["nonsense", "rot13", "idna", "punycode", "unicode_escape", "hex"])
def test_only_encodings_of_files_are_used(file: Path, name: str) -> None:
    file.write_text(f"# coding: {name}\n")

    with pytest.raises(UnknownEncoding, match=name):
        read_text(file)


@given(
    st.binary()
    | st.builds(
        lambda name, rest: b"# coding: " + name.encode() + b"\n" + rest,
        st.text("abcdeiou-_0123456789", max_size=12)
        | st.sampled_from(["utf-7", "utf-16", "cp932", "hz", "mbcs", "oem"]),
        st.binary(),
    )
)
def test_any_bytes_are_text_or_a_clear_refusal(data: bytes) -> None:
    try:
        assert isinstance(decode(data, "x"), str)
    except SymphonyError as error:
        assert error.category == "validation"  # noqa: PT017 - both ends are fine
