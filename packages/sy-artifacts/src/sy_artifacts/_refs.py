"""From what a user points with to the rows it means, with the index's own word checked."""

from __future__ import annotations

from sy_artifacts import _index as index
from sy_artifacts._artifact import Artifact
from sy_artifacts._errors import AmbiguousDigest, ArtifactMissing
from sy_artifacts._names import DigestRef, NameRef, parse_digest, parse_ref
from sy_artifacts._vault import Vault
from sy_commons import Database, suggestion


class Finder:
    """Finds what a name, a name@version, a digest or an artifact points at."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def blob(self, ref: str | Artifact) -> index.Blob:
        """Return the blob that *ref* means; ArtifactMissing or ArtifactCorrupt if there is none."""
        text = ref if isinstance(ref, str) else ref.ref
        sha256 = parse_digest(text)  # most reads are by digest: the short way
        if sha256 is not None:
            blob = index.find_blob(self._database, sha256)
            if blob is None:
                raise self.missing(text)
            return blob
        parsed = parse_ref(text)
        if isinstance(parsed, NameRef):
            return self._by_name(parsed)[1]
        return self._by_digest(parsed)

    def artifact(self, ref: str | Artifact) -> Artifact:
        """Return what *ref* means as an artifact."""
        node = self.source(ref)
        if node.version_id is not None:
            return index.load_version(self._database, node.version_id)
        found = index.load_blob(self._database, node.blob_id)
        if found is None:
            raise self.missing(_text(ref))
        return found

    def source(self, ref: str | Artifact) -> index.Source:
        """Return what *ref* means as a place in the lineage."""
        parsed = parse_ref(_text(ref))
        if isinstance(parsed, NameRef):
            version, blob = self._by_name(parsed)
            return index.Source(blob.id, version.id)
        return index.Source(self._by_digest(parsed).id, None)

    def vouches(self, name: str, version: index.Version, blob: index.Blob) -> bool:
        """Whether the seals say that the index is as it was written."""
        return index.is_sealed(version.seal, name, version.number, blob.sha256) and index.is_sealed(
            version.head_seal, name, version.head, index.HEAD
        )

    def missing(self, ref: str) -> ArtifactMissing:
        """Return the error that says so, what may be meant, and how to see what there is."""
        name = ref.partition("@")[0]
        near = index.names_beside(self._database, name)
        meant = suggestion(name, near) if name not in near else ""
        return ArtifactMissing(ref=ref, meant=meant, listing=self._vault.command("ls"))

    def _by_name(self, ref: NameRef) -> tuple[index.Version, index.Blob]:
        found = index.find_version(self._database, ref.name, ref.version)
        if found is None:
            raise self._no_version(ref)
        if not self.vouches(ref.name, *found):
            raise self._vault.corrupt(
                str(ref), found[1].sha256, "its entry in the index is damaged"
            )
        return found

    def _by_digest(self, ref: DigestRef) -> index.Blob:
        found = index.find_prefix(self._database, ref.digits)
        if len(found) > 1:
            count = index.count_prefix(self._database, ref.digits)
            raise AmbiguousDigest(ref=str(ref), count=count)
        blob = index.find_blob(self._database, found[0]) if found else None
        if blob is None:
            raise self.missing(str(ref))
        return blob

    def _no_version(self, ref: NameRef) -> ArtifactMissing:
        if ref.version is None or not index.has_name(self._database, ref.name):
            return self.missing(str(ref))
        last = index.last_number(self._database, ref.name)
        return self.missing(f"{ref}, for {ref.name} has versions 1 to {last}")


def _text(ref: str | Artifact) -> str:
    return ref if isinstance(ref, str) else ref.ref
