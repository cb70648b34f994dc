"""Network interfaces, whose addresses are those of machines."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterface


class LabInterface(NetworkInterface):
    """An interface with the hardware address that the machine has."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.private_ip_address:
            self.mac_address = self.ec2_backend.plane.reality.mac(self.private_ip_address)

    def check_auto_public_ip(self) -> None:
        """Where a public address is asked for, it is the private one: there is no other way to the machine."""
        if self.public_ip_auto_assign and str(self.public_ip_auto_assign).lower() == "true":
            self.public_ip = self.private_ip_address
