"""What can go wrong in a store."""

from __future__ import annotations

from sy_commons import ErrorCategory, SymphonyError


class ArtifactMissing(SymphonyError):
    """The store holds nothing under this name, version or digest."""

    code = "artifacts.missing"
    category = ErrorCategory.NOT_FOUND
    message = "no artifact {ref}{meant}"
    hint = "list what exists: {listing}"
    ref: str
    listing: str
    meant: str = ""


class ArtifactCorrupt(SymphonyError):
    """What the disk gives is not what was stored; nothing of it is returned."""

    code = "artifacts.corrupt"
    category = ErrorCategory.IO
    message = "artifact {ref} is damaged: {reason}"
    hint = "with the original bytes in FILE, this heals it: {repair}"
    ref: str
    digest: str
    reason: str
    repair: str


class AmbiguousDigest(SymphonyError):
    """Several artifacts' digests begin like this."""

    code = "artifacts.ambiguous_digest"
    category = ErrorCategory.VALIDATION
    message = "{ref} is the beginning of {count} digests"
    hint = "give more of its digits"
    ref: str
    count: int


class InvalidName(SymphonyError):
    """The text cannot name an artifact."""

    code = "artifacts.invalid_name"
    category = ErrorCategory.VALIDATION
    message = "{name!r} cannot name an artifact: {reason}"
    hint = "names are paths like notes/brief.md; sy_artifacts.quote_name makes one of any text"
    name: str
    reason: str


class InvalidRef(SymphonyError):
    """The text points at no artifact, whatever the store holds."""

    code = "artifacts.invalid_ref"
    category = ErrorCategory.VALIDATION
    message = "{ref!r} is no artifact's name, name@version or digest: {reason}"
    hint = "like brief.md, brief.md@2 or sha256:0a1b2c…"
    ref: str
    reason: str


class InvalidPut(SymphonyError):
    """An argument of a put does not fit."""

    code = "artifacts.invalid_put"
    category = ErrorCategory.VALIDATION
    message = "a put's {argument}: {reason}"
    argument: str
    reason: str


class StoreMissing(SymphonyError):
    """There is no store here."""

    code = "artifacts.store_missing"
    category = ErrorCategory.NOT_FOUND
    message = "there is no artifact store at {path}"
    hint = "give its folder, or put something: that creates it"
    path: str


class StoreClosed(SymphonyError):
    """The store has been closed."""

    code = "artifacts.store_closed"
    category = ErrorCategory.CONFLICT
    message = "the store {path} is closed"
    hint = "use it inside its with block"
    path: str


class StoreFull(SymphonyError):
    """There is no room; nothing of this put was kept, and all before it stands."""

    code = "artifacts.store_full"
    category = ErrorCategory.RESOURCE
    message = "no room left in the store {path} ({reason})"
    hint = "make room and put it again: what was acknowledged before stands"
    path: str
    reason: str


class StoreWriteFailed(SymphonyError):
    """The disk refused to keep it; nothing of this put was kept, and all before it stands."""

    code = "artifacts.write_failed"
    category = ErrorCategory.IO
    message = "the store {path} could not be written ({reason})"
    hint = "look whether the disk is sound and writable, and put it again"
    path: str
    reason: str


class NotAStore(SymphonyError):
    """The folder is somebody else's."""

    code = "artifacts.not_a_store"
    category = ErrorCategory.CONFIGURATION
    message = "{path} is no artifact store, and other things are in it"
    hint = "give a store's folder, an empty one, or one that does not exist yet"
    path: str
