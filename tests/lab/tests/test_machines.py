"""Instances boot, are told who they are, and go on and off."""

from __future__ import annotations

import gzip
import os
import signal
import unittest
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from kiln_lab.errors import LabError

from .case import LabCase, run

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


class Machines(LabCase):
    def test_cloud_config_is_applied_by_cloud_init(self) -> None:
        other = (self.keys / "other.pub").read_text().strip()
        machine = self.launch(
            config=f"""
hostname: from-user-data
users:
  - default
  - name: deploy
    uid: 1500
    ssh_authorized_keys: [{other}]
write_files:
  - path: /etc/written
    permissions: '0640'
    content: written
bootcmd: [ "echo boot > /root/bootcmd" ]
runcmd: [ "echo run > /root/runcmd" ]
"""
        )
        self.booted(machine)
        self.assertEqual(self.ssh(machine, "hostname").strip(), "from-user-data")
        self.assertEqual(self.ssh(machine, "sudo cat /etc/written /root/bootcmd /root/runcmd"), "writtenboot\nrun\n")
        self.assertEqual(self.ssh(machine, "sudo stat -c %a /etc/written").strip(), "640")
        self.assertEqual(self.ssh(machine, "id -u", user="deploy", key="other").strip(), "1500")
        self.assertIn("Permission denied", self.ssh(machine, "true", key="other", check=False))
        self.assertIn('as the user "admin"', self.ssh(machine, "true", user="root", check=False))
        self.assertIn("status: done", self.ssh(machine, "cloud-init status --wait"))

    def test_user_data_may_be_a_script(self) -> None:
        machine = self.launch(user_data=b"#!/bin/sh\necho done by a script > /root/script\necho told the console\n")
        self.booted(machine)
        self.assertIn(b"told the console", self.machines.console(machine.instance_id))
        found = self.machines.enter(machine.instance_id)
        self.assertEqual(_in(found, "cat /root/script"), "done by a script\n")
        self.assertEqual(_in(found, "ls /etc/ssh | grep -c 'ssh_host_.*_key$'"), "4\n")

    def test_user_data_may_be_compressed_parts(self) -> None:
        parts = MIMEMultipart()
        parts.attach(MIMEText(self.cloud_config(), "cloud-config"))
        parts.attach(MIMEText("#!/bin/sh\necho part > /root/part\n", "x-shellscript"))
        machine = self.booted(self.launch(user_data=gzip.compress(parts.as_bytes())))
        self.assertEqual(self.ssh(machine, "sudo cat /root/part"), "part\n")

    def test_metadata_is_what_ec2_shows(self) -> None:
        region = {"placement/region": "eu-west-1"}
        machine = self.launch(metadata={"http-tokens": "required", "ami-id": "ami-12345678", "key-name": "mine", **region})
        ask = """
        url=http://169.254.169.254/latest
        curl -s -o /dev/null -w '%{http_code}\\n' $url/meta-data/
        token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $url/api/token)
        get() { curl -sf -H "X-aws-ec2-metadata-token: $token" $url/$1; echo; }
        for path in instance-id local-ipv4 ami-id placement/region public-keys public-keys/0/openssh-key
        do get meta-data/$path; done
        get meta-data/iam/info || echo no iam
        get dynamic/instance-identity/document | grep -c eu-west-1
        get user-data | head -1
        """
        lines = [line for line in self.ssh(self.booted(machine), ask).splitlines() if line]
        key = (self.keys / "user.pub").read_text().strip()
        expected = ["401", machine.instance_id, machine.address, "ami-12345678", "eu-west-1", "0=mine", key]
        self.assertEqual(lines[:7], expected)
        self.assertEqual(lines[-1], "#cloud-config")

    def test_reboot_keeps_the_disk_and_has_a_new_boot_id(self) -> None:
        machine = self.booted(self.launch())
        before = self.ssh(machine, f"echo kept | sudo tee /root/kept >/dev/null; {BOOT_ID}")
        screen = self.machines.screen(machine.instance_id)
        position = screen.position()
        self.machines.reboot(machine.instance_id)
        self.booted(machine, position)
        between = self.ssh(machine, f"sudo cat /root/kept; {BOOT_ID}")
        position = screen.position()
        self.ssh(machine, "sudo systemctl reboot", check=False)
        self.booted(machine, position)
        after = self.ssh(machine, f"sudo cat /root/kept; {BOOT_ID}")
        self.assertEqual(len({before, between.removeprefix("kept\n"), after.removeprefix("kept\n")}), 3)
        self.assertTrue(between.startswith("kept\n") and after.startswith("kept\n"))
        self.assertEqual(self.exits, [exit for exit in self.exits if exit[0] != machine.instance_id])

    def test_machine_that_powers_itself_off_is_told_of_once_and_starts_again(self) -> None:
        machine = self.booted(self.launch())
        self.ssh(machine, "echo kept | sudo tee /root/kept; sudo poweroff", check=False)
        self.assertEqual(self.await_exit(machine.instance_id), "stopped")
        with self.assertRaises(LabError):
            self.machines.stop(machine.instance_id)
        position = self.machines.screen(machine.instance_id).position()
        self.machines.start(machine)
        self.booted(machine, position)
        self.assertEqual(self.ssh(machine, "sudo cat /root/kept"), "kept\n")
        self.assertEqual([exit for exit in self.exits if exit[0] == machine.instance_id], [(machine.instance_id, "stopped")])

    def test_machine_that_dies_is_told_of_as_failed_and_can_be_started_again(self) -> None:
        machine = self.booted(self.launch())
        leader = self.machines.enter(machine.instance_id)[2]
        os.kill(int(leader), signal.SIGKILL)
        self.assertEqual(self.await_exit(machine.instance_id), "failed")
        position = self.machines.screen(machine.instance_id).position()
        self.machines.start(machine)
        self.booted(machine, position)

    def test_stop_powers_off_in_order_and_nobody_is_told(self) -> None:
        machine = self.booted(
            self.launch(
                config="""
write_files:
  - path: /etc/systemd/system/last.service
    content: |
      [Service]
      Type=oneshot
      RemainAfterExit=yes
      ExecStart=/bin/true
      ExecStop=/bin/sh -c "echo in order > /root/last"
runcmd: [ "systemctl start last" ]
"""
            )
        )
        self.machines.stop(machine.instance_id)
        root = self.volumes.mount(machine.root_volume_id)
        self.assertEqual((root / "root/last").read_text(), "in order\n")
        self.volumes.unmount(machine.root_volume_id)
        self.assertNotIn(machine.instance_id, dict(self.exits))

    def test_machine_can_be_stopped_while_it_begins_to_boot(self) -> None:
        machine = self.launch()
        self.machines.stop(machine.instance_id)
        with self.assertRaises(LabError):
            self.machines.enter(machine.instance_id)

    def test_hardened_image_lets_its_next_instance_in(self) -> None:
        first = self.booted(self.launch())
        identity = self.ssh(first, "cat /etc/machine-id")
        harden = """
        set -e
        echo 'PermitRootLogin no' | sudo tee /etc/ssh/sshd_config.d/10-hardened.conf >/dev/null
        echo 'PasswordAuthentication no' | sudo tee -a /etc/ssh/sshd_config.d/10-hardened.conf >/dev/null
        sudo useradd --uid 1001 --create-home app
        sudo rm -f /etc/ssh/ssh_host_* /home/admin/.ssh/authorized_keys /root/.ssh/authorized_keys
        sudo cloud-init clean --logs --seed
        sudo truncate -s 0 /etc/machine-id
        """
        self.ssh(first, harden)
        self.volumes.snapshot("snap-hardened", first.root_volume_id)
        second = self.booted(self.launch("snap-hardened"))
        self.assertEqual(self.ssh(second, "id -u app; sudo ls /etc/ssh | grep -c 'ssh_host_.*_key$'"), "1001\n1\n")
        self.assertIn("Permission denied", self.ssh(second, "true", user="root", check=False))
        self.assertRegex(self.ssh(second, "cat /etc/machine-id"), "^[0-9a-f]{32}\n$")
        self.assertNotEqual(self.ssh(second, "cat /etc/machine-id"), identity)


def _in(enter: list[str], command: str) -> str:
    return run(*enter[:-1], "-c", command)


if __name__ == "__main__":
    unittest.main()
