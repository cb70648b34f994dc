"""Volumes and snapshots that hold something."""

from __future__ import annotations

import time
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import EBSBackend, Snapshot, Volume, VolumeAttachment

from ..errors import LabError
from .plane import Plane

SNAPSHOT_RATE = 15.0
"""Seconds between two snapshots of one volume, at least; EC2 refuses the second one else."""

PENDING_SNAPSHOTS = 5
"""Snapshots of one volume that may be pending at a time."""


class LabVolume(Volume):
    """A volume whose content the lab holds."""

    last_snapshot: float = float("-inf")

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        """Adds a filter that moto lacks."""
        if filter_name == "volume-type":
            return self.volume_type
        if filter_name == "attachment.delete-on-termination":
            device = self.attachment and self.attachment.instance.block_device_mapping.get(self.attachment.device)
            return bool(device and device.delete_on_termination)
        return super().get_filter_value(filter_name, method_name)


class LabSnapshot(Snapshot):
    """A snapshot that is pending for a while."""

    begun: float
    seconds: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.status = "pending"
        self.begun = time.monotonic()
        self.seconds = 0.0
        self._size = self.volume.size

    @property
    def volume_size(self) -> int:
        """GiB of the volume at the moment of the snapshot, whatever became of it later."""
        return self._size

    @property
    def state(self) -> str:
        """The name by which DescribeSnapshots shows `status`."""
        return self.status

    @property
    def progress(self) -> str:
        """The share of the time that has gone by; never all of it while pending."""
        if self.status == "completed":
            return "100%"
        share = (time.monotonic() - self.begun) / self.seconds if self.seconds else 0.0
        return f"{min(int(share * 100), 99)}%"

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        """Adds filters that moto lacks."""
        if filter_name == "progress":
            return self.progress
        return super().get_filter_value(filter_name, method_name)


class Storage(EBSBackend):
    """Creates, captures and deletes contents along with moto's objects."""

    plane: Plane

    def create_volume(self, *args: Any, **kwargs: Any) -> Volume:
        """A volume with the content of its snapshot; the work is done behind the answer, before any other on the volume."""
        snapshot_id = kwargs.get("snapshot_id")
        if snapshot_id:
            self.completed_snapshot(snapshot_id)
        volume = super().create_volume(*args, **kwargs)
        self.plane.visibility.born(volume.id)
        self.plane.effects.submit(
            volume.id, lambda: self.plane.reality.volumes.create(volume.id, snapshot_id or None)
        )
        return volume

    def delete_volume(self, volume_id: str) -> Volume:
        """Frees the content when nothing else is queued on it."""
        volume = super().delete_volume(volume_id)
        self.plane.effects.submit(volume_id, lambda: self.plane.reality.volumes.delete_volume(volume_id))
        return volume

    def detach_volume(self, volume_id: str, instance_id: str | None, device_path: str | None) -> VolumeAttachment:
        """The instance and the device may be left out; a running machine keeps its root."""
        volume = self.get_volume(volume_id)
        if volume.attachment is None:
            raise EC2ClientError("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")
        instance = volume.attachment.instance
        if volume.attachment.device == instance.root_device_name and instance.state in ("pending", "running", "stopping"):
            raise EC2ClientError(
                "OperationNotPermitted", f"Unable to detach root volume '{volume_id}' from instance '{instance.id}'"
            )
        return super().detach_volume(volume_id, instance_id or instance.id, device_path or volume.attachment.device)

    def completed_snapshot(self, snapshot_id: str) -> Snapshot:
        """The snapshot, if something can be made from it already."""
        snapshot = self.get_snapshot(snapshot_id)
        if snapshot.status != "completed":
            raise EC2ClientError("IncorrectState", f"Snapshot '{snapshot_id}' is not 'completed'.")
        return snapshot

    def get_snapshot(self, snapshot_id: str) -> Snapshot:
        """As moto's, with an error that names the snapshot."""
        if snapshot_id not in self.snapshots:
            raise EC2ClientError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        return self.snapshots[snapshot_id]

    def create_snapshot(
        self, volume_id: str, description: str, owner_id: str | None = None, from_ami: str | None = None
    ) -> Snapshot:
        """Captures the volume before it returns: what is written after the answer is not in the snapshot.

        The lock is free meanwhile. Called by requests, which hold it once.
        """
        snapshot = self.begin_snapshot(volume_id, description)
        try:
            with self.plane.unlocked():
                self.capture(snapshot)
        except LabError:
            self.snapshots.pop(snapshot.id, None)
            raise
        return snapshot

    def begin_snapshot(self, volume_id: str, description: str) -> LabSnapshot:
        """The pending object, before anything is captured."""
        volume = self.get_volume(volume_id)
        self._keep_snapshot_rate(volume)
        snapshot = super().create_snapshot(volume_id, description)
        snapshot.seconds = self.plane.latency.snapshot(volume.size)
        volume.last_snapshot = snapshot.begun
        self.plane.visibility.born(snapshot.id)
        return snapshot

    def capture(self, snapshot: LabSnapshot) -> None:
        """Copies the volume as it is now, behind work that is queued on it, and lets the snapshot complete in its time.

        Called without the lock.
        """
        volume_id = snapshot.volume.id
        self.plane.effects.run(volume_id, lambda: self.plane.reality.volumes.snapshot(snapshot.id, volume_id))

        def complete() -> None:
            snapshot.status = "completed"

        self.plane.later(snapshot.id, snapshot.begun + snapshot.seconds - time.monotonic(), complete)

    def delete_snapshot(self, snapshot_id: str) -> Snapshot:
        """Refuses while an image needs it."""
        snapshot = self.get_snapshot(snapshot_id)
        if snapshot.owner_id != self.account_id:
            raise EC2ClientError("AuthFailure", f"Not authorized for resource: {snapshot_id}")
        for image in self.amis.values():
            if snapshot_id in image.snapshot_ids:
                raise EC2ClientError(
                    "InvalidSnapshot.InUse", f"The snapshot {snapshot_id} is currently in use by {image.id}"
                )
        del self.snapshots[snapshot_id]
        self.plane.effects.submit(snapshot_id, lambda: self.plane.reality.volumes.delete_snapshot(snapshot_id))
        return snapshot

    def _keep_snapshot_rate(self, volume: Volume) -> None:
        if not self.plane.latency.on:
            return
        if time.monotonic() - volume.last_snapshot < self.plane.latency.of(SNAPSHOT_RATE):
            raise EC2ClientError(
                "SnapshotCreationPerVolumeRateExceeded",
                "The maximum per volume CreateSnapshot request rate has been exceeded. "
                "Use an increasing or variable sleep interval between requests.",
            )
        pending = [s for s in self.snapshots.values() if s.volume.id == volume.id and s.status == "pending"]
        if len(pending) >= PENDING_SNAPSHOTS:
            raise EC2ClientError(
                "ConcurrentSnapshotLimitExceeded",
                f"Maximum allowed in-progress snapshots for volume exceeded: {PENDING_SNAPSHOTS}",
            )
