"""Start a tool under a Python that can run it.

This module alone must parse under any Python 3: it is what tells an old one to step aside.
"""

import os
import shutil
import sys

MINIMUM = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")


def launch(module):  # type: ignore[no-untyped-def]  # as the module says
    """Run ``main()`` of *module* in this package, under the first Python that is new enough."""
    if sys.version_info < MINIMUM:
        _step_aside()  # type: ignore[no-untyped-call]  # as the module says
    from importlib import import_module

    try:
        status = import_module("house." + module).main(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _step_aside():  # type: ignore[no-untyped-def]  # as the module says
    for name in NEWER:
        found = shutil.which(name)
        if found:
            os.execv(found, [found, *sys.argv])
    found = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit(
        "tools: Python 3.11 or newer is needed, and python3 is " + found + "\n"
        "  hint: put a newer python3 first on PATH"
    )
