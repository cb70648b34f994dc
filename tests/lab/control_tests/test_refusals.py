"""What EC2 refuses, in EC2's codes and words."""

from __future__ import annotations

from typing import Any

from .case import ControlCase


class Refusals(ControlCase):
    def launch(self, **over: Any) -> None:
        """A launch that is expected to fail."""
        self.ec2.run_instances(**{"ImageId": self.base, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **over})

    def test_an_unknown_image(self) -> None:
        with self.refused("InvalidAMIID.NotFound", "The image id '[ami-0123456789abcdef0]' does not exist"):
            self.launch(ImageId="ami-0123456789abcdef0")
        with self.refused("InvalidAMIID.Malformed"):
            self.launch(ImageId="debian")

    def test_an_unknown_instance_type(self) -> None:
        with self.refused("InvalidParameterValue", "Invalid value 't9.huge' for InstanceType"):
            self.launch(InstanceType="t9.huge")

    def test_an_unknown_subnet(self) -> None:
        with self.refused("InvalidSubnetID.NotFound", "subnet-0123456789abcdef0"):
            self.launch(SubnetId="subnet-0123456789abcdef0")

    def test_an_unknown_security_group(self) -> None:
        with self.refused("InvalidGroup.NotFound", "sg-0123456789abcdef0"):
            self.launch(SecurityGroupIds=["sg-0123456789abcdef0"])

    def test_an_unknown_key_pair(self) -> None:
        with self.refused("InvalidKeyPair.NotFound", "The key pair 'nobody' does not exist"):
            self.launch(KeyName="nobody")

    def test_an_architecture_that_does_not_fit(self) -> None:
        arm = self.ec2.describe_images(
            Owners=["136693071363"], Filters=[{"Name": "architecture", "Values": ["arm64"]}]
        )["Images"][0]["ImageId"]
        words = "The architecture 'x86_64' of the specified instance type does not match the architecture 'arm64'"
        with self.refused("InvalidParameterValue", words):
            self.launch(ImageId=arm)
        with self.refused("InsufficientInstanceCapacity", "t4g.micro"):
            self.launch(ImageId=arm, InstanceType="t4g.micro")

    def test_another_snapshot_for_the_root_device(self) -> None:
        device = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-0123456789abcdef0"}}
        with self.refused("InvalidBlockDeviceMapping", "snapshotId cannot be modified on root device"):
            self.launch(BlockDeviceMappings=[device])

    def test_a_root_volume_smaller_than_its_snapshot(self) -> None:
        with self.refused("InvalidBlockDeviceMapping", "is smaller than snapshot"):
            self.launch(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}])

    def test_no_capacity(self) -> None:
        self.misbehave(no_capacity=["t3.micro"])
        with self.refused("InsufficientInstanceCapacity", "t3.micro"):
            self.launch()

    def test_a_region_that_has_no_machines_or_does_not_exist(self) -> None:
        with self.refused("InvalidAMIID.NotFound"):
            self.client("ec2", region_name="eu-central-1").describe_images(ImageIds=[self.base])
        with self.refused("AuthFailure", "valid region"):
            self.client("ec2", region_name="eu-nowhere-9").describe_instances()

    def test_too_much_user_data(self) -> None:
        with self.refused("InvalidParameterValue", "limited to 16384 bytes"):
            self.launch(UserData="x" * 16385)
        self.run_one(UserData="x" * 16384)

    def test_wrong_and_expired_credentials(self) -> None:
        with self.refused("AuthFailure", "not able to validate"):
            self.client("ec2", aws_access_key_id="AKIAOTHER").describe_instances()
        with self.refused("UnrecognizedClientException"):
            self.client("ssm", aws_access_key_id="AKIAOTHER").get_parameter(Name="x")
        self.misbehave(expired_credentials=True)
        with self.refused("RequestExpired"):
            self.ec2.describe_instances()

    def test_states_that_do_not_allow_it(self) -> None:
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "running")
        self.end(instance)
        with self.refused("IncorrectInstanceState"):
            self.ec2.start_instances(InstanceIds=[instance])
        with self.refused("InvalidParameterValue", "is not in state 'running'"):
            self.ec2.create_image(InstanceId=instance, Name="of nothing")
        with self.refused("InvalidInstanceID.NotFound"):
            self.ec2.stop_instances(InstanceIds=["i-0123456789abcdef0"])
        with self.refused("InvalidInstanceID.Malformed"):
            self.ec2.stop_instances(InstanceIds=["web"])

    def test_debian_s_images_are_not_ours_to_delete(self) -> None:
        with self.refused("AuthFailure"):
            self.ec2.deregister_image(ImageId=self.base)

    def test_a_dry_run_makes_nothing(self) -> None:
        with self.refused("DryRunOperation"):
            self.launch(DryRun=True)
        with self.refused("InvalidAMIID.NotFound"):
            self.launch(DryRun=True, ImageId="ami-0123456789abcdef0")

    def test_a_group_that_an_instance_has_is_not_deleted(self) -> None:
        group = self.ec2.create_security_group(GroupName="mine", Description="d")["GroupId"]
        instance = self.run_one(SecurityGroupIds=[group])
        with self.refused("DependencyViolation", group):
            self.ec2.delete_security_group(GroupId=group)
        self.end(instance)
        self.ec2.delete_security_group(GroupId=group)

    def test_tags_for_what_is_not_there(self) -> None:
        with self.refused("InvalidInstanceID.NotFound"):
            self.ec2.create_tags(Resources=["i-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "b"}])
