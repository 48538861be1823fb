"""A disk in memory that remembers what is on the medium, and dies when it is told to.

What a crash leaves is chosen by those rules of real file systems that hurt most: of what was not
synced, blocks survive in any combination, files have any length between the old and the new one,
and changes of names survive up to some point. Blocks are tiny, so that lines span several.
"""

import errno
import io
import os
import stat

from batchrunner.outputs.disk import Disk

BLOCK = 64
SHORT = errno.ENOSPC


class Crash(BaseException):
    """The process is gone, at this very call."""


class Inode:
    def __init__(self, content=b""):
        self.medium = bytearray(content)
        self.cache = bytearray(content)
        self.dirty = []  # spans (start, end) that only the cache has
        self.cut = None  # the shortest length it had since it was synced

    def put(self, offset, data):
        end = offset + len(data)
        self.cache.extend(bytes(max(0, end - len(self.cache))))
        self.cache[offset:end] = data
        self.dirty.append((offset, end))

    def truncate(self, size):
        del self.cache[size:]
        self.cut = size if self.cut is None else min(self.cut, size)

    def settle(self, chosen=lambda: True, size=None):
        """Bring the chosen dirty blocks to the medium, and its length to ``size``."""
        if self.cut is not None and chosen():
            del self.medium[self.cut :]
        size = len(self.cache) if size is None else size
        del self.medium[size:]
        self.medium.extend(bytes(size - len(self.medium)))
        for start, end in self.dirty:
            for block in range(start - start % BLOCK, end, BLOCK):
                here, there = max(block, start), min(block + BLOCK, end, size, len(self.cache))
                if here < there and chosen():
                    self.medium[here:there] = self.cache[here:there]
        self.dirty, self.cut = [], None


class SimulatedDisk(Disk):
    def __init__(self, rng):
        self.rng = rng
        self.names, self.medium_names, self.renames = {}, {}, []
        self.files = {}
        self.calls, self.crash_at = 0, None
        self.full = self.bad_sync = 0.0  # how often a write and a sync fail

    # --- what the program calls

    def open(self, path, flags):
        inode = self.names.get(path)
        if inode is None:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(errno.ENOENT, "missing", path)
            self._tick()
            inode = Inode()
            self._rename(lambda names: names.__setitem__(path, inode))
        elif flags & os.O_EXCL:
            raise FileExistsError(errno.EEXIST, "exists", path)
        fd = len(self.files) + 100
        self.files[fd] = (path, inode)
        return fd

    def reader(self, path):
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, "missing", path)
        return io.BytesIO(bytes(self.names[path].cache))

    def write(self, fd, data):
        inode = self.files[fd][1]
        return self._put(inode, bytes(data), len(inode.cache))

    def pwrite(self, fd, data, offset):
        return self._put(self.files[fd][1], bytes(data), offset)

    def fsync(self, fd):
        self._tick()
        inode = self.files[fd][1]
        if self.rng.random() < self.bad_sync:
            inode.dirty = []  # as Linux does: the pages count as clean now, and are not
            raise OSError(errno.EIO, "the medium failed")
        inode.settle()

    def fdatasync(self, fd):
        self.fsync(fd)

    def fsync_directory(self, path):  # noqa: ARG002 - there is one directory
        self._tick()
        self.medium_names, self.renames = dict(self.names), []

    def ftruncate(self, fd, size):
        self._tick()
        self.files[fd][1].truncate(size)

    def fstat(self, fd):
        size = len(self.files[fd][1].cache)
        return os.stat_result((stat.S_IFREG | 0o600, 1, 1, 1, 0, 0, size, 0, 0, 0))

    def replace(self, source, target):
        self._tick()
        self._rename(lambda names: names.__setitem__(target, names.pop(source)))

    def unlink(self, path):
        if path in self.names:
            self._tick()
            self._rename(lambda names: names.pop(path, None))

    def close(self, fd):
        """Closing changes nothing on a disk."""

    def stamp(self):
        return "20260101T000000Z"

    # --- what the world does to it

    def kill(self):
        """The process dies; the system, and all it has in its cache, lives on."""
        self.files.clear()
        self.crash_at = None
        return self

    def power_cut(self, mode):
        """The disk as the next start finds it: with none, all or some of what was in the cache."""
        after = type(self)(self.rng)
        after.full, after.bad_sync = self.full, self.bad_sync
        names = dict(self.medium_names)
        last = len(self.renames)
        for rename in self.renames[
            : {"none": 0, "all": last, "some": self.rng.randint(0, last)}[mode]
        ]:
            rename(names)
        for path, inode in names.items():
            if mode == "all":
                inode.settle()
            elif mode == "some":
                sizes = sorted((len(inode.medium), len(inode.cache)))
                chance = self.rng.choice((0.2, 0.6, 0.9))
                inode.settle(lambda: self.rng.random() < chance, self.rng.randint(*sizes))  # noqa: B023 - called at once
            after.names[path] = Inode(inode.medium)
        after.medium_names = dict(after.names)
        return after

    # --- inside

    def _tick(self):
        self.calls += 1
        if self.crash_at is not None and self.calls >= self.crash_at:
            raise Crash

    def _put(self, inode, data, offset):
        try:
            self._tick()
        except Crash:  # half of it may have been done
            inode.put(offset, data[: self.rng.randint(0, len(data))])
            raise
        if self.rng.random() < self.full:
            if self.rng.random() < 0.5:
                raise OSError(SHORT, "full")
            data = data[: self.rng.randint(1, len(data))]
        inode.put(offset, data)
        return len(data)

    def _rename(self, change):
        change(self.names)
        self.renames.append(change)
