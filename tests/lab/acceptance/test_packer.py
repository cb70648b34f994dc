"""Packer's amazon-ebs builder, unchanged, bakes on the lab: twice, the second time on what the first made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

from .lab import shared

PACKER = os.environ.get("KILN_LAB_PACKER") or shutil.which("packer") or "packer"


def template(endpoint: str, name: str, source: dict[str, Any], script: list[str], manifest: str) -> dict[str, Any]:
    """A template as users write it, but for the endpoint."""
    return {
        "builders": [
            {
                "type": "amazon-ebs",
                "custom_endpoint_ec2": endpoint,
                "region": "eu-west-1",
                "instance_type": "t3.micro",
                "ssh_username": "admin",
                "ssh_interface": "private_ip",
                "ssh_timeout": "90s",
                "ami_name": name,
                "tags": {"made-by": "packer"},
                "snapshot_tags": {"made-by": "packer"},
                "launch_block_device_mappings": [
                    {"device_name": "/dev/xvda", "volume_type": "gp2", "volume_size": 9, "delete_on_termination": True}
                ],
                **source,
            }
        ],
        "provisioners": [{"type": "shell", "inline": script}],
        "post-processors": [{"type": "manifest", "output": manifest}],
    }


class Packer(unittest.TestCase):
    def bake(self, folder: Path, name: str, source: dict[str, Any], script: list[str]) -> str:
        """Runs Packer and returns the image's id."""
        lab = shared()
        manifest = folder / f"{name}-manifest.json"
        file = folder / f"{name}.json"
        file.write_text(json.dumps(template(lab.described["endpoint"], name, source, script, str(manifest))))
        environment = {**lab.environment, "AWS_POLL_DELAY_SECONDS": "1", "CHECKPOINT_DISABLE": "1", "PACKER_CACHE_DIR": str(folder)}
        ran = subprocess.run(
            [PACKER, "build", "-color=false", str(file)], env=environment, capture_output=True, text=True, timeout=600
        )
        if ran.returncode != 0:
            self.fail(ran.stdout + ran.stderr + lab.printed())
        return json.loads(manifest.read_text())["builds"][-1]["artifact_id"].partition(":")[2]

    def test_packer_bakes_twice_and_the_files_are_there(self) -> None:
        lab = shared()
        debian = {
            "source_ami_filter": {
                "owners": ["136693071363"],
                "filters": {"name": "debian-12-amd64-*", "virtualization-type": "hvm", "root-device-type": "ebs"},
                "most_recent": True,
            }
        }
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            wait = "cloud-init status --wait"
            one = self.bake(folder, "packer-one", debian, [wait, "echo one | sudo tee /srv/one"])
            two = self.bake(
                folder, "packer-two", {"source_ami": one}, [wait, "test -e /srv/one", "echo two | sudo tee /srv/two"]
            )
        image = lab.aws("ec2", "describe-images", "--image-ids", two)["Images"][0]
        self.assertEqual(image["Name"], "packer-two")
        self.assertEqual(image["Tags"], [{"Key": "made-by", "Value": "packer"}])
        self.assertEqual(image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"], 9)
        instance, address = lab.launch(two)
        self.assertEqual(lab.ssh(address, "cat /srv/one /srv/two"), "one\ntwo\n")
        lab.terminate(instance)
        left = lab.own("status")["instances"]
        self.assertEqual([i for i in left if i["state"] not in ("terminated", "shutting-down")], [])
        for made in (one, two):
            snapshots = lab.aws("ec2", "describe-images", "--image-ids", made)["Images"][0]["BlockDeviceMappings"]
            lab.aws("ec2", "deregister-image", "--image-id", made)
            for mapping in snapshots:
                lab.aws("ec2", "delete-snapshot", "--snapshot-id", mapping["Ebs"]["SnapshotId"])
