"""Groups start, replace and end instances."""

from __future__ import annotations

import base64
from typing import Any
from unittest import mock

from botocore.exceptions import ClientError
from moto.autoscaling.models import autoscaling_backends
from moto.core import DEFAULT_ACCOUNT_ID

from .case import REGION, ControlCase


class ScalingCase(ControlCase):
    """A launch template, and groups that are gone after the test."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.scaling = cls.client("autoscaling")

    def template(self, **over: Any) -> str:
        """A launch template with one version; it is deleted after the test."""
        data = {"ImageId": self.base, "InstanceType": "t3.micro", **over}
        name = f"template-{self.id().rpartition('.')[2]}"[:120]
        made = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]
        self.addCleanup(self.ec2.delete_launch_template, LaunchTemplateId=made["LaunchTemplateId"])
        return made["LaunchTemplateId"]

    def group(self, count: int = 2, name: str = "group", **over: Any) -> str:
        """A group of its own template; it goes with its instances after the test."""
        if "LaunchTemplate" not in over:
            over["LaunchTemplate"] = {"LaunchTemplateId": self.template(), "Version": "1"}
        over = {"AvailabilityZones": ["eu-west-1a", "eu-west-1b"], "MinSize": 0, "MaxSize": 10, **over}
        self.scaling.create_auto_scaling_group(AutoScalingGroupName=name, DesiredCapacity=count, **over)
        self.addCleanup(self.gone, name)
        return name

    def gone(self, name: str) -> None:
        """Deletes a group and waits until it is gone."""
        self.lab("misbehaviour", self.calm())
        try:
            self.scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        except ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "ValidationError")
        self.until(lambda: not self.shown_all(name))

    def shown_all(self, *names: str) -> list[dict[str, Any]]:
        return self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=list(names))["AutoScalingGroups"]

    def shown(self, name: str) -> dict[str, Any]:
        (found,) = self.shown_all(name)
        return found

    def members(self, name: str, state: str = "InService") -> list[str]:
        """The instances of a group in this state."""
        return [i["InstanceId"] for i in self.shown(name)["Instances"] if i["LifecycleState"] == state]

    def settled(self, name: str, count: int) -> list[str]:
        """Waits until a group is exactly so many members in service."""
        self.until(lambda: len(self.members(name)) == len(self.shown(name)["Instances"]) == count)
        return self.members(name)

    def activities(self, name: str) -> list[dict[str, Any]]:
        return self.scaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]


class Groups(ScalingCase):
    def test_members_are_instances_of_the_pinned_version_across_zones(self) -> None:
        security = self.ec2.create_security_group(GroupName="served", Description="d")["GroupId"]
        self.addCleanup(self.ec2.delete_security_group, GroupId=security)
        template = self.template(
            UserData=base64.b64encode(b"#first\n").decode(),
            SecurityGroupIds=[security],
            MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]},
                {"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "volume"}]},
            ],
        )
        self.ec2.create_launch_template_version(
            LaunchTemplateId=template,
            SourceVersion="1",
            LaunchTemplateData={"UserData": base64.b64encode(b"#second\n").decode()},
        )
        latest = self.ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Latest"])
        (latest,) = latest["LaunchTemplateVersions"]
        self.assertEqual((latest["VersionNumber"], latest["LaunchTemplateData"]["ImageId"]), (2, self.base))
        name = self.group(
            4,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
            Tags=[
                {"Key": "kept", "Value": "1", "PropagateAtLaunch": True},
                {"Key": "own", "Value": "1", "PropagateAtLaunch": False},
            ],
        )
        members = self.settled(name, 4)
        for member in self.shown(name)["Instances"]:
            self.assertEqual((member["LaunchTemplate"]["Version"], member["HealthStatus"]), ("1", "Healthy"))
        seen = [self.describe(instance) for instance in members]
        self.assertEqual(sorted(i["Placement"]["AvailabilityZone"] for i in seen), ["eu-west-1a"] * 2 + ["eu-west-1b"] * 2)
        for instance in seen:
            tags = {t["Key"]: t["Value"] for t in instance["Tags"]}
            self.assertEqual((tags["from"], tags["kept"], tags["aws:autoscaling:groupName"]), ("template", "1", name))
            self.assertNotIn("own", tags)
            self.assertEqual([g["GroupId"] for g in instance["SecurityGroups"]], [security])
            self.assertEqual(instance["MetadataOptions"]["InstanceMetadataTags"], "enabled")
            self.assertEqual(self.reality.machines.up[instance["InstanceId"]].user_data, b"#first\n")
        volume = self.ec2.describe_volumes(VolumeIds=[seen[0]["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]])["Volumes"][0]
        self.assertEqual(volume["Tags"], [{"Key": "of", "Value": "volume"}])
        described = self.scaling.describe_auto_scaling_instances(InstanceIds=members)["AutoScalingInstances"]
        self.assertEqual({i["AutoScalingGroupName"] for i in described}, {name})
        self.gone(name)

    def test_a_member_is_pending_until_its_machine_boots(self) -> None:
        self.reality.machines.may_boot.clear()
        self.addCleanup(self.reality.machines.may_boot.set)
        name = self.group(1)
        self.until(lambda: len(self.members(name, "Pending")) == 1)
        self.assertEqual(self.activities(name)[0]["StatusCode"], "InProgress")
        self.reality.machines.may_boot.set()
        self.settled(name, 1)
        self.until(lambda: self.activities(name)[0]["StatusCode"] == "Successful")

    def test_a_group_grows_and_shrinks(self) -> None:
        name = self.group(1)
        first = self.settled(name, 1)
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
        grown = self.settled(name, 3)
        self.assertIn(first[0], grown)
        self.scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, MaxSize=1)
        (left,) = self.settled(name, 1)
        self.assertIn(left, grown)
        self.assertEqual(self.shown(name)["DesiredCapacity"], 1)
        for gone in set(grown) - {left}:
            self.assertEqual(self.state(gone), "terminated")
        causes = [a["Cause"] for a in self.activities(name)]
        self.assertTrue(any("shrinking the capacity from 3 to 2" in c for c in causes), causes)

    def test_the_oldest_version_goes_first(self) -> None:
        template = self.template()
        name = self.group(1, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})
        (old,) = self.settled(name, 1)
        self.ec2.create_launch_template_version(
            LaunchTemplateId=template, LaunchTemplateData={"ImageId": self.base, "InstanceType": "t3.small"}
        )
        self.scaling.update_auto_scaling_group(
            AutoScalingGroupName=name, LaunchTemplate={"LaunchTemplateId": template, "Version": "2"}
        )
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
        both = self.settled(name, 2)
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)
        (left,) = self.settled(name, 1)
        self.assertEqual(both, [old, left])
        self.assertEqual(self.describe(left)["InstanceType"], "t3.small")

    def test_what_was_terminated_or_stopped_by_hand_is_replaced(self) -> None:
        name = self.group(2)
        first, second = self.settled(name, 2)
        self.ec2.terminate_instances(InstanceIds=[first])
        self.ec2.stop_instances(InstanceIds=[second])
        self.until(lambda: not {first, second} & set(self.members(name)) and len(self.members(name)) == 2)
        self.until(lambda: self.state(second) == "terminated")
        self.settled(name, 2)
        self.assertTrue(any("EC2 health check" in a["Cause"] for a in self.activities(name)))

    def test_what_a_user_finds_unhealthy_is_replaced_unless_that_is_suspended(self) -> None:
        name = self.group(1)
        (first,) = self.settled(name, 1)
        self.scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["ReplaceUnhealthy"])
        self.scaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
        self.until(lambda: self.shown(name)["Instances"][0]["HealthStatus"] == "Unhealthy")
        self.assertEqual(self.members(name), [first])
        self.scaling.resume_processes(AutoScalingGroupName=name)
        self.until(lambda: self.members(name) not in ([], [first]))

    def test_a_launch_that_is_refused_says_why_and_is_tried_again(self) -> None:
        self.misbehave(no_capacity=["t3.micro"])
        name = self.group(1)
        self.until(lambda: len(self.activities(name)) > 0)
        activity = self.activities(name)[-1]
        self.assertEqual(activity["StatusCode"], "Failed")
        self.assertIn("sufficient t3.micro capacity", activity["StatusMessage"])
        self.lab("misbehaviour", self.calm())
        self.settled(name, 1)

    def test_an_instance_that_does_not_boot_is_a_failed_activity_and_replaced(self) -> None:
        machines = self.reality.machines
        self.addCleanup(setattr, machines, "fails", False)
        machines.fails = True
        name = self.group(1)
        self.until(lambda: any(a["StatusCode"] == "Failed" for a in self.activities(name)))
        (why,) = {a["StatusMessage"] for a in self.activities(name) if a["StatusCode"] == "Failed"}
        self.assertIn("no room", why)
        machines.fails = False
        self.settled(name, 1)

    def test_an_image_that_went_is_a_failed_activity(self) -> None:
        image = self.ec2.copy_image(SourceImageId=self.base, SourceRegion="eu-west-1", Name="to go")["ImageId"]
        state = lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"]  # noqa: E731
        self.until(lambda: state() == "available")
        template = self.template(ImageId=image)
        name = self.group(0, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})
        self.ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)
        self.until(lambda: len(self.activities(name)) > 0)
        self.assertIn(f"The image ID '{image}' is no longer available", self.activities(name)[-1]["StatusMessage"])
        with self.refused("ValidationError", "You must use a valid fully-formed launch template. The image"):
            self.group(1, "other", LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})

    def test_a_member_is_terminated_with_or_without_a_successor(self) -> None:
        name = self.group(2)
        first, second = self.settled(name, 2)
        done = self.scaling.terminate_instance_in_auto_scaling_group(
            InstanceId=first, ShouldDecrementDesiredCapacity=True
        )["Activity"]
        self.assertIn("shrinking the capacity from 2 to 1", done["Cause"])
        self.assertEqual(self.settled(name, 1), [second])
        self.scaling.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=False)
        self.until(lambda: self.members(name) not in ([], [second]))
        self.scaling.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=1)
        (third,) = self.settled(name, 1)
        with self.refused("ValidationError", "desiredSize equals minSize"):
            self.scaling.terminate_instance_in_auto_scaling_group(InstanceId=third, ShouldDecrementDesiredCapacity=True)

    def test_a_group_with_instances_goes_only_by_force(self) -> None:
        name = self.group(1)
        (instance,) = self.settled(name, 1)
        with self.refused("ResourceInUse"):
            self.scaling.delete_auto_scaling_group(AutoScalingGroupName=name)
        self.scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        self.until(lambda: not self.shown_all(name))
        self.assertEqual(self.state(instance), "terminated")
        with self.refused("ValidationError", "not found"):
            self.scaling.delete_auto_scaling_group(AutoScalingGroupName=name)
        past = self.scaling.describe_scaling_activities(AutoScalingGroupName=name, IncludeDeletedGroups=True)["Activities"]
        self.assertGreaterEqual(len(past), 2)


    def test_the_policy_says_who_goes(self) -> None:
        name = self.group(1, AvailabilityZones=["eu-west-1a"], TerminationPolicies=["NewestInstance"])
        (old,) = self.settled(name, 1)
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
        self.settled(name, 2)
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)
        self.assertEqual(self.settled(name, 1), [old])

    def test_instances_join_and_leave_a_group_alive(self) -> None:
        name, instance = self.group(0), self.run_one()
        self.until(lambda: self.state(instance) == "running")
        self.scaling.attach_instances(AutoScalingGroupName=name, InstanceIds=[instance])
        self.assertEqual(self.settled(name, 1), [instance])
        self.scaling.detach_instances(
            AutoScalingGroupName=name, InstanceIds=[instance], ShouldDecrementDesiredCapacity=True
        )
        self.settled(name, 0)
        self.assertEqual(self.state(instance), "running")


class Requests(ScalingCase):
    def test_what_cannot_be_is_refused(self) -> None:
        template = {"LaunchTemplateId": self.template(), "Version": "1"}
        name = self.group(0, MaxSize=2, LaunchTemplate=template)
        with self.refused("AlreadyExists"):
            self.group(0, name, LaunchTemplate=template)
        with self.refused("ValidationError", "above max value 2"):
            self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
        with self.refused("ValidationError", "Desired capacity:5"):
            self.scaling.update_auto_scaling_group(AutoScalingGroupName=name, DesiredCapacity=5)
        with self.refused("ValidationError", "Target Groups may not be valid"):
            no = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/no/1"
            self.group(0, "other", LaunchTemplate=template, TargetGroupARNs=[no])
        with self.refused("ValidationError", "You must use a valid fully-formed launch template"):
            self.group(0, "other", LaunchTemplate={"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1"})
        with self.refused("ValidationError", "AutoScalingGroup name not found"):
            self.scaling.set_desired_capacity(AutoScalingGroupName="nobody", DesiredCapacity=3)

    def test_members_have_the_template_s_profile_which_must_be_there(self) -> None:
        iam = self.client("iam")
        arn = iam.create_instance_profile(InstanceProfileName="servers")["InstanceProfile"]["Arn"]
        self.addCleanup(iam.delete_instance_profile, InstanceProfileName="servers")
        for number, named in enumerate(({"Arn": arn}, {"Name": "servers"})):
            name = self.group(1, f"profile-{number}", LaunchTemplate=self.with_profile(**named))
            (member,) = self.settled(name, 1)
            self.assertEqual(self.describe(member)["IamInstanceProfile"]["Arn"], arn)
        for named in ({"Arn": arn + "-gone"}, {"Name": "nobody"}):
            with self.refused("ValidationError", "Invalid IAM Instance Profile"):
                self.group(0, "other", LaunchTemplate=self.with_profile(**named))

    def with_profile(self, **named: str) -> dict[str, str]:
        """A template of its own."""
        data = {"ImageId": self.base, "InstanceType": "t3.micro", "IamInstanceProfile": named}
        name = "profile of " + "".join(c for c in "".join(named.values()) if c.isalnum())
        made = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]
        self.addCleanup(self.ec2.delete_launch_template, LaunchTemplateId=made["LaunchTemplateId"])
        return {"LaunchTemplateId": made["LaunchTemplateId"], "Version": "1"}

    def test_what_fails_in_the_lab_is_told_as_the_lab_s_failure(self) -> None:
        backend = autoscaling_backends[DEFAULT_ACCOUNT_ID][REGION]
        with mock.patch.object(backend, "describe_tags", side_effect=RuntimeError("no idea")), mock.patch("sys.stderr"):
            with self.refused("InternalFailure", "the lab failed: RuntimeError('no idea')"):
                self.scaling.describe_tags()

    def test_groups_are_found_by_tags_in_pages(self) -> None:
        template = {"LaunchTemplateId": self.template(), "Version": "1"}
        for number in range(5):
            tags = [{"Key": "project", "Value": "odd" if number % 2 else "even", "PropagateAtLaunch": False}]
            self.group(0, f"paged-{number}", LaunchTemplate=template, Tags=tags)
        pages = self.scaling.get_paginator("describe_auto_scaling_groups").paginate(
            Filters=[{"Name": "tag:project", "Values": ["even"]}], PaginationConfig={"PageSize": 2}
        )
        found = [[g["AutoScalingGroupName"] for g in page["AutoScalingGroups"]] for page in pages]
        self.assertEqual(found, [["paged-0", "paged-2"], ["paged-4"]])
        self.scaling.create_or_update_tags(
            Tags=[
                {
                    "ResourceId": "paged-1",
                    "ResourceType": "auto-scaling-group",
                    "Key": "project",
                    "Value": "even",
                    "PropagateAtLaunch": True,
                }
            ]
        )
        tags = self.scaling.describe_tags(Filters=[{"Name": "value", "Values": ["even"]}])["Tags"]
        self.assertEqual({t["ResourceId"] for t in tags}, {"paged-0", "paged-1", "paged-2", "paged-4"})

    def test_new_versions_of_a_template_are_seen_late(self) -> None:
        template = self.template()
        self.misbehave(visibility=60, seed=1)
        self.addCleanup(self.lab, "misbehaviour", self.calm())
        data = self.ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"][0]
        data = data["LaunchTemplateData"]
        self.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)
        with self.refused("ValidationError", "Could not find the specified version 2"):
            self.group(0, LaunchTemplate={"LaunchTemplateId": template, "Version": "2"})
        self.lab("misbehaviour", {"visibility": 0})
        self.group(0, LaunchTemplate={"LaunchTemplateId": template, "Version": "2"})

    def test_new_groups_and_templates_are_seen_late(self) -> None:
        self.misbehave(visibility=60, seed=1)
        made = self.ec2.create_launch_template(
            LaunchTemplateName="late", LaunchTemplateData={"ImageId": self.base, "InstanceType": "t3.micro"}
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.addCleanup(self.ec2.delete_launch_template, LaunchTemplateId=made)
        self.addCleanup(self.lab, "misbehaviour", self.calm())
        with self.refused("InvalidLaunchTemplateId.NotFound"):
            self.ec2.describe_launch_templates(LaunchTemplateIds=[made])
        listed = self.ec2.describe_launch_templates()["LaunchTemplates"]
        self.assertNotIn(made, [t["LaunchTemplateId"] for t in listed])
        self.lab("misbehaviour", {"visibility": 0})
        self.misbehave(visibility=60, seed=1)
        name = self.group(0, LaunchTemplate={"LaunchTemplateId": made, "Version": "1"})
        self.assertEqual(self.shown_all(name), [])
        with self.refused("ValidationError", "not found"):
            self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=1)

    def test_latencies_are_divided(self) -> None:
        self.misbehave(latency_divisor=20)
        name = self.group(1)
        (first,) = self.settled(name, 1)
        self.ec2.terminate_instances(InstanceIds=[first])
        self.assertEqual(self.members(name), [first], "nobody has noticed yet")
        self.until(lambda: self.members(name) not in ([], [first]), 20)
