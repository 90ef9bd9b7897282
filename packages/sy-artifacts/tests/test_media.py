import pytest

from sy_artifacts._media import content_type_of


@pytest.mark.parametrize(
    ("name", "start", "expected"),
    [
        ("src/a.py", b"", "text/x-python"),
        ("pyproject.toml", b"", "application/toml"),
        ("a.json", b"", "application/json"),
        ("a.png", b"", "image/png"),
        ("Makefile", b"all:\n", "text/plain"),
        ("v1.2/LICENSE", b"\x89PNG\0", "application/octet-stream"),
        (None, b"", "text/plain"),
        (None, "é".encode() * 100 + "é".encode()[:1], "text/plain"),
        (None, b"caf\xe9 is latin-1", "application/octet-stream"),
    ],
)
def test_the_name_says_the_type_and_else_the_first_bytes(
    name: str | None, start: bytes, expected: str
) -> None:
    assert content_type_of(name, start) == expected
