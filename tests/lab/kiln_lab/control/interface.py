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

    @property
    def network_interface_id(self) -> str:
        """Its id, by the name under which DescribeInstances shows it."""
        return str(self.id)

    @property
    def is_first(self) -> bool:
        """Whether it is an instance's first, which has the instance's groups."""
        return self.instance is not None and self.instance.nics.get(0) is self

    @property
    def group_set(self) -> Any:
        """The security groups that hold for it."""
        return self.instance.security_groups if self.is_first else self._group_set

    def check_auto_public_ip(self) -> None:
        """Where a public address is asked for, it is the private one: there is no other way to the machine."""
        if self.public_ip_auto_assign and str(self.public_ip_auto_assign).lower() == "true":
            self.public_ip = self.private_ip_address
