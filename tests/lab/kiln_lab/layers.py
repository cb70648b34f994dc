"""The layers of a lab on disk: directories that never change once they are named, and who stands on them.

    layers/NUMBER/           a directory, or a link to a base's root
    snapshots/ID.json        the layers that a snapshot is, uppermost first
    volumes/ID/volume.json   the layers that a volume began with

These files are the references: a layer that none of them names is removed.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

from .errors import LabError


class Layers:
    """Makes layers and drops those that nothing needs. Many threads may call it."""

    def __init__(self, state: Path) -> None:
        self.root = state / "layers"
        self.volumes = state / "volumes"
        self._snapshots = state / "snapshots"
        for folder in (self.root, self.volumes, self._snapshots):
            folder.mkdir(parents=True, exist_ok=True)
        self._guard = threading.RLock()
        # Never a second time, even after a removal: a copy may still know the earlier layer by its name.
        self._last = max((int(name, 16) for name in os.listdir(self.root)), default=0)
        self._unfinished: set[str] = set()

    def begin(self) -> str:
        """Makes an empty layer, kept until `finish` or `abandon`; returns its name."""
        with self._guard:
            self._last += 1
            name = f"{self._last:x}"
            (self.root / name).mkdir(mode=0o755)
            self._unfinished.add(name)
            return name

    def link(self, root: Path) -> str:
        """Makes a layer of a directory that stands elsewhere, without a copy; kept until `finish`."""
        with self._guard:
            name = self.begin()
            (self.root / name).rmdir()
            (self.root / name).symlink_to(root.resolve(strict=True))
            return name

    def finish(self, name: str, snapshot_id: str, below: list[str]) -> None:
        """Makes a layer, on top of others, a snapshot."""
        with self._guard:
            self._write(self._snapshots / f"{snapshot_id}.json", [name, *below])
            self._unfinished.discard(name)

    def abandon(self, name: str) -> None:
        """Drops a layer that was begun."""
        with self._guard:
            self._unfinished.discard(name)
            self.drop_unneeded()

    def of_snapshot(self, snapshot_id: str) -> list[str]:
        """The layers of a snapshot, uppermost first. Raises `LabError` when there is no such snapshot."""
        return self._read(self._snapshots / f"{snapshot_id}.json", f"there is no snapshot `{snapshot_id}`")

    def of_volume(self, volume_id: str) -> list[str]:
        """The layers under a volume, uppermost first. Raises `LabError` when there is no such volume."""
        return self._read(self.volumes / volume_id / "volume.json", f"there is no volume `{volume_id}`")

    def stand(self, volume_id: str, snapshot_id: str | None) -> None:
        """Lets a new volume begin as a snapshot, or empty."""
        with self._guard:
            folder = self.volumes / volume_id
            if folder.exists():
                raise LabError(f"there is a volume `{volume_id}` already")
            below = self.of_snapshot(snapshot_id) if snapshot_id is not None else [self.begin()]
            folder.mkdir()
            (folder / "upper").mkdir(mode=0o755)
            self._write(folder / "volume.json", below)
            self._unfinished.difference_update(below)

    def drop_volume(self, volume_id: str) -> None:
        """Removes a volume's folder; its layers stay while others need them."""
        with self._guard:
            shutil.rmtree(self.volumes / volume_id)
            self.drop_unneeded()

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Removes a snapshot; its layers stay while others need them."""
        with self._guard:
            self.of_snapshot(snapshot_id)
            (self._snapshots / f"{snapshot_id}.json").unlink()
            self.drop_unneeded()

    def drop_unneeded(self) -> None:
        """Removes every layer that no snapshot and no volume stands on."""
        with self._guard:
            needed = set(self._unfinished)
            for path in (*self._snapshots.glob("*.json"), *self.volumes.glob("*/volume.json")):
                needed.update(json.loads(path.read_text(encoding="utf-8")))
            for name in set(os.listdir(self.root)) - needed:
                layer = self.root / name
                if layer.is_symlink():
                    layer.unlink()
                else:
                    shutil.rmtree(layer)

    def _write(self, path: Path, layers: list[str]) -> None:
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(layers), encoding="utf-8")
        fresh.rename(path)

    def _read(self, path: Path, missing: str) -> list[str]:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LabError(missing, "it may have been deleted") from None
