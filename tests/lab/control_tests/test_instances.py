"""States of instances follow machines."""

from __future__ import annotations

import base64

from .case import ControlCase


class Instances(ControlCase):
    def test_an_instance_is_pending_until_its_machine_boots(self) -> None:
        machines = self.reality.machines
        machines.may_boot.clear()
        self.addCleanup(machines.may_boot.set)
        instance = self.run_one()
        self.assertEqual(self.state(instance), "pending")
        machines.may_boot.set()
        self.until(lambda: self.state(instance) == "running")
        self.assertIn(instance, machines.up)

    def test_the_machine_gets_address_key_and_user_data_of_the_instance(self) -> None:
        self.ec2.create_key_pair(KeyName="mine", KeyType="ed25519")
        self.addCleanup(self.ec2.delete_key_pair, KeyName="mine")
        instance = self.run_one(KeyName="mine", UserData="#cloud-config\n")
        self.until(lambda: self.state(instance) == "running")
        machine = self.reality.machines.up[instance]
        seen = self.describe(instance)
        self.assertEqual(machine.address, seen["PrivateIpAddress"])
        self.assertEqual(machine.address, seen["PublicIpAddress"])
        self.assertTrue(machine.public_keys[0].startswith("ssh-ed25519 "))
        self.assertEqual(machine.user_data, b"#cloud-config\n")
        self.assertEqual(machine.root_volume_id, seen["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])
        self.assertEqual(seen["SecurityGroups"][0]["GroupName"], "default")
        self.assertEqual(seen["MetadataOptions"]["HttpTokens"], "required")
        text = self.ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")["UserData"]["Value"]
        self.assertEqual(base64.b64decode(text), b"#cloud-config\n")

    def test_a_stopped_instance_starts_again_at_its_address(self) -> None:
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "running")
        before = self.describe(instance)["PrivateIpAddress"]
        change = self.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
        self.assertEqual((change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("running", "stopping"))
        self.until(lambda: self.state(instance) == "stopped")
        self.assertNotIn(instance, self.reality.machines.up)
        self.ec2.start_instances(InstanceIds=[instance])
        self.until(lambda: self.state(instance) == "running")
        self.assertEqual(self.reality.machines.up[instance].address, before)

    def test_a_terminated_instance_is_shown_for_a_while_and_its_volume_is_gone(self) -> None:
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "running")
        machine = self.reality.machines.up[instance]
        self.end(instance)
        self.assertNotIn(instance, self.reality.machines.known)
        self.until(lambda: machine.root_volume_id not in self.reality.volumes.contents)
        with self.refused("InvalidVolume.NotFound"):
            self.ec2.describe_volumes(VolumeIds=[machine.root_volume_id])
        self.misbehave(latency_divisor=1e9)
        with self.refused("InvalidInstanceID.NotFound"):
            self.ec2.describe_instances(InstanceIds=[instance])

    def test_a_machine_that_powers_itself_off_is_stopped(self) -> None:
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "running")
        self.reality.machines.power_off_from_inside(instance)
        self.until(lambda: self.state(instance) == "stopped")
        self.assertEqual(self.describe(instance)["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")

    def test_a_machine_that_powers_itself_off_is_terminated_when_told_so(self) -> None:
        instance = self.run_one(InstanceInitiatedShutdownBehavior="terminate")
        self.until(lambda: self.state(instance) == "running")
        self.reality.machines.power_off_from_inside(instance)
        self.until(lambda: self.state(instance) == "terminated")

    def test_a_machine_that_does_not_boot_ends_its_instance_with_a_reason(self) -> None:
        self.reality.machines.fails = True
        self.addCleanup(setattr, self.reality.machines, "fails", False)
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "terminated")
        self.assertIn("no room", self.describe(instance)["StateReason"]["Message"])

    def test_a_repeated_client_token_makes_no_second_instance(self) -> None:
        instance = self.run_one(ClientToken="once")
        again = self.ec2.run_instances(
            ImageId=self.base, InstanceType="t3.micro", MinCount=1, MaxCount=1, ClientToken="once"
        )
        self.assertEqual(again["Instances"][0]["InstanceId"], instance)
        with self.refused("IdempotentParameterMismatch"):
            self.ec2.run_instances(
                ImageId=self.base, InstanceType="t3.small", MinCount=1, MaxCount=1, ClientToken="once"
            )
        found = self.ec2.describe_instances(Filters=[{"Name": "client-token", "Values": ["once"]}])["Reservations"]
        self.assertEqual([i["InstanceId"] for r in found for i in r["Instances"]], [instance])

    def test_the_root_volume_is_what_the_request_says(self) -> None:
        instance = self.run_one(
            BlockDeviceMappings=[
                {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "DeleteOnTermination": False}},
                {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 3, "VolumeType": "gp2"}},
            ],
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
                {"ResourceType": "volume", "Tags": [{"Key": "of", "Value": "web"}]},
            ],
        )
        mine = [{"Name": "attachment.instance-id", "Values": [instance]}]
        volumes = {v["Attachments"][0]["Device"]: v for v in self.ec2.describe_volumes(Filters=mine)["Volumes"]}
        self.assertEqual((volumes["/dev/xvda"]["Size"], volumes["/dev/xvda"]["VolumeType"]), (20, "gp3"))
        self.assertEqual((volumes["/dev/sdf"]["Size"], volumes["/dev/sdf"]["VolumeType"]), (3, "gp2"))
        self.assertEqual(volumes["/dev/sdf"]["Tags"], [{"Key": "of", "Value": "web"}])
        self.assertEqual(self.describe(instance)["Tags"], [{"Key": "Name", "Value": "web"}])
        self.end(instance)
        left = self.ec2.describe_volumes(VolumeIds=[volumes["/dev/xvda"]["VolumeId"]])["Volumes"][0]
        self.assertEqual(left["State"], "available")
        self.ec2.delete_volume(VolumeId=left["VolumeId"])

    def test_as_many_are_launched_as_asked_for_and_each_has_its_own_address(self) -> None:
        answer = self.ec2.run_instances(ImageId=self.base, InstanceType="t3.micro", MinCount=1, MaxCount=3)
        ids = [i["InstanceId"] for i in answer["Instances"]]
        for instance in ids:
            self.addCleanup(self.end, instance)
        self.assertEqual(len({i["PrivateIpAddress"] for i in answer["Instances"]}), 3)
        self.ec2.get_waiter("instance_running").wait(InstanceIds=ids, WaiterConfig={"Delay": 1})

    def test_the_console_is_the_machine_s(self) -> None:
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "running")
        self.assertEqual(self.ec2.get_console_output(InstanceId=instance)["Output"], f"{instance} login: ")
        self.assertEqual(self.lab(f"console/{instance}"), {"argv": ["true", instance]})

    def test_status_is_ok_when_the_machine_is_up(self) -> None:
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "running")
        status = self.ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"][0]
        self.assertEqual(status["InstanceStatus"]["Status"], "ok")
        self.assertEqual(status["SystemStatus"]["Status"], "ok")

    def test_auto_scaling_launches_and_ends_machines(self) -> None:
        group = self.ec2.create_security_group(GroupName="scaled", Description="d")["GroupId"]
        self.addCleanup(self.ec2.delete_security_group, GroupId=group)
        template = self.ec2.create_launch_template(
            LaunchTemplateName="web",
            LaunchTemplateData={"ImageId": self.base, "InstanceType": "t3.micro", "SecurityGroupIds": [group]},
        )["LaunchTemplate"]
        subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        scaling = self.client("autoscaling")
        scaling.create_auto_scaling_group(
            AutoScalingGroupName="web",
            LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"},
            MinSize=2,
            MaxSize=2,
            VPCZoneIdentifier=subnet,
        )
        seen = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"][0]
        ids = [i["InstanceId"] for i in seen["Instances"]]
        self.assertEqual(len(ids), 2)
        self.until(lambda: all(i in self.reality.machines.up for i in ids))
        scaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
        self.until(lambda: all(self.state(i) == "terminated" for i in ids))
        self.assertFalse(set(ids) & self.reality.machines.up.keys())
