"""What can go wrong with an extension, told so that its author or user knows what to do."""

from __future__ import annotations

from sy_commons import ErrorCategory, SymphonyError


class DefinitionInvalid(SymphonyError):
    """A class is no proper extension; raised where it is defined."""

    code = "extensions.definition_invalid"
    category = ErrorCategory.VALIDATION
    message = "{class_name}: {reason}"
    hint = "for example: async def {method}(self, text: str, *, limit: int = 3) -> list[str]"
    class_name: str
    method: str
    reason: str


class ArgumentsInvalid(SymphonyError):
    """A call's arguments do not fit the signature; nothing was called."""

    code = "extensions.arguments_invalid"
    category = ErrorCategory.VALIDATION
    message = "{extension_id}: {text}"
    hint = "what it takes: sy ext describe {extension_id}"
    extension_id: str
    text: str
    problems: list[str]


class ResultInvalid(SymphonyError):
    """An extension returned something else than its signature promises."""

    code = "extensions.result_invalid"
    category = ErrorCategory.SERIALIZATION
    message = "{extension_id} broke its promise: {text}"
    hint = "the fault is the extension's: tell its author"
    extension_id: str
    text: str
    problems: list[str]


class MethodUnknown(SymphonyError):
    """An extension is not called by that name."""

    code = "extensions.method_unknown"
    category = ErrorCategory.NOT_FOUND
    message = "{extension_id} has no {method!r} to call"
    hint = 'call "{available}"'
    extension_id: str
    method: str
    available: str


class CallFailed(SymphonyError):
    """An extension raised while it was called; the exception is the cause."""

    code = "extensions.call_failed"
    category = ErrorCategory.INTERNAL
    message = "{extension_id}.{method} failed: {reason}"
    extension_id: str
    method: str
    reason: str


class ExtensionUnknown(SymphonyError):
    """No installed extension has this id."""

    code = "extensions.unknown"
    category = ErrorCategory.NOT_FOUND
    message = "no extension {extension_id!r} is installed{suggestion}"
    hint = "list what is: sy ext list"
    extension_id: str
    suggestion: str


class IdClaimedTwice(SymphonyError):
    """Two installed distributions claim one extension id."""

    code = "extensions.id_claimed_twice"
    category = ErrorCategory.CONFLICT
    message = "extension id {extension_id!r} is claimed by {claims}"
    hint = "uninstall one of them"
    extension_id: str
    claims: str


class LoadFailed(SymphonyError):
    """An installed extension's class could not be had from its module."""

    code = "extensions.load_failed"
    category = ErrorCategory.CONFIGURATION
    message = (
        "extension {extension_id!r} of {distribution} does not load from {entry_point}: {reason}"
    )
    hint = "reinstall {distribution}, or tell its author"
    extension_id: str
    distribution: str
    entry_point: str
    reason: str


class HookFailed(SymphonyError):
    """One of an extension's own hooks raised or took too long."""

    code = "extensions.hook_failed"
    category = ErrorCategory.INTERNAL
    message = "{hook} of extension {extension_id!r} failed: {reason}"
    extension_id: str
    hook: str
    reason: str


class NotConfigurable(SymphonyError):
    """Configuration was given to an extension that takes none."""

    code = "extensions.not_configurable"
    category = ErrorCategory.CONFIGURATION
    message = "{class_name} takes no configuration, and was given {keys}"
    hint = "leave it out, or define on_configure"
    class_name: str
    keys: str


class ExtensionInactive(SymphonyError):
    """The extension was deactivated, or the host is not open."""

    code = "extensions.inactive"
    category = ErrorCategory.CONFLICT
    message = "{what} is not active: {reason}"
    hint = "use it inside: async with ExtensionHost() as host"
    what: str
    reason: str


class ExtensionBusy(SymphonyError):
    """Calls were still running when the time for an orderly end was over."""

    code = "extensions.busy"
    category = ErrorCategory.TIMEOUT
    message = "{calls} calls of extension {extension_id!r} were still running after {grace_s} s"
    extension_id: str
    calls: int
    grace_s: float


class IsolationUnavailable(SymphonyError):
    """Code nobody vouched for is not run without a sandbox."""

    code = "extensions.isolation_unavailable"
    category = ErrorCategory.PERMISSION
    message = "{extension_id} at {path} is not run: nothing here enforces {missing}"
    hint = "install it as a distribution with an entry point in sy.extensions if you trust it"
    extension_id: str
    path: str
    missing: str


class ManifestInvalid(SymphonyError):
    """A manifest does not say what it has to; every problem is in it."""

    code = "extensions.manifest_invalid"
    category = ErrorCategory.VALIDATION
    message = "{text}"
    hint = "check it again: sy ext check {source}"
    source: str
    text: str
    problems: list[str]
