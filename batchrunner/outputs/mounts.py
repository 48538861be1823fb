"""Where a file lies: on a disk of this machine, or on one whose locks and flushes may not hold."""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
_REMOTE = re.compile(r"nfs|cifs|smb|9p|fuse|ceph|afs|gfs|glusterfs|lustre|beegfs|virtiofs")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def warning(path: Path, listed: Path = MOUNTS) -> str | None:
    """What to know about the file system of ``path``; None where there is nothing to know."""
    try:
        mounts = listed.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # not on Linux
        return None
    kind = file_system(mounts, path.resolve())
    if kind is None or not _REMOTE.match(kind):
        return None
    return (
        f"{path} is on a file system of the kind {kind}: its locks may not keep a second run out, "
        "and a power cut may cost results that count as safe; a local disk is better"
    )


def file_system(mounts: str, path: Path) -> str | None:
    """The kind of file system that ``path``, an absolute one, is on, by ``mountinfo``. Pure."""
    found = None
    longest = -1
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        if not rest:
            continue
        point = Path(_ESCAPED.sub(_unescaped, fields.split(" ")[4]))
        if len(point.parts) >= longest and path.is_relative_to(point):  # the last one covers
            longest, found = len(point.parts), rest.split(" ")[0]
    return found


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))
