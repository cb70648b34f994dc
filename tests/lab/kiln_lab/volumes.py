"""Volumes and snapshots: what EBS is to instances, as stacks of directories.

A volume is an overlay: the layers of the snapshot that it began as, and an upper directory of its own. A snapshot is the
volume's upper, copied, on top of those layers. The overlays are `volatile`: a `sync` inside costs nothing, and a lab does
not outlive its machine's power anyway.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from .command import run
from .errors import LabError
from .journal import Journal, StateLock
from .layer_copy import Copied, copy
from .layers import Layers


@dataclass(frozen=True)
class User:
    """The machine that a volume runs in, as far as a snapshot must know it."""

    name: str
    still: Callable[[], AbstractContextManager[None]]
    """Holds the machine still while the context lasts."""
    mapped: Callable[[], Set[str]]
    """The names of files that its processes map for writing."""


@dataclass(frozen=True)
class Overlay:
    """How a volume is mounted: `mount -t overlay -o options` in `cwd`, at `root`."""

    cwd: Path
    options: str
    root: Path


@dataclass
class _Volume:
    guard: threading.RLock = field(default_factory=threading.RLock)
    user: User | None = None
    mounted: bool = False
    copied: Copied | None = None


class Volumes:
    """The volumes and snapshots of one lab, in its state directory, which this holds locked until `close`."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._lock = StateLock(state)
        self.journal = Journal(state)
        self.journal.record("directory", path=str(state.resolve()))
        self._layers = Layers(state.resolve())
        self._guard = threading.Lock()
        self._volumes: dict[str, _Volume] = {}

    def create(self, volume_id: str, snapshot_id: str | None) -> None:
        """Makes a volume that begins as a snapshot, or empty. Raises `LabError` when that snapshot is not there."""
        self._layers.stand(volume_id, snapshot_id)

    def register_base(self, snapshot_id: str, root: Path) -> None:
        """Makes a root directory, which must not change any more, a snapshot. Nothing is copied."""
        self._layers.finish(self._layers.link(root), snapshot_id, [])

    def snapshot(self, snapshot_id: str, volume_id: str) -> None:
        """Makes the volume's content at one moment of this call a snapshot; later writes do not reach it.

        A machine that runs on the volume is held still while what it changed during the first pass is copied again.
        """
        below = self._layers.of_volume(volume_id)
        volume = self._volume(volume_id)
        with volume.guard:
            layer = self._layers.begin()
            try:
                self._copy(volume, self._folder(volume_id) / "upper", self._layers.root / layer)
            except OSError as error:
                self._layers.abandon(layer)
                raise LabError(f"cannot copy volume `{volume_id}`: {error}", "is the disk full?") from error
            self._layers.finish(layer, snapshot_id, below)

    def mount(self, volume_id: str) -> Path:
        """Mounts a volume that no machine runs on where this machine's programs see it."""
        overlay = self._overlay(volume_id)
        volume = self._volume(volume_id)
        with volume.guard:
            if volume.user is not None:
                raise LabError(f"`{volume.user.name}` runs on `{volume_id}`", "stop it first")
            if not volume.mounted:
                self.journal.record("mount", path=str(overlay.root))
                _prepare(overlay.root.parent)
                argv = ["mount", "-t", "overlay", "-o", overlay.options, "kiln-lab", str(overlay.root)]
                run(argv, cwd=str(overlay.cwd))
                volume.mounted = True
        return overlay.root

    def unmount(self, volume_id: str) -> None:
        """Undoes `mount`; does nothing when the volume is not mounted."""
        volume = self._volume(volume_id)
        with volume.guard:
            if volume.mounted:
                run(["umount", str(self._folder(volume_id) / "root")])
                volume.mounted = False

    def use(self, volume_id: str, user: User) -> Overlay:
        """Reserves a volume for a machine, which mounts it by itself; `leave` ends that."""
        overlay = self._overlay(volume_id)
        volume = self._volume(volume_id)
        with volume.guard:
            if volume.user is not None or volume.mounted:
                raise LabError(f"`{volume_id}` is in use", "stop the instance that it belongs to, or unmount it")
            _prepare(overlay.root.parent)
            volume.user = user
        return overlay

    def renew(self, volume_id: str) -> None:
        """Makes a reserved volume, whose machine has let go of it, ready to be mounted again."""
        _prepare(self._folder(volume_id))

    def leave(self, volume_id: str) -> None:
        """Ends `use`: the machine is gone and its mount with it."""
        volume = self._volume(volume_id)
        with volume.guard:
            volume.user = None

    def delete_volume(self, volume_id: str) -> None:
        """Removes a volume. Raises `LabError` while a machine runs on it."""
        self._layers.of_volume(volume_id)
        self.unmount(volume_id)
        volume = self._volume(volume_id)
        with volume.guard:
            if volume.user is not None:
                raise LabError(f"`{volume.user.name}` runs on `{volume_id}`", "terminate it first")
            self._layers.drop_volume(volume_id)
        with self._guard:
            self._volumes.pop(volume_id, None)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Removes a snapshot; what stands on it keeps its layers."""
        self._layers.drop_snapshot(snapshot_id)

    def close(self) -> None:
        """Unmounts what is mounted and lets go of the state directory, which stays."""
        for volume_id in list(self._volumes):
            self.unmount(volume_id)
        self.journal.close()
        self._lock.close()

    def discard(self) -> None:
        """Unmounts what is mounted and removes the state directory. Its lock ends with this process: who waits for that
        waits until nothing is left, and a lab that takes the name meanwhile has a directory of its own.
        """
        for volume_id in list(self._volumes):
            self.unmount(volume_id)
        self.journal.close()
        gone = self._state.with_name(f"{self._state.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        self._state.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _copy(self, volume: _Volume, upper: Path, target: Path) -> None:
        user = volume.user
        if user is None:
            volume.copied = copy(upper, target, volume.copied, frozenset())
            return
        before = user.mapped()
        bulk = copy(upper, target, volume.copied, before)
        with user.still():
            # What was mapped when the bulk was copied may have been written through that map since.
            volume.copied = copy(upper, target, bulk, before | user.mapped())

    def _overlay(self, volume_id: str) -> Overlay:
        # Relative names keep many layers within the one page that the kernel takes.
        lower = ":".join(self._layers.of_volume(volume_id))
        folder = f"../volumes/{volume_id}"
        options = (
            f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work,"
            "volatile,redirect_dir=on,index=off,metacopy=off"
        )
        return Overlay(self._layers.root, options, self._folder(volume_id) / "root")

    def _folder(self, volume_id: str) -> Path:
        return self._layers.volumes / volume_id

    def _volume(self, volume_id: str) -> _Volume:
        with self._guard:
            return self._volumes.setdefault(volume_id, _Volume())


def _prepare(folder: Path) -> None:
    # A volatile overlay refuses a work directory that was mounted before, for the sake of a machine that lost power.
    shutil.rmtree(folder / "work", ignore_errors=True)
    os.makedirs(folder / "work", exist_ok=True)
    os.makedirs(folder / "root", exist_ok=True)
