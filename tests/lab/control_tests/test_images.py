"""Snapshots hold what the volume held, images boot what their snapshots hold."""

from __future__ import annotations

from typing import Any

from .case import ControlCase

FULL = {
    "Architecture": "x86_64",
    "RootDeviceName": "/dev/xvda",
    "VirtualizationType": "hvm",
    "EnaSupport": True,
    "BootMode": "uefi-preferred",
    "ImdsSupport": "v2.0",
}


class Images(ControlCase):
    def running(self, **over: Any) -> str:
        """A running instance."""
        instance = self.run_one(**over)
        self.until(lambda: self.state(instance) == "running")
        return instance

    def content(self, instance: str) -> list[str]:
        """What its root volume holds."""
        return self.reality.volumes.contents[self.reality.machines.up[instance].root_volume_id]

    def snapshot(self, instance: str, **over: Any) -> str:
        """A complete snapshot of its root volume."""
        volume = self.describe(instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        snapshot = self.ec2.create_snapshot(VolumeId=volume, **over)["SnapshotId"]
        self.until(lambda: self.snapshot_state(snapshot) == "completed")
        return snapshot

    def snapshot_state(self, snapshot: str) -> str:
        """Its state."""
        return self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"]

    def register(self, snapshot: str, name: str, **over: Any) -> str:
        """An available image of a snapshot; it is deregistered after the test."""
        root = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, "VolumeType": "gp3"}}
        image = self.ec2.register_image(**{"Name": name, "BlockDeviceMappings": [root], **FULL, **over})["ImageId"]
        self.addCleanup(self.ec2.deregister_image, ImageId=image)
        self.until(lambda: self.image(image)["State"] == "available")
        return image

    def image(self, image: str) -> dict[str, Any]:
        """What DescribeImages says about it."""
        return self.ec2.describe_images(ImageIds=[image])["Images"][0]

    def test_a_snapshot_has_what_was_written_before_the_call_and_nothing_after(self) -> None:
        instance = self.running()
        self.reality.machines.write(instance, "before")
        snapshot = self.snapshot(instance)
        self.reality.machines.write(instance, "after")
        self.assertEqual(self.reality.volumes.snapshots[snapshot], ["base", "before"])

    def test_an_instance_of_a_registered_image_boots_its_snapshot(self) -> None:
        first = self.running()
        self.reality.machines.write(first, "layer 1")
        image = self.register(self.snapshot(first), "of layer 1")
        second = self.running(ImageId=image)
        self.reality.machines.write(second, "layer 2")
        third = self.running(ImageId=self.register(self.snapshot(second), "of layer 2"))
        self.assertEqual(self.content(third), ["base", "layer 1", "layer 2"])
        self.assertEqual(self.content(first), ["base", "layer 1"])

    def test_an_image_shows_everything_it_was_registered_with(self) -> None:
        snapshot = self.snapshot(self.running())
        tags = [{"ResourceType": "image", "Tags": [{"Key": "key", "Value": "k1"}]}]
        seen = self.image(self.register(snapshot, "shown", TagSpecifications=tags, Description="a thing"))
        for member, value in FULL.items():
            self.assertEqual(seen[member], value, member)
        self.assertEqual(seen["Name"], "shown")
        self.assertEqual(seen["Description"], "a thing")
        self.assertEqual(seen["Tags"], [{"Key": "key", "Value": "k1"}])
        self.assertEqual(seen["RootDeviceType"], "ebs")
        self.assertFalse(seen["Public"])
        self.assertEqual(
            seen["BlockDeviceMappings"],
            [
                {
                    "DeviceName": "/dev/xvda",
                    "Ebs": {
                        "SnapshotId": snapshot,
                        "VolumeSize": 8,
                        "VolumeType": "gp3",
                        "DeleteOnTermination": True,
                        "Encrypted": False,
                    },
                }
            ],
        )

    def test_registering_inherits_nothing(self) -> None:
        image = self.register(
            self.snapshot(self.running()), "bare", EnaSupport=False, VirtualizationType="hvm", BootMode="legacy-bios"
        )
        self.assertFalse(self.image(image)["EnaSupport"])
        with self.refused("InvalidParameterCombination", "Elastic Network Adapter (ENA) is required"):
            self.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)

    def test_a_snapshot_that_an_image_needs_is_not_deleted(self) -> None:
        snapshot = self.snapshot(self.running())
        image = self.register(snapshot, "needs it")
        with self.refused("InvalidSnapshot.InUse", image):
            self.ec2.delete_snapshot(SnapshotId=snapshot)
        self.ec2.deregister_image(ImageId=image)
        self.assertIn(snapshot, self.reality.volumes.snapshots)
        self.ec2.delete_snapshot(SnapshotId=snapshot)
        self.until(lambda: snapshot not in self.reality.volumes.snapshots)
        with self.refused("InvalidSnapshot.NotFound", snapshot):
            self.ec2.delete_snapshot(SnapshotId=snapshot)
        with self.refused("InvalidAMIID.Unavailable"):
            self.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        self._cleanups = [c for c in self._cleanups if c[2].get("ImageId") != image]

    def test_an_image_of_a_running_instance_is_made_while_it_is_down(self) -> None:
        instance = self.running()
        self.reality.machines.write(instance, "mine")
        self.reality.machines.history.clear()
        tags = [
            {"ResourceType": "image", "Tags": [{"Key": "a", "Value": "1"}]},
            {"ResourceType": "snapshot", "Tags": [{"Key": "b", "Value": "2"}]},
        ]
        image = self.ec2.create_image(InstanceId=instance, Name="created", TagSpecifications=tags)["ImageId"]
        self.addCleanup(self.ec2.deregister_image, ImageId=image, DeleteAssociatedSnapshots=True)
        self.until(lambda: self.image(image)["State"] == "available")
        self.until(lambda: self.reality.machines.history == [("stop", instance), ("start", instance)])
        self.assertEqual(self.state(instance), "running")
        seen = self.image(image)
        snapshot = seen["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        self.assertEqual(self.reality.volumes.snapshots[snapshot], ["base", "mine"])
        self.assertEqual(seen["Tags"], [{"Key": "a", "Value": "1"}])
        described = self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
        self.assertEqual(described["Tags"], [{"Key": "b", "Value": "2"}])
        self.assertEqual(described["Description"], f"Created by CreateImage({instance}) for {image}")
        self.assertTrue(seen["EnaSupport"])
        self.assertEqual((seen["BootMode"], seen["ImdsSupport"]), ("uefi-preferred", "v2.0"))

    def test_no_reboot_leaves_the_machine_alone(self) -> None:
        instance = self.running()
        self.reality.machines.history.clear()
        image = self.ec2.create_image(InstanceId=instance, Name="left alone", NoReboot=True)["ImageId"]
        self.addCleanup(self.ec2.deregister_image, ImageId=image, DeleteAssociatedSnapshots=True)
        self.until(lambda: self.image(image)["State"] == "available")
        self.assertEqual(self.reality.machines.history, [])

    def test_names_of_images_are_taken_once(self) -> None:
        snapshot = self.snapshot(self.running())
        image = self.register(snapshot, "twice")
        with self.refused("InvalidAMIName.Duplicate", image):
            self.ec2.register_image(
                Name="twice", BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}], **FULL
            )
        with self.refused("InvalidAMIName.Malformed"):
            self.ec2.register_image(Name="a*b", **FULL)

    def test_snapshots_are_tagged_and_found_by_tags(self) -> None:
        tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "kiln:key", "Value": "abc"}]}]
        snapshot = self.snapshot(self.running(), TagSpecifications=tags, Description="of layer")
        found = self.ec2.describe_snapshots(
            OwnerIds=["self"], Filters=[{"Name": "tag:kiln:key", "Values": ["abc", "def"]}]
        )["Snapshots"]
        self.assertEqual([s["SnapshotId"] for s in found], [snapshot])
        self.assertEqual((found[0]["Progress"], found[0]["Description"]), ("100%", "of layer"))

    def test_a_pending_snapshot_makes_nothing_yet(self) -> None:
        instance = self.running()
        volume = self.describe(instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        self.misbehave(latency_divisor=20)
        made = self.ec2.create_snapshot(VolumeId=volume)
        self.assertEqual((made["State"], made["Progress"]), ("pending", "0%"))
        root = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": made["SnapshotId"]}}
        with self.refused("IncorrectState", "is not 'completed'"):
            self.ec2.register_image(Name="too early", BlockDeviceMappings=[root], **FULL)
        with self.refused("SnapshotCreationPerVolumeRateExceeded"):
            self.ec2.create_snapshot(VolumeId=volume)
        self.ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[made["SnapshotId"]], WaiterConfig={"Delay": 1})

    def test_a_pending_image_cannot_be_run(self) -> None:
        snapshot = self.snapshot(self.running())
        self.misbehave(latency_divisor=5)
        root = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
        image = self.ec2.register_image(Name="pending yet", BlockDeviceMappings=[root], **FULL)["ImageId"]
        self.addCleanup(self.ec2.deregister_image, ImageId=image)
        with self.refused("InvalidAMIID.Unavailable", "is pending, and cannot be run"):
            self.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        self.ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1})

    def test_a_volume_of_a_snapshot_holds_it(self) -> None:
        instance = self.running()
        self.reality.machines.write(instance, "data")
        snapshot = self.snapshot(instance)
        volume = self.ec2.create_volume(SnapshotId=snapshot, AvailabilityZone="eu-west-1a", VolumeType="gp3")["VolumeId"]
        self.until(lambda: self.reality.volumes.contents.get(volume) == ["base", "data"])
        self.ec2.delete_volume(VolumeId=volume)
        self.until(lambda: volume not in self.reality.volumes.contents)

    def test_a_copy_outlives_its_source(self) -> None:
        instance = self.running()
        self.reality.machines.write(instance, "copied")
        image = self.register(self.snapshot(instance), "source")
        copy = self.ec2.copy_image(SourceImageId=image, SourceRegion="eu-west-1", Name="copy")["ImageId"]
        self.addCleanup(self.ec2.deregister_image, ImageId=copy)
        self.until(lambda: self.image(copy)["State"] == "available")
        source = self.image(image)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
        self.assertNotEqual(self.image(copy)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"], source)
        self.assertEqual(self.content(self.running(ImageId=copy)), ["base", "copied"])
        again = self.ec2.copy_snapshot(SourceSnapshotId=source, SourceRegion="eu-west-1")["SnapshotId"]
        self.assertEqual(self.reality.volumes.snapshots[again], ["base", "copied"])
        with self.refused("UnsupportedOperation"):
            self.ec2.copy_image(SourceImageId=image, SourceRegion="us-east-1", Name="from afar")

    def test_what_cannot_be_captured_fails_and_says_why(self) -> None:
        instance = self.running()
        volume = self.describe(instance)["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
        before = len(self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])
        self.reality.volumes.full = True
        self.addCleanup(setattr, self.reality.volumes, "full", False)
        with self.refused("InternalError", "the disk is full"):
            self.ec2.create_snapshot(VolumeId=volume)
        self.assertEqual(len(self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]), before)
        image = self.ec2.create_image(InstanceId=instance, Name="of a full disk")["ImageId"]
        self.addCleanup(self.ec2.deregister_image, ImageId=image)
        self.until(lambda: self.image(image)["State"] == "failed")
        self.assertIn("the disk is full", self.image(image)["StateReason"]["Message"])
        self.until(lambda: instance in self.reality.machines.up)
