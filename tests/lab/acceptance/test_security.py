"""Security groups let in what they say, from the moment at which they say it."""

from __future__ import annotations

import socket
import subprocess
import unittest

from .lab import Lab, shared, until


class Security(unittest.TestCase):
    def test_what_a_group_lets_in_comes_in_from_when_it_does_until_it_no_longer_does(self) -> None:
        lab = shared()
        vpc = lab.aws("ec2", "describe-vpcs", "--filters", "Name=is-default,Values=true")["Vpcs"][0]["VpcId"]
        one, two = (self.group(lab, name, vpc) for name in ("guarded", "friends"))
        instance, address = lab.launch(lab.base(), "--security-group-ids", one)
        friend, _ = lab.launch(lab.base())
        self.addCleanup(lab.terminate, instance, friend)
        self.run_in(lab, instance, "systemd-run --unit=echo python3 -c '" + ECHO + "'")
        self.run_in(lab, instance, "until ss -Hltn sport = 7000 | grep -q .; do sleep 0.02; done")
        self.assertFalse(reaches(address), "dropped, not refused")

        lab.let_in("guarded", 7000, "--cidr", f"{gateway(lab)}/32")
        kept = socket.create_connection((address, 7000), 5)
        self.addCleanup(kept.close)
        self.assertFalse(self.reached_from(lab, friend, address))

        # Its members are meant, whoever they are at the time.
        lab.let_in("guarded", 7000, "--source-group", two)
        self.assertFalse(self.reached_from(lab, friend, address))
        lab.aws("ec2", "modify-instance-attribute", "--instance-id", friend, "--groups", two)
        until(lambda: self.reached_from(lab, friend, address), 10)

        (shown,) = lab.aws("ec2", "describe-security-groups", "--group-ids", one)["SecurityGroups"]
        for permission in shown["IpPermissions"]:
            for block in permission["IpRanges"]:
                lab.aws(
                    *("ec2", "revoke-security-group-ingress", "--group-id", one, "--protocol", "tcp", "--port", "7000"),
                    *("--cidr", block["CidrIp"]),
                )
        until(lambda: not reaches(address), 10)
        kept.sendall(b"still there")
        kept.settimeout(5)
        self.assertEqual(kept.recv(100), b"still there")
        self.assertTrue(self.reached_from(lab, friend, address), "that rule was not revoked")

    def group(self, lab: Lab, name: str, vpc: str) -> str:
        """A security group that lets nobody in."""
        return lab.aws(
            *("ec2", "create-security-group", "--group-name", name, "--description", "acceptance", "--vpc-id", vpc),
        )["GroupId"]

    def run_in(self, lab: Lab, instance: str, script: str) -> None:
        """Runs a script as root in an instance, when it has booted."""
        argv = lab.own(f"console/{instance}")["argv"]
        script = f"systemctl is-system-running --wait >/dev/null; {script}"
        subprocess.run([*argv, "-c", script], check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def reached_from(self, lab: Lab, instance: str, address: str) -> bool:
        """Whether an instance gets a connection."""
        argv = lab.own(f"console/{instance}")["argv"]
        script = f"exec timeout 1 bash -c 'exec 3<>/dev/tcp/{address}/7000'"
        return subprocess.run([*argv, "-c", script], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0


def gateway(lab: Lab) -> str:
    """The host's address, as instances see it."""
    return lab.described["cidr"].replace(".0.0/16", ".0.1")


def reaches(address: str) -> bool:
    """Whether this host gets a connection; one that is refused would be an error."""
    try:
        socket.create_connection((address, 7000), 1).close()
    except TimeoutError:
        return False
    return True


ECHO = """
import socket, threading
server = socket.create_server(("", 7000))
while True:
    made, _ = server.accept()
    threading.Thread(target=lambda made=made: [made.sendall(heard) for heard in iter(lambda: made.recv(100), b"")]).start()
""".strip()
