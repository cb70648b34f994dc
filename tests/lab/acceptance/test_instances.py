"""An instance's life by the AWS CLI."""

from __future__ import annotations

import subprocess
import tempfile
import unittest
from pathlib import Path

from .lab import Refused, answers, shared, until


class Instances(unittest.TestCase):
    def test_the_life_of_an_instance(self) -> None:
        lab = shared()
        with tempfile.TemporaryDirectory() as folder:
            host_key = Path(folder) / "host"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", host_key], check=True)
            public = host_key.with_suffix(".pub").read_text().strip()
            private = "".join(f"    {line}\n" for line in host_key.read_text().splitlines())
            user_data = Path(folder) / "user-data"
            user_data.write_text(
                "#cloud-config\n"
                f"ssh_keys:\n  ed25519_private: |\n{private}  ed25519_public: {public}\n"
                "write_files:\n- path: /etc/made-by-user-data\n  content: hello\n"
                "runcmd:\n- [touch, /run/commanded]\n"
            )
            instance, address = lab.launch(
                lab.base(),
                *("--user-data", f"file://{user_data}"),
                *("--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=life}]"),
                *("ResourceType=volume,Tags=[{Key=of,Value=life}]",),
            )
        self.assertEqual(lab.ssh(address, "cat /etc/made-by-user-data; ls /run/commanded"), "hello/run/commanded\n")
        offered = subprocess.run(["ssh-keyscan", "-t", "ed25519", address], capture_output=True, text=True).stdout
        self.assertIn(public.split()[1], offered)

        found = lab.aws("ec2", "describe-instances", "--filters", "Name=tag:Name,Values=life")["Reservations"]
        self.assertEqual([i["InstanceId"] for r in found for i in r["Instances"]], [instance])
        lab.aws("ec2", "wait", "instance-status-ok", "--instance-ids", instance)
        shown = lab.ssh(
            address,
            "t=$(curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)\n"
            "for p in instance-id local-ipv4 placement/availability-zone; do\n"
            "curl -sH \"X-aws-ec2-metadata-token: $t\" http://169.254.169.254/latest/meta-data/$p; echo; done",
        )
        self.assertEqual(shown.split(), [instance, address, "eu-west-1a"])

        before = lab.ssh(address, "cat /proc/sys/kernel/random/boot_id; echo kept | sudo tee /var/kept >/dev/null")
        lab.aws("ec2", "reboot-instances", "--instance-ids", instance)
        until(lambda: self.booted(address) not in ("", before), 60)

        lab.aws("ec2", "stop-instances", "--instance-ids", instance)
        lab.until_states("stopped", instance)
        lab.aws("ec2", "wait", "instance-stopped", "--instance-ids", instance)
        self.assertFalse(answers(address, 22))
        lab.aws("ec2", "start-instances", "--instance-ids", instance)
        lab.until_states("running", instance)
        lab.aws("ec2", "wait", "instance-running", "--instance-ids", instance)
        self.assertEqual(lab.ssh(address, "cat /var/kept"), "kept\n")

        printed = lab.aws("ec2", "get-console-output", "--instance-id", instance, "--latest")["Output"]
        self.assertIn("login:", printed)

        lab._try(address, "admin", "sudo systemctl poweroff")
        lab.until_states("stopped", instance)
        ended = lab.aws("ec2", "describe-instances", "--instance-ids", instance)["Reservations"][0]["Instances"][0]
        self.assertEqual(ended["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")

        lab.aws("ec2", "terminate-instances", "--instance-ids", instance)
        lab.until_states("terminated", instance)
        lab.aws("ec2", "wait", "instance-terminated", "--instance-ids", instance)
        volumes = lab.aws("ec2", "describe-volumes", "--filters", "Name=tag:of,Values=life")["Volumes"]
        self.assertEqual(volumes, [])

    def test_errors_are_ec2_s(self) -> None:
        lab = shared()
        for code, flags in {
            "InvalidAMIID.NotFound": ["--image-id", "ami-0123456789abcdef0", "--instance-type", "t3.micro"],
            "InvalidParameterValue": ["--image-id", lab.base(), "--instance-type", "t9.huge"],
            "InvalidSubnetID.NotFound": ["--image-id", lab.base(), "--subnet-id", "subnet-0123456789abcdef0"],
            "InvalidKeyPair.NotFound": ["--image-id", lab.base(), "--instance-type", "t3.micro", "--key-name", "nobody"],
        }.items():
            with self.subTest(code), self.assertRaises(Refused) as caught:
                lab.aws("ec2", "run-instances", *flags)
            self.assertEqual(caught.exception.code, code)

    @staticmethod
    def booted(address: str) -> str:
        """The boot id, or nothing while it is down."""
        return shared()._try(address, "admin", "cat /proc/sys/kernel/random/boot_id").stdout
