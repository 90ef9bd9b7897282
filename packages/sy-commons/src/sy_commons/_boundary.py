"""Where somebody else's exceptions become ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sy_commons._errors import SymphonyError
from sy_commons._redaction import text_of


@contextmanager
def map_errors(
    mapping: Mapping[type[Exception], Callable[[str], SymphonyError]],
) -> Iterator[None]:
    """Raise, for an exception of *mapping*, the error that it maps to, from the original.

    A value is an error class without facts, or any function from the text to an error. The
    nearest base class wins; what is not named, a :class:`SymphonyError` included, passes as it
    is, and so do cancellation and Ctrl-C. It is a context manager and a decorator.

    >>> from sy_commons import StorageError
    >>> with map_errors({OSError: StorageError}):
    ...     open("/no/such/file")
    Traceback (most recent call last):
    ...
    sy_commons._errors.StorageError: [Errno 2] No such file or directory: '/no/such/file'
    """
    for known in mapping:
        if not issubclass(known, Exception):
            raise TypeError(f"{known.__name__} is never mapped: it ends what is running")
    try:
        yield
    except Exception as error:
        make = next((mapping[cls] for cls in type(error).__mro__ if cls in mapping), None)
        if make is None or (isinstance(error, SymphonyError) and type(error) not in mapping):
            raise
        raise make(text_of(error)) from error
