"""Copies the upper directory of an overlay into a layer: everything, and of a running machine too.

A copy is made in passes over the same target. The first does the bulk while the machine runs; another, while it is
held still, copies only what has changed since, so that the layer is the content of one moment and the machine stands
for milliseconds. What an earlier layer of the same volume holds unchanged becomes a second name of the same file.

A file counts as unchanged when its inode, size, times, mode and owner are as they were when it was copied, and it could not
have changed since without moving its times: one that changed just before, or that a process maps for writing, is copied.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

# The overlay's own notes about an upper that was copied up. They name inodes that a layer does not stand on.
_OF_THE_UPPER = {f"trusted.overlay.{name}" for name in ("origin", "impure", "nlink", "upper", "uuid")}
# Two changes closer than this may bear the same time on some kernels.
_GRAIN_NS = 20_000_000

Stamp = tuple[int, int, int, int, int, int, int]


@dataclass
class Copied:
    """What a target holds: the stamp of each source file that may be taken over as it is, by path."""

    target: Path
    stamps: dict[str, Stamp] = field(default_factory=dict)


def copy(source: Path, target: Path, before: Copied | None, doubtful: Set[str]) -> Copied:
    """Makes `target` equal to `source`; it may hold an earlier pass.

    `before` is an earlier copy of the same source, in `target` or elsewhere on the same file system. `doubtful` holds
    names of files that a process maps for writing now: they are copied whatever their times say. Entries that vanish
    while this goes on are left out. Raises `OSError`.
    """
    copied = Copied(target)
    trusted_until = time.time_ns() - _GRAIN_NS
    _Pass(source, target, before, doubtful, trusted_until, copied).directory("")
    return copied


@dataclass
class _Pass:
    source: Path
    target: Path
    before: Copied | None
    doubtful: Set[str]
    trusted_until: int
    copied: Copied
    links: dict[int, str] = field(default_factory=dict)

    def directory(self, path: str) -> None:
        source = os.path.join(self.source, path) if path else os.fspath(self.source)
        target = os.path.join(self.target, path) if path else os.fspath(self.target)
        found = os.lstat(source)
        if not os.path.isdir(target) or os.path.islink(target):
            _remove(target)
            os.mkdir(target, 0o700)
        names = os.listdir(source)
        for extra in set(os.listdir(target)).difference(names):
            _remove(os.path.join(target, extra))
        for name in names:
            below = f"{path}/{name}" if path else name
            try:
                entry = os.lstat(os.path.join(source, name))
                if stat.S_ISDIR(entry.st_mode):
                    self.directory(below)
                else:
                    self.entry(below, name, entry)
            except (FileNotFoundError, NotADirectoryError):
                _remove(os.path.join(target, name))
        _dress(source, target, found)

    def entry(self, path: str, name: str, found: os.stat_result) -> None:
        source = os.path.join(self.source, path)
        target = os.path.join(self.target, path)
        known = self._known(path, name, found)
        if found.st_nlink > 1 and found.st_ino in self.links:
            _remove(target)
            os.link(os.path.join(self.target, self.links[found.st_ino]), target, follow_symlinks=False)
        elif known is None or (known != target and not _link(known, target)):
            _remove(target)
            _make(source, target, found)
            _dress(source, target, found)
        self.links.setdefault(found.st_ino, path)
        if found.st_ctime_ns < self.trusted_until and name not in self.doubtful:
            self.copied.stamps[path] = _stamp(found)

    def _known(self, path: str, name: str, found: os.stat_result) -> str | None:
        if self.before is None or name in self.doubtful or self.before.stamps.get(path) != _stamp(found):
            return None
        known = os.path.join(self.before.target, path)
        return known if os.path.lexists(known) else None


def _link(known: str, target: str) -> bool:
    _remove(target)
    try:
        os.link(known, target, follow_symlinks=False)
    except OSError:
        # Its layer was dropped meanwhile, or the file has as many names as the file system allows.
        return False
    return True


def _stamp(found: os.stat_result) -> Stamp:
    return (
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_mode,
        found.st_uid,
        found.st_gid,
    )


def _make(source: str, target: str, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        _copy_data(source, target)
    elif stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(source), target)
    else:
        os.mknod(target, found.st_mode, found.st_rdev)


def _copy_data(source: str, target: str) -> None:
    with open(source, "rb", buffering=0) as reader, open(target, "xb", buffering=0) as writer:
        size = os.fstat(reader.fileno()).st_size
        at = 0
        while at < size:
            try:
                at = os.lseek(reader.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(reader.fileno(), at, os.SEEK_HOLE)
            while at < end:
                done = os.copy_file_range(reader.fileno(), writer.fileno(), end - at, at, at)
                if done == 0:
                    break
                at += done
            if at < end:
                # Cut shorter while it was read; the next pass sees another stamp.
                break
        os.ftruncate(writer.fileno(), size)


def _dress(source: str, target: str, found: os.stat_result) -> None:
    """Owner first: a change of it clears capabilities and the set-id bits."""
    os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        os.chmod(target, stat.S_IMODE(found.st_mode))
    wanted = {name for name in os.listxattr(source, follow_symlinks=False) if name not in _OF_THE_UPPER}
    for name in set(os.listxattr(target, follow_symlinks=False)) - wanted:
        os.removexattr(target, name, follow_symlinks=False)
    for name in wanted:
        os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def _remove(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(path)
        return
    for name in os.listdir(path):
        _remove(os.path.join(path, name))
    os.rmdir(path)
