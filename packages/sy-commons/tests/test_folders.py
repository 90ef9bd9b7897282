from pathlib import Path

import pytest

from sy_commons import app_dirs


def test_folders_follow_the_platforms_variables_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))

    found = app_dirs("acme", version="2")

    assert found.config == tmp_path / "config" / "acme" / "2"
    assert found.cache == tmp_path / "cache" / "acme" / "2"
    assert tmp_path in found.logs.parents
    assert list(tmp_path.iterdir()) == []
