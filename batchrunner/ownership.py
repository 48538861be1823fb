"""What others may do with a file that keys are in."""

import grp
import os
import pwd
import stat
from enum import Enum

ROOT = 0  # may do everything anyway


class Access(Enum):
    """The most that others may do with a file."""

    NONE = "none"
    READ = "read"
    WRITE = "write"  #: also when the file is theirs


def access(status: os.stat_result, user: int | None = None) -> Access:
    """What others than ``user``, by default ourselves, may do with a file.

    A group that has this user alone, as many systems make for everyone, is nobody else: there
    the usual umask of 002 makes files that their group may write.
    """
    user = os.geteuid() if user is None else user
    if status.st_uid not in {user, ROOT}:
        return Access.WRITE
    mode = status.st_mode
    if _is_private(status.st_gid, user):
        mode &= ~stat.S_IRWXG
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return Access.WRITE
    return Access.READ if mode & (stat.S_IRGRP | stat.S_IROTH) else Access.NONE


def _is_private(group: int, user: int) -> bool:
    """Whether a group is the user's own one, of the same name, and has no other member."""
    try:
        account, entry = pwd.getpwuid(user), grp.getgrgid(group)
    except KeyError:
        return False
    is_own = account.pw_gid == group and entry.gr_name == account.pw_name
    return is_own and set(entry.gr_mem) <= {account.pw_name}
