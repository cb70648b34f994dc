"""Copies of snapshots and images within a region."""

from __future__ import annotations

import uuid

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import AmiBackend
from moto.ec2.utils import random_ami_id, random_snapshot_id

from . import latency as real
from .image import LabImage
from .plane import Plane
from .storage import LabSnapshot


class Copies(AmiBackend):
    """Each copy has a content of its own: deleting the source leaves it whole."""

    plane: Plane

    def copy_snapshot(
        self, source_snapshot_id: str, source_region: str, description: str, kms_key_id: str | None
    ) -> LabSnapshot:
        """CopySnapshot."""
        self._same_region(source_region)
        source = self.completed_snapshot(source_snapshot_id)
        return self._copied(source, description or f"Copied from {source_region}: {source_snapshot_id}")

    def copy_image(
        self, source_image_id: str, source_region: str, name: str | None = None, description: str | None = None
    ) -> LabImage:
        """CopyImage: with the source's settings, without its tags."""
        self._same_region(source_region)
        source = self.launchable_image(source_image_id)
        self._check_name(name)
        image_id = random_ami_id()
        mappings = []
        for mapping in source.mappings:
            ebs = dict(mapping["Ebs"])
            if ebs.get("SnapshotId"):
                origin = self.completed_snapshot(ebs["SnapshotId"])
                text = f"Copied for DestinationAmi {image_id} from SourceAmi {source.id} for SourceSnapshot {origin.id}"
                ebs["SnapshotId"] = self._copied(origin, text).id
            mappings.append({"DeviceName": mapping["DeviceName"], "Ebs": ebs})
        image = LabImage(
            self,
            image_id,
            name,
            mappings,
            architecture=source.architecture,
            root_device_name=source.root_device_name,
            virtualization_type=source.virtualization_type,
            description=description or source.description,
            ena_support=source.ena_support,
            boot_mode=source.boot_mode,
            imds_support=source.imds_support,
            tpm_support=source.tpm_support,
            sriov=source.sriov,
            source_image_id=source.id,
        )
        self._add(image)
        self._available(image, self.plane.latency.of(real.IMAGE))
        return image

    def _copied(self, source: LabSnapshot, description: str) -> LabSnapshot:
        volumes = self.plane.reality.volumes
        copy = LabSnapshot(self, random_snapshot_id(), source.volume, description)
        copy.seconds = self.plane.latency.snapshot(source.volume_size)
        self.snapshots[copy.id] = copy
        self.plane.visibility.born(copy.id)
        between = f"vol-{uuid.uuid4().hex[:17]}"
        with self.plane.unlocked():
            volumes.create(between, source.id)
            try:
                volumes.snapshot(copy.id, between)
            finally:
                volumes.delete_volume(between)

        def complete() -> None:
            copy.status = "completed"

        self.plane.later(copy.id, copy.seconds, complete)
        return copy

    def _same_region(self, source_region: str) -> None:
        if source_region != self.region_name:
            raise EC2ClientError("UnsupportedOperation", f"This lab copies within a region only, not from {source_region}.")
