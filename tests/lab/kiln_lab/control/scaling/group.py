"""A group: what is wanted of it, who its members are, and what it did."""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.core.utils import utcnow

from . import launching
from .activity import Activity
from .member import Member


class Group(FakeAutoScalingGroup):
    """moto's group, in which nothing happens by itself: `keeping` does what it lacks."""

    instance_states: list[Member]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.activities: list[Activity] = []
        self.differs_since: float | None = None
        """When the number of members was first seen to be wrong, by the monotonic clock."""
        self.failures = 0
        self.launch_at = 0.0
        """Not before this a launch is tried again."""
        self.deleting = False
        super().__init__(*args, **kwargs)
        self.created_time = utcnow()
        # moto looks whether a name was given; here a group has one or none.
        self.launch_configuration_name = self.launch_config.name if self.launch_config else None

    def set_desired_capacity(self, new_capacity: int | None) -> None:
        """What is wanted; the rest follows."""
        self.desired_capacity = self.min_size if new_capacity is None else new_capacity
        self.differs_since = None
        self.launch_at, self.failures = 0.0, 0
        self.autoscaling_backend.plane.keeper.poke()

    def active(self) -> list[Member]:
        """The members that count."""
        return [m for m in self.instance_states if not m.leaving and m.lifecycle_state != "Standby"]

    def active_instances(self) -> list[Member]:
        """What moto calls the members that count."""
        return self.active()

    def suspended(self, process: str) -> bool:
        """Whether this process of the group rests."""
        return process in self._suspended_processes

    def subnets(self) -> list[Any]:
        """Where it launches."""
        if self.vpc_zone_identifier:
            return [self.ec2_backend.get_subnet(s.strip()) for s in self.vpc_zone_identifier.split(",")]
        defaults = self.ec2_backend.get_default_subnets()
        found = [defaults[zone] for zone in self.availability_zones if zone in defaults]
        if not found:
            raise ValidationError("At least one Availability Zone or VPC Subnet is required.")
        return found

    def emptiest(self) -> Any:
        """The subnet in whose zone it has the fewest members; the first of equals."""
        taken = Counter(m.instance.placement.zone for m in self.active())
        return min(self.subnets(), key=lambda subnet: taken[subnet.availability_zone])

    def victims(self, count: int) -> list[Member]:
        """Whom a smaller group lets go: the fullest zone first; there the oldest version, then the oldest instance."""
        left, chosen = list(self.active()), []
        while len(chosen) < count:
            open_to = [m for m in left if not m.protected_from_scale_in]
            if not open_to:
                break
            zones = Counter(m.instance.placement.zone for m in left)
            chosen.append(min(open_to, key=lambda m: self._order(m, zones)))
            left.remove(chosen[-1])
        return chosen

    def record(self, description: str, cause: str) -> Activity:
        """Begins an activity."""
        activity = Activity(self.name, description, cause)
        self.activities.insert(0, activity)
        return activity

    def member(self, instance_id: str) -> Member | None:
        """The member with this instance."""
        return next((m for m in self.instance_states if m.instance.id == instance_id), None)

    def shown(self) -> dict[str, Any]:
        """As DescribeAutoScalingGroups shows it."""
        template = None
        if self.ec2_launch_template is not None and not self.mixed_instances_policy:
            template = {k: v for k, v in self.launch_template.items() if v is not None}
        return {
            "AutoScalingGroupName": self.name,
            "AutoScalingGroupARN": self.arn,
            "LaunchConfigurationName": self.launch_configuration_name,
            "LaunchTemplate": template,
            "MixedInstancesPolicy": self.mixed_instances_policy,
            "MinSize": self.min_size,
            "MaxSize": self.max_size,
            "DesiredCapacity": self.desired_capacity,
            "DefaultCooldown": self.default_cooldown,
            "AvailabilityZones": list(dict.fromkeys(self.availability_zones)),
            "LoadBalancerNames": self.load_balancer_names,
            "TargetGroupARNs": self.target_group_arns,
            "TrafficSources": [{"Identifier": arn, "Type": "elbv2"} for arn in self.target_group_arns],
            "HealthCheckType": self.health_check_type,
            "HealthCheckGracePeriod": self.health_check_grace_period,
            "Instances": [m.shown() for m in self.instance_states],
            "CreatedTime": self.created_time,
            "SuspendedProcesses": [
                {"ProcessName": p, "SuspensionReason": f"User suspended at {self.created_time:%Y-%m-%dT%H:%M:%SZ}"}
                for p in sorted(self._suspended_processes)
            ],
            "PlacementGroup": self.placement_group,
            "VPCZoneIdentifier": self.vpc_zone_identifier or "",
            "EnabledMetrics": self.enabled_metrics,
            "Status": "Delete in progress" if self.deleting else None,
            "Tags": sorted(self.tags, key=lambda tag: tag["Key"]),
            "TerminationPolicies": self.termination_policies,
            "NewInstancesProtectedFromScaleIn": bool(self.new_instances_protected_from_scale_in),
            "ServiceLinkedRoleARN": self.service_linked_role_arn,
            "CapacityRebalance": bool(self.capacity_rebalance),
        }

    def _order(self, member: Member, zones: Counter[str]) -> tuple[Any, ...]:
        """What goes first is least: of the fullest zone, and there as the group's policies say."""
        current = launching.template_of(self)
        started = member.instance.launch_time.timestamp()
        known = {
            "OldestInstance": started,
            "NewestInstance": -started,
            "OldestLaunchTemplate": int((member.template or {}).get("Version", 0)),
            "Default": member.template == current,
        }
        policies = [known[policy] for policy in self.termination_policies if policy in known]
        return (member.health_status == "Healthy", -zones[member.instance.placement.zone], *policies, started)
