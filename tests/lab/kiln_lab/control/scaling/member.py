"""An instance as a member of a group."""

from __future__ import annotations

from typing import Any

from moto.autoscaling.models import InstanceState

from .activity import Activity


class Member(InstanceState):
    """`Pending`, `InService`, `Standby`, `Terminating`, and gone when its instance is."""

    def __init__(
        self, instance: Any, group: Any, launch: Activity | None, template: dict[str, Any] | None, protected: bool
    ) -> None:
        """`template` is the launch template's version that it was made from."""
        instance.autoscaling_group = group
        super().__init__(instance, "Pending", "Healthy", protected, group)
        self.activity = launch
        """What goes on with it now."""
        self.template = template
        self.registered: set[str] = set()
        """ARNs of the target groups where the group has registered it."""
        self.in_service_at: float | None = None
        self.unhealthy_at: float | None = None
        """When it was first seen unhealthy, by the monotonic clock."""
        self.unhealthy_because = ""
        self.ended = False
        """Whether EC2 has been asked to terminate it."""

    @property
    def leaving(self) -> bool:
        """Whether it does not count any more."""
        return self.lifecycle_state.startswith("Terminating")

    def shown(self) -> dict[str, Any]:
        """As DescribeAutoScalingGroups and DescribeAutoScalingInstances show it."""
        group = self.auto_scaling_group
        return {
            "InstanceId": self.instance.id,
            "InstanceType": self.instance.instance_type,
            "AvailabilityZone": self.instance.placement.zone,
            "LifecycleState": self.lifecycle_state,
            "HealthStatus": self.health_status,
            "LaunchConfigurationName": group.launch_config.name if group.launch_config else None,
            "LaunchTemplate": self.template,
            "ProtectedFromScaleIn": bool(self.protected_from_scale_in),
        }
