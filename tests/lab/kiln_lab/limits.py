"""What this machine's kernel must allow for many systemds at once: more inotify instances than one user usually has.

Without it a machine fails to boot, or hangs, from about the tenth on. The setting is raised while there are labs and put
back when the last one goes.
"""

from __future__ import annotations

from pathlib import Path

_SETTING = Path("/proc/sys/fs/inotify/max_user_instances")
# A booted Debian takes about ten.
_ENOUGH = 8192


def lift(folder: Path) -> None:
    """Raises the setting if it is too low; what it was is kept in `folder`. Call it under the lock of all labs."""
    before = int(_SETTING.read_text())
    if before < _ENOUGH:
        (folder / "inotify").write_text(str(before), encoding="ascii")
        _SETTING.write_text(str(_ENOUGH))


def put_back(folder: Path) -> None:
    """Sets what `lift` found; call it under the lock of all labs when none is left."""
    kept = folder / "inotify"
    if kept.exists():
        _SETTING.write_text(kept.read_text(encoding="ascii"))
        kept.unlink()
