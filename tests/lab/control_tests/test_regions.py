"""Several regions of one lab."""

from __future__ import annotations

from .case import ControlCase

ELSEWHERE = "us-east-1"


class Regions(ControlCase):
    """What is in one region is not in another; addresses are of one network."""

    def test_each_has_debian_s_images_under_ids_of_its_own(self) -> None:
        name = "/aws/service/debian/release/12/latest/arm64"

        def newest(region: str) -> str:
            return str(self.client("ssm", region_name=region).get_parameter(Name=name)["Parameter"]["Value"])

        # Nobody has asked anything else of that region.
        found = newest("ap-southeast-2")
        self.assertNotEqual(found, newest("eu-west-1"))
        image = self.client("ec2", region_name="ap-southeast-2").describe_images(ImageIds=[found])["Images"][0]
        self.assertEqual((image["Architecture"], image["State"]), ("arm64", "available"))
        with self.refused("InvalidAMIID.NotFound"):
            self.ec2.describe_images(ImageIds=[found])

    def test_machines_of_two_regions_run_beside_each_other_with_different_addresses(self) -> None:
        there = self.client("ec2", region_name=ELSEWHERE)
        base = next(
            i["ImageId"] for i in there.describe_images()["Images"] if i["Architecture"] == "x86_64" and i["Public"]
        )
        asked = {"InstanceType": "t3.micro", "MinCount": 3, "MaxCount": 3}
        remote = there.run_instances(ImageId=base, **asked)["Instances"]
        ids = [i["InstanceId"] for i in remote]
        self.addCleanup(there.terminate_instances, InstanceIds=ids)
        own = [self.describe(self.run_one()) for _ in range(3)]
        self.assertEqual(len({i["PrivateIpAddress"] for i in [*remote, *own]}), 6)
        shown = {i["id"]: i["region"] for i in self.lab("status")["instances"]}
        self.assertEqual({shown[i] for i in ids}, {ELSEWHERE})
        self.assertEqual({shown[i["InstanceId"]] for i in own}, {"eu-west-1"})
        with self.refused("InvalidInstanceID.NotFound"):
            self.ec2.describe_instances(InstanceIds=ids)
        there.terminate_instances(InstanceIds=ids)
        self.until(lambda: not set(ids) & set(self.reality.machines.up))

    def test_an_image_is_not_launched_in_another_region(self) -> None:
        there = self.client("ec2", region_name=ELSEWHERE)
        with self.refused("InvalidAMIID.NotFound"):
            there.run_instances(ImageId=self.base, InstanceType="t3.micro", MinCount=1, MaxCount=1)
