"""Which filesystem a path lies on, and whether other machines may be writing to it."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = re.compile(
    r"(afs|beegfs|ceph|cifs|coda|davfs|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|panfs"
    r"|pvfs2|smb[23]|smbfs)"
    r"|fuse\.(ceph|curlftpfs|davfs2?|gcsfuse|glusterfs|goofys|juicefs|mount(point)?-s3|nfs|rclone"
    r"|s3fs|s3ql|smbnetfs|sshfs)"
)


def filesystem_of(path: Path, mounts: str | None = None) -> str:
    r"""Return the type of the filesystem that *path* lies on, "" where the system does not say.

    *mounts* is the text of a ``mountinfo`` file; by default the process's own.

    >>> table = "22 1 8:1 / / rw - ext4 /dev/sda rw\n30 22 0:25 / /net rw - nfs4 srv:/x rw"
    >>> filesystem_of(Path("/net/data/index.db"), table), filesystem_of(Path("/network"), table)
    ('nfs4', 'ext4')
    """
    if mounts is None:
        mounts = _MOUNTS.read_text(errors="surrogateescape") if _MOUNTS.exists() else ""
    wanted = path.parts
    found, depth = "", 0
    for point, kind in map(_entry, mounts.splitlines()):
        parts = Path(point).parts
        # The same point twice: the later mount covers the earlier one.
        if len(parts) >= depth and wanted[: len(parts)] == parts:
            found, depth = kind, len(parts)
    return found


def is_network(filesystem: str) -> bool:
    """Whether *filesystem* is one that several machines may write to at once.

    >>> is_network("nfs4"), is_network("fuse.sshfs"), is_network("ext4"), is_network("fuseblk")
    (True, True, False, False)
    """
    return _NETWORK.fullmatch(filesystem) is not None


def _entry(line: str) -> tuple[str, str]:
    before, _, after = line.partition(" - ")
    fields, kind = before.split(" "), after.split(" ")[0]
    return (_unescape(fields[4]), kind) if len(fields) > 4 else ("/", "")


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)
