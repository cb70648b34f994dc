"""The base images that a cache keeps: who uses one holds a lock on it, and what nobody has used for long goes.

Each has a file beside it that is locked, and whose time is that of its last use.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

KEPT = 3
"""So many of a suite stay, whoever uses them: those that were used last."""

_used: dict[Path, int] = {}


def use(bases: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The base of this name: as long as this process lives, nobody removes it. One that is not there is made by `make(place)`,
    by one process at a time.
    """
    root = bases / name
    # Whoever uses it has it beside others; alone only who makes it, or removes it.
    lock = _lock(root, fcntl.LOCK_SH)
    if not root.is_dir():
        os.close(lock)
        lock = _lock(root, fcntl.LOCK_EX)
        try:
            if not root.is_dir():
                make(root)
            fcntl.flock(lock, fcntl.LOCK_SH)
        except BaseException:
            os.close(lock)
            raise
    os.utime(lock)
    before = _used.get(root)
    _used[root] = lock
    if before is not None:
        os.close(before)
    return root


def clear(bases: Path, suite: str, say: Callable[[str], None]) -> None:
    """Removes all of a suite but the last used ones and those in use, with what somebody killed has left of them."""
    found: dict[str, float] = {}
    for path in bases.iterdir():
        matched = re.fullmatch(rf"(debian-{re.escape(suite)}-[0-9a-f]{{12}})(\.[a-z]+)?", path.name)
        if matched:
            lock = bases / f"{matched[1]}.lock"
            found[matched[1]] = lock.stat().st_mtime if lock.exists() else 0.0
    for name in sorted(found, key=lambda name: found[name], reverse=True)[KEPT:]:
        root = bases / name
        try:
            lock = _lock(root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        try:
            if root.is_dir():
                say(f"removing `{root}`, which nobody has used for long")
            for left in (root, root.with_suffix(".part")):
                # A name that is whole is a base that is whole.
                if left.is_dir():
                    gone = root.with_suffix(".gone")
                    shutil.rmtree(gone, ignore_errors=True)
                    left.rename(gone)
            shutil.rmtree(root.with_suffix(".gone"), ignore_errors=True)
            root.with_suffix(".sh").unlink(missing_ok=True)
            root.with_suffix(".lock").unlink()
        finally:
            os.close(lock)


def _lock(root: Path, how: int) -> int:
    """The lock of a base. Raises `BlockingIOError` when it is not to be had at once and `how` does not wait."""
    path = root.with_suffix(".lock")
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, how)
            # Who removes a base removes its lock: what was waited for may be nobody's any more.
            if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
