"""Where an application keeps its files on this platform."""

from __future__ import annotations

from pathlib import Path

import attrs
from platformdirs import PlatformDirs


@attrs.frozen
class AppDirs:
    """The folders of one application; none is made by asking.

    >>> sorted(field.name for field in attrs.fields(AppDirs))
    ['cache', 'config', 'data', 'logs', 'state']
    """

    config: Path
    data: Path
    state: Path
    cache: Path
    logs: Path


def app_dirs(name: str, *, version: str | None = None) -> AppDirs:
    """Return the folders in which this user's files of the application *name* belong.

    >>> dirs = app_dirs("acme")
    >>> dirs.config.name, dirs.cache != dirs.data
    ('acme', True)
    """
    found = PlatformDirs(name, appauthor=False, version=version)
    return AppDirs(
        config=found.user_config_path,
        data=found.user_data_path,
        state=found.user_state_path,
        cache=found.user_cache_path,
        logs=found.user_log_path,
    )
