"""Network interfaces, whose public address is one that can be reached."""

from __future__ import annotations

from moto.ec2.models.elastic_network_interfaces import NetworkInterface


class LabInterface(NetworkInterface):
    """Where a public address is asked for, it is the private one: there is no other way to the machine."""

    def check_auto_public_ip(self) -> None:
        """Called when the interface comes up."""
        if self.public_ip_auto_assign and str(self.public_ip_auto_assign).lower() == "true":
            self.public_ip = self.private_ip_address
