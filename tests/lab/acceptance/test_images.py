"""Volumes, snapshots and images by the AWS CLI: what is in them is what boots."""

from __future__ import annotations

import unittest
from typing import Any

from .lab import Lab, Refused, shared, until


def root_volume(lab: Lab, instance: str) -> str:
    """Its id."""
    seen = lab.aws("ec2", "describe-instances", "--instance-ids", instance)["Reservations"][0]["Instances"][0]
    return seen["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


def register(lab: Lab, name: str, snapshot: str) -> str:
    """An available image of a complete snapshot."""
    image = lab.aws(
        *("ec2", "register-image", "--name", name, "--architecture", "x86_64", "--virtualization-type", "hvm"),
        *("--root-device-name", "/dev/xvda", "--ena-support", "--boot-mode", "uefi-preferred", "--imds-support", "v2.0"),
        *("--block-device-mappings", f"DeviceName=/dev/xvda,Ebs={{SnapshotId={snapshot},VolumeType=gp3}}"),
    )["ImageId"]
    lab.aws("ec2", "wait", "image-available", "--image-ids", image)
    return image


class Images(unittest.TestCase):
    def assertRefused(self, code: str, *arguments: str) -> None:
        """The call fails with EC2's error `code`."""
        with self.assertRaises(Refused) as caught:
            shared().aws(*arguments)
        self.assertEqual(caught.exception.code, code)

    def image(self, image: str) -> dict[str, Any]:
        """As described."""
        return shared().aws("ec2", "describe-images", "--image-ids", image)["Images"][0]

    def test_layers_of_images_by_snapshots_of_running_instances(self) -> None:
        lab = shared()
        first, address = lab.launch(lab.base())
        lab.ssh(address, "echo one | sudo tee /srv/one; sudo rm /etc/motd; sudo sync")
        snapshot = lab.aws(
            *("ec2", "create-snapshot", "--volume-id", root_volume(lab, first), "--description", "layer one"),
            *("--tag-specifications", "ResourceType=snapshot,Tags=[{Key=kiln:key,Value=k1}]"),
        )["SnapshotId"]
        lab.ssh(address, "echo late | sudo tee /srv/late; sudo sync")
        until(lambda: lab.own("status")["snapshots"][snapshot] == "completed", 60)
        lab.aws("ec2", "wait", "snapshot-completed", "--snapshot-ids", snapshot)
        found = lab.aws("ec2", "describe-snapshots", "--owner-ids", "self", "--filters", "Name=tag:kiln:key,Values=k1")
        self.assertEqual([s["SnapshotId"] for s in found["Snapshots"]], [snapshot])

        one = register(lab, "layer one", snapshot)
        second, address = lab.launch(one)
        self.assertEqual(lab.ssh(address, "ls /srv; test ! -e /etc/motd; echo two | sudo tee /srv/two >/dev/null"), "one\n")
        created = lab.aws("ec2", "create-image", "--instance-id", second, "--name", "layer two")["ImageId"]
        until(lambda: self.image(created)["State"] == "available", 60)
        lab.aws("ec2", "wait", "image-available", "--image-ids", created)
        self.assertEqual(lab.ssh(address, "ls /srv"), "one\ntwo\n")
        seen = self.image(created)
        self.assertEqual((seen["BootMode"], seen["ImdsSupport"], seen["EnaSupport"]), ("uefi-preferred", "v2.0", True))

        third, address = lab.launch(created)
        self.assertEqual(lab.ssh(address, "cat /srv/*"), "one\ntwo\n")

        self.assertRefused("InvalidSnapshot.InUse", "ec2", "delete-snapshot", "--snapshot-id", snapshot)
        lab.aws("ec2", "deregister-image", "--image-id", one)
        lab.aws("ec2", "delete-snapshot", "--snapshot-id", snapshot)
        self.assertRefused("InvalidSnapshot.NotFound", "ec2", "describe-snapshots", "--snapshot-ids", snapshot)
        # What stands on the deleted snapshot keeps its layers.
        fourth, address = lab.launch(created)
        self.assertEqual(lab.ssh(address, "cat /srv/*"), "one\ntwo\n")
        lab.terminate(first, second, third, fourth)
        left = seen["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        lab.aws("ec2", "deregister-image", "--image-id", created)
        lab.aws("ec2", "delete-snapshot", "--snapshot-id", left)

    def test_the_life_of_a_volume(self) -> None:
        lab = shared()
        instance, _ = lab.launch(lab.base())
        volume = lab.aws(
            *("ec2", "create-volume", "--size", "3", "--availability-zone", "eu-west-1a", "--volume-type", "gp3"),
            *("--tag-specifications", "ResourceType=volume,Tags=[{Key=of,Value=volumes}]"),
        )["VolumeId"]
        lab.aws("ec2", "wait", "volume-available", "--volume-ids", volume)
        lab.aws("ec2", "attach-volume", "--volume-id", volume, "--instance-id", instance, "--device", "/dev/sdf")
        lab.aws("ec2", "wait", "volume-in-use", "--volume-ids", volume)
        self.assertRefused("VolumeInUse", "ec2", "delete-volume", "--volume-id", volume)
        lab.aws("ec2", "detach-volume", "--volume-id", volume)
        lab.aws("ec2", "delete-volume", "--volume-id", volume)
        lab.aws("ec2", "wait", "volume-deleted", "--volume-ids", volume)
        lab.terminate(instance)
