"""Images made of instances and of snapshots."""

from __future__ import annotations

import re
import time
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.utils import random_ami_id

from ..errors import LabError
from . import block_devices
from . import latency as real
from .image import LabImage
from .instance import LabInstance
from .metadata import machine_of
from .plane import Plane
from .storage import LabSnapshot

NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")


class Images(AmiBackend):
    """Creates, registers and deregisters images; each is pending until its snapshots are complete."""

    plane: Plane

    def _load_amis(self) -> None:
        """None of moto's thousands: they hold nothing."""

    def launchable_image(self, image_id: str | None) -> LabImage:
        """The image that instances may be launched from now."""
        if not image_id:
            raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
        image = self.known_image(image_id)
        if image.state != "available":
            raise EC2ClientError("InvalidAMIID.Unavailable", f"AMI '{image_id}' is {image.state}, and cannot be run")
        return image

    def known_image(self, image_id: str) -> LabImage:
        """An image that is not deregistered."""
        if not re.fullmatch(r"ami-[0-9a-z]+", image_id):
            raise EC2ClientError("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
        if image_id in self.deleted_amis:
            raise EC2ClientError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")
        if image_id not in self.amis:
            raise EC2ClientError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        return self.amis[image_id]

    def describe_images(self, ami_ids: list[str] | None = None, *args: Any, **kwargs: Any) -> list[Ami]:
        """As moto's, but one unknown id is enough for the error."""
        for image_id in ami_ids or []:
            if image_id not in self.deleted_amis:
                self.known_image(image_id)
        return super().describe_images(ami_ids, *args, **kwargs)

    def deregister_image(self, ami_id: str) -> None:
        """Leaves the snapshots; another owner's image stays."""
        if self.known_image(ami_id).owner_id != self.account_id:
            raise EC2ClientError("AuthFailure", f"Not authorized for image:{ami_id}")
        super().deregister_image(ami_id)

    def register(self, name: str, request: dict[str, Any]) -> LabImage:
        """RegisterImage: nothing is inherited, what the request does not say has EC2's own default."""
        self._check_name(name)
        root = request.get("RootDeviceName") or "/dev/sda1"
        asked = block_devices.overlay([], request.get("BlockDeviceMappings") or [], root)
        if not any(m["DeviceName"] == root and m["Ebs"].get("SnapshotId") for m in asked):
            raise EC2ClientError(
                "InvalidBlockDeviceMapping", f"The root device '{root}' needs a mapping with a snapshot id."
            )
        for mapping in asked:
            if mapping["DeviceName"] == root and "DeleteOnTermination" not in mapping["Ebs"]:
                mapping["Ebs"]["DeleteOnTermination"] = True
        mappings = block_devices.sized(asked, lambda snapshot: self.completed_snapshot(snapshot).volume_size)
        image = LabImage(
            self,
            random_ami_id(),
            name,
            mappings,
            architecture=request.get("Architecture") or "i386",
            root_device_name=root,
            virtualization_type=request.get("VirtualizationType") or "paravirtual",
            description=request.get("Description") or "",
            ena_support=bool(request.get("EnaSupport")),
            boot_mode=request.get("BootMode"),
            imds_support=request.get("ImdsSupport"),
            tpm_support=request.get("TpmSupport"),
            sriov=request.get("SriovNetSupport"),
        )
        self._add(image)
        self._available(image, self.plane.latency.of(real.REGISTER))
        return image

    def create_from(self, instance: LabInstance, name: str, request: dict[str, Any], tags: dict[str, dict[str, str]]) -> LabImage:
        """CreateImage: snapshots of all the instance's volumes, of a running one while it is down for a reboot."""
        if instance.state not in ("running", "stopping", "stopped"):
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Invalid value '{instance.id}' for instanceId. Instance is not in state 'running' or 'stopping' or 'stopped'",
            )
        self._check_name(name)
        image_id = random_ami_id()
        snapshots, mappings = self._snapshots_of(instance, image_id, request.get("BlockDeviceMappings") or [])
        source = self.amis.get(instance.image_id)
        image = LabImage(
            self,
            image_id,
            name,
            mappings,
            architecture=instance.architecture,
            root_device_name=instance.root_device_name,
            virtualization_type=instance.virtualization_type,
            description=request.get("Description") or "",
            ena_support=source.ena_support if source else True,
            boot_mode=source.boot_mode if source else None,
            imds_support=source.imds_support if source else None,
            tpm_support=source.tpm_support if source else None,
            sriov=source.sriov if source else None,
            source_instance_id=instance.id,
            source_image_id=instance.image_id,
        )
        self._add(image)
        image.add_tags(tags.get("image", {}))
        for snapshot in snapshots:
            snapshot.add_tags(tags.get("snapshot", {}))
        reboots = instance.state == "running" and not request.get("NoReboot")
        if reboots or instance.state == "stopping":
            self.plane.effects.submit(instance.id, lambda: self._capture_down(instance, image, snapshots, reboots))
        else:
            with self.plane.unlocked():
                self._capture(image, snapshots)
        return image

    def _snapshots_of(
        self, instance: LabInstance, image_id: str, request: list[block_devices.Mapping]
    ) -> tuple[list[LabSnapshot], list[block_devices.Mapping]]:
        present = []
        for name, device in instance.get_block_device_mapping:
            volume = self.volumes[device.volume_id]
            ebs = {
                "VolumeSize": volume.size,
                "VolumeType": volume.volume_type,
                "DeleteOnTermination": bool(device.delete_on_termination),
                "Encrypted": volume.encrypted,
            }
            extra = {"Iops": volume.iops, "Throughput": volume.throughput}
            present.append({"DeviceName": name, "Ebs": {**ebs, **{k: v for k, v in extra.items() if v}}})
        chosen = block_devices.sized(
            block_devices.overlay(present, request, instance.root_device_name),
            lambda snapshot: self.completed_snapshot(snapshot).volume_size,
        )
        snapshots = []
        for mapping in chosen:
            device = instance.block_device_mapping.get(mapping["DeviceName"])
            if device is not None:
                text = f"Created by CreateImage({instance.id}) for {image_id}"
                snapshot = self.begin_snapshot(device.volume_id, text)
                snapshots.append(snapshot)
                mapping["Ebs"]["SnapshotId"] = snapshot.id
        return snapshots, chosen

    def _capture_down(self, instance: LabInstance, image: LabImage, snapshots: list[LabSnapshot], reboots: bool) -> None:
        """Captures a machine that is down; takes it down and up again itself when it runs."""
        machines = self.plane.reality.machines
        with self.plane.lock:
            holds = reboots and instance.booted and instance.state == "running"
            instance.held = holds
            machine = machine_of(instance) if holds else None
        died = False
        try:
            if holds:
                machines.stop(instance.id, force=False)
            self._capture(image, snapshots)
            if holds:
                machines.start(machine)
        except LabError:
            died = True
            raise
        finally:
            with self.plane.lock:
                instance.held = False
                if died:
                    self.plane.life.exited(instance.id, "failed")

    def _capture(self, image: LabImage, snapshots: list[LabSnapshot]) -> None:
        began = time.monotonic()
        try:
            for snapshot in snapshots:
                self.capture(snapshot)
        except Exception as error:  # noqa: BLE001 - an image is available or failed in the end, never pending for ever
            with self.plane.lock:
                image.state = "failed"
                image.state_reason = {"Code": "Server.InternalError", "Message": str(error)}
                for snapshot in snapshots:
                    snapshot.status = "error" if snapshot.status == "pending" else snapshot.status
            return
        longest = max((s.begun + s.seconds for s in snapshots), default=began) - began
        self._available(image, max(longest, self.plane.latency.of(real.IMAGE)))

    def _available(self, image: LabImage, seconds: float) -> None:
        def flip() -> None:
            # Snapshots of no latency complete in threads of their own: an image is never ahead of them.
            for snapshot_id in image.snapshot_ids:
                snapshot = self.snapshots.get(snapshot_id)
                if snapshot is not None:
                    snapshot.status = "completed"
            image.state = "available"

        self.plane.later(image.id, seconds, flip)

    def _add(self, image: LabImage) -> None:
        self.amis[image.id] = image
        self.plane.visibility.born(image.id)

    def _check_name(self, name: str | None) -> None:
        if not name or not NAME.fullmatch(name):
            raise EC2ClientError(
                "InvalidAMIName.Malformed",
                "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', "
                "'-', '/' and '_'",
            )
        for image in self.amis.values():
            if image.name == name and image.owner_id == self.account_id:
                raise EC2ClientError(
                    "InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}"
                )
