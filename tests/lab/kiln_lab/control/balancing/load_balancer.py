"""A load balancer with an address on the lab's network."""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import FakeLoadBalancer


class LabLoadBalancer(FakeLoadBalancer):
    """moto's, `provisioning` until its data plane is up. Its DNS name is its address."""

    def __init__(self, *args: Any, interface: Any, **kwargs: Any) -> None:
        """`interface` is what holds its address, and its security groups in use."""
        super().__init__(*args, **kwargs)
        self.interface = interface
        self.applied: Any = None
        """What the data plane was told last."""
        if self.type == "network":
            self.attrs = {k: v for k, v in self.attrs.items() if not k.startswith("routing.")}
        else:
            self.attrs.setdefault("idle_timeout.timeout_seconds", "60")

    @property
    def address(self) -> str:
        """Where its listeners are."""
        return str(self.interface.private_ip_address)

    @property
    def key(self) -> str:
        """Its name for the data plane: the id at the end of its ARN."""
        return self.arn.rpartition("/")[2]

    def activate(self) -> None:
        """moto flips the state when it is looked at; here it follows the data plane."""

    def same(self, scheme: str, kind: str, subnets: list[str], groups: list[str]) -> bool:
        """Whether a request with these settings means this very one."""
        return (self.scheme, self.type, sorted(s.id for s in self.subnets), sorted(self.security_groups)) == (
            scheme,
            kind,
            sorted(subnets),
            sorted(groups),
        )
