"""The Orchestra Kit: write operators and instruments, find the installed ones, call them.

>>> import asyncio
>>> from sy_extensions import Operator, check_arguments
>>> class WordCount(Operator):
...     \"\"\"Counts words.\"\"\"
...     async def process(self, text: str, *, min_length: int = 1) -> dict[str, int]:
...         words = [word for word in text.split() if len(word) >= min_length]
...         return {word: words.count(word) for word in words}
>>> check_arguments(WordCount, {"text": ["a"]})
['text: expected str, got list']
>>> asyncio.run(WordCount().process("a rose is a rose", min_length=2))
{'rose': 2, 'is': 1}
"""

from sy_extensions._active import ActiveExtension, ExtensionStats
from sy_extensions._discovery import Discovered, discover
from sy_extensions._errors import (
    ArgumentsInvalid,
    CallFailed,
    DefinitionInvalid,
    ExtensionBusy,
    ExtensionInactive,
    ExtensionUnknown,
    HookFailed,
    IdClaimedTwice,
    IsolationUnavailable,
    LoadFailed,
    ManifestInvalid,
    MethodUnknown,
    NotConfigurable,
    ResultInvalid,
)
from sy_extensions._host import ExtensionHost, HostStats
from sy_extensions._manifest import (
    FilePermission,
    Manifest,
    NetworkPermission,
    Permissions,
    Resources,
)
from sy_extensions._signature import (
    Description,
    Parameter,
    Signature,
    check_arguments,
    describe,
    signature_of,
)
from sy_extensions._types import Extension, Instrument, Operator

__all__ = [
    "ActiveExtension",
    "ArgumentsInvalid",
    "CallFailed",
    "DefinitionInvalid",
    "Description",
    "Discovered",
    "Extension",
    "ExtensionBusy",
    "ExtensionHost",
    "ExtensionInactive",
    "ExtensionStats",
    "ExtensionUnknown",
    "FilePermission",
    "HookFailed",
    "HostStats",
    "IdClaimedTwice",
    "Instrument",
    "IsolationUnavailable",
    "LoadFailed",
    "Manifest",
    "ManifestInvalid",
    "MethodUnknown",
    "NetworkPermission",
    "NotConfigurable",
    "Operator",
    "Parameter",
    "Permissions",
    "Resources",
    "ResultInvalid",
    "Signature",
    "check_arguments",
    "describe",
    "discover",
    "signature_of",
]
