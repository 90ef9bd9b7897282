from pathlib import Path

import pytest

from sy_commons._mounts import filesystem_of, is_network

TABLE = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:25 / /home rw shared:1 - nfs4 server:/home rw
31 30 0:26 / /home/me/local rw - xfs /dev/sdb rw
32 22 0:27 / /with\\040space rw master:1 propagate_from:2 - cifs //srv/x rw
33 22 0:28 / /data rw - ext4 /dev/sdc rw
34 22 0:29 / /data rw - fuse.sshfs me@there: rw
"""


@pytest.mark.parametrize(
    ("path", "filesystem"),
    [
        ("/var/x", "ext4"),
        ("/home/me/index.db", "nfs4"),
        ("/home/me/local/index.db", "xfs"),
        ("/homes/index.db", "ext4"),
        ("/with space/index.db", "cifs"),
        ("/data/index.db", "fuse.sshfs"),
    ],
)
def test_the_deepest_and_latest_mount_decides(path: str, filesystem: str) -> None:
    assert filesystem_of(Path(path), TABLE) == filesystem


def test_where_the_system_tells_nothing_the_filesystem_is_unknown_and_not_refused() -> None:
    assert filesystem_of(Path("/x"), "") == ""
    assert not is_network("")


def test_a_line_that_is_no_mount_is_passed_over() -> None:
    assert filesystem_of(Path("/x"), "nonsense\n" + TABLE) == "ext4"


@pytest.mark.parametrize("name", ["nfs", "nfs4", "cifs", "smb3", "fuse.rclone", "lustre", "ceph"])
def test_network_filesystems_are_known(name: str) -> None:
    assert is_network(name)


@pytest.mark.parametrize(
    "name", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuse.ntfs", "fuse", "nfsd"]
)
def test_local_filesystems_pass(name: str) -> None:
    assert not is_network(name)
