"""Auto Scaling of one account and region: what requests ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, make_int
from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import EC2ClientError

from .. import unseen as hidden
from ..plane import Plane
from . import launching
from .activity import Activity
from .group import Group
from .keeping import Keeping
from .member import Member


def unseen(name: str) -> str:
    """The name of a group among resources that can be seen late."""
    return f"group {name}"


class LabScaling(AutoScalingBackend):
    """Changes what is wanted; `keeping` does the rest."""

    plane: ClassVar[Plane]
    autoscaling_groups: dict[str, Group]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.keeping = Keeping(self)
        self.past: list[Activity] = []
        """Of groups that are gone."""
        self.plane.keeper.add(self.keeping.step)

    def group(self, name: str) -> Group:
        """The group of this name; Auto Scaling's error when there is none, or it cannot be seen yet."""
        group = self.autoscaling_groups.get(name)
        if group is None or self.plane.visibility.hides(unseen(name)):
            raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup: {name} not found")
        return group

    def create(self, request: dict[str, Any]) -> Group:
        """CreateAutoScalingGroup, with what Auto Scaling refuses."""
        name = request["AutoScalingGroupName"]
        if name in self.autoscaling_groups:
            pending = " and is pending delete" if self.autoscaling_groups[name].deleting else ""
            raise AutoscalingClientError(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists{pending} - A group with the name {name} already exists",
            )
        sources = [make_int(request.get(key)) for key in ("MinSize", "DesiredCapacity", "MaxSize")]
        least, wanted, most = sources
        _check_bounds(least, wanted, most)
        arns = [*(request.get("TargetGroupARNs") or []), *_identifiers(request.get("TrafficSources"))]
        self._check_target_groups(arns)
        kinds = ("LaunchConfigurationName", "LaunchTemplate", "InstanceId", "MixedInstancesPolicy")
        if sum(1 for kind in kinds if request.get(kind)) != 1:
            raise ValidationError(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
                "MixedInstancesPolicy parameter."
            )
        group = self._checked(
            lambda: Group(
                name=name,
                availability_zones=request.get("AvailabilityZones") or [],
                desired_capacity=wanted,
                max_size=most,
                min_size=least,
                launch_config_name=request.get("LaunchConfigurationName"),
                launch_template=self._known_template(request.get("LaunchTemplate")),
                vpc_zone_identifier=request.get("VPCZoneIdentifier") or None,
                default_cooldown=make_int(request.get("DefaultCooldown")),
                health_check_period=make_int(request.get("HealthCheckGracePeriod")) or 0,
                health_check_type=request.get("HealthCheckType") or "EC2",
                load_balancers=list(request.get("LoadBalancerNames") or []),
                target_group_arns=list(dict.fromkeys(arns)),
                placement_group=request.get("PlacementGroup"),
                termination_policies=list(request.get("TerminationPolicies") or []),
                autoscaling_backend=self,
                ec2_backend=self.ec2_backend,
                tags=[dict(tag) for tag in request.get("Tags") or []],
                mixed_instances_policy=request.get("MixedInstancesPolicy"),
                capacity_rebalance=bool(request.get("CapacityRebalance")),
                new_instances_protected_from_scale_in=bool(request.get("NewInstancesProtectedFromScaleIn")),
            )
        )
        self.autoscaling_groups[name] = group
        self.plane.visibility.born(unseen(name))
        self.plane.keeper.poke()
        return group

    def update(self, request: dict[str, Any]) -> None:
        """UpdateAutoScalingGroup: all of it or nothing."""
        group = self.group(request["AutoScalingGroupName"])
        least = _or(make_int(request.get("MinSize")), group.min_size)
        most = _or(make_int(request.get("MaxSize")), group.max_size)
        wanted = make_int(request.get("DesiredCapacity"))
        if wanted is None and least <= most:
            wanted = min(max(int(group.desired_capacity or 0), least), most)
        _check_bounds(least, wanted, most)
        before = dict(vars(group))

        def change() -> Group:
            try:
                group._set_azs_and_vpcs(
                    request.get("AvailabilityZones") or [], request.get("VPCZoneIdentifier") or None, update=True
                )
                if any(request.get(k) for k in ("LaunchTemplate", "LaunchConfigurationName", "MixedInstancesPolicy")):
                    group.ec2_launch_template = group.launch_config = None
                    group.mixed_instances_policy = request.get("MixedInstancesPolicy")
                    template = self._known_template(request.get("LaunchTemplate"))
                    group._set_launch_configuration(
                        request.get("LaunchConfigurationName"), template, group.mixed_instances_policy
                    )
                    group.launch_configuration_name = group.launch_config.name if group.launch_config else None
                    launching.check(group)
            except BaseException:
                vars(group).update(before)
                raise
            return group

        self._checked(change)
        group.min_size, group.max_size = least, most
        for key, attribute in {
            "HealthCheckType": "health_check_type",
            "HealthCheckGracePeriod": "health_check_grace_period",
            "DefaultCooldown": "default_cooldown",
            "TerminationPolicies": "termination_policies",
            "NewInstancesProtectedFromScaleIn": "new_instances_protected_from_scale_in",
            "CapacityRebalance": "capacity_rebalance",
        }.items():
            if request.get(key) is not None:
                setattr(group, attribute, request[key])
        if wanted != group.desired_capacity:
            group.set_desired_capacity(wanted)
        self.plane.keeper.poke()

    def delete(self, name: str, force: bool) -> None:
        """DeleteAutoScalingGroup: with its instances when it is told to, else only an empty one."""
        group = self.group(name)
        if not force and group.instance_states:
            if not group.active():
                raise AutoscalingClientError(
                    "ScalingActivityInProgress",
                    "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
                )
            raise AutoscalingClientError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still "
                "in the group.",
            )
        group.deleting = True
        group.desired_capacity = group.min_size = group.max_size = 0
        for member in list(group.instance_states):
            if not member.leaving:
                self.keeping.retire(
                    group,
                    member,
                    f"Terminating EC2 instance: {member.instance.id}",
                    "an instance was taken out of service in response to a user request to delete the group.",
                )
        if not group.instance_states:
            self.forget(group)
        self.plane.keeper.poke()

    def forget(self, group: Group) -> None:
        """The group is gone; what it did can still be read."""
        self.past = [*group.activities, *self.past]
        self.autoscaling_groups.pop(group.name, None)

    def set_desired_capacity(self, group_name: str, desired_capacity: int | None) -> None:
        """Within the bounds."""
        group = self.group(group_name)
        wanted = int(desired_capacity or 0)
        if wanted > int(group.max_size or 0):
            raise ValidationError(
                f"New SetDesiredCapacity value {wanted} is above max value {group.max_size} for the AutoScalingGroup."
            )
        if wanted < int(group.min_size or 0):
            raise ValidationError(
                f"New SetDesiredCapacity value {wanted} is below min value {group.min_size} for the AutoScalingGroup."
            )
        group.set_desired_capacity(wanted)

    def terminate_member(self, instance_id: str, shrink: bool) -> Activity:
        """TerminateInstanceInAutoScalingGroup."""
        member = self.member(instance_id)
        group = member.auto_scaling_group
        size = int(group.desired_capacity or 0)
        if shrink and size <= int(group.min_size or 0):
            raise ValidationError(
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement will "
                "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
                "group's min size."
            )
        cause = f"instance {instance_id} was taken out of service in response to a user request"
        if shrink and not member.leaving:
            group.desired_capacity = size - 1
            cause += f", shrinking the capacity from {size} to {size - 1}"
        self.plane.keeper.poke()
        if member.leaving:
            return member.activity
        return self.keeping.retire(group, member, f"Terminating EC2 instance: {instance_id}", f"{cause}.")

    def set_health(self, instance_id: str, status: str) -> None:
        """SetInstanceHealth."""
        if status not in ("Healthy", "Unhealthy"):
            raise ValidationError("Valid instance health states are: [Healthy, Unhealthy]")
        member = self.member(instance_id)
        member.health_status, member.unhealthy_because = status, "a user health-check"
        if status == "Healthy":
            member.unhealthy_at = None
        self.plane.keeper.poke()

    def member(self, instance_id: str) -> Member:
        """The member of any group with this instance."""
        for group in self.autoscaling_groups.values():
            member = group.member(instance_id)
            if member is not None:
                return member
        raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")

    def attach_target_groups(self, name: str, arns: list[str]) -> None:
        """Members become targets, now and when they come into service."""
        group = self.group(name)
        self._check_target_groups(arns)
        group.append_target_groups(arns)
        self.keeping._register(group)
        self.plane.keeper.poke()

    def detach_target_groups(self, name: str, arns: list[str]) -> None:
        """Members stop being targets; open requests are given the target group's time."""
        group = self.group(name)
        for arn in arns:
            if arn not in group.target_group_arns:
                raise ValidationError("Trying to remove Target Groups that are not part of the group")
        group.target_group_arns = [arn for arn in group.target_group_arns if arn not in arns]
        for member in group.instance_states:
            for arn in sorted(member.registered & set(arns)):
                self.deregister(arn, member)
                member.registered.discard(arn)
        self.plane.keeper.poke()

    def attach_instances(self, group_name: str, instance_ids: list[str]) -> None:
        """Instances that run become members, and the group as much larger."""
        group = self.group(group_name)
        size = int(group.desired_capacity or 0) + len(instance_ids)
        if size > int(group.max_size or 0):
            raise ValidationError(
                f"AutoScalingGroup {group_name} has max-size={group.max_size}, current-size={group.desired_capacity}. "
                f"Attaching {len(instance_ids)} instances would exceed the max-size."
            )
        for instance_id in instance_ids:
            instance = self.ec2_backend.get_instance(instance_id)
            if instance.state != "running":
                raise ValidationError(f"Instance {instance_id} is not in correct state for attaching.")
            self.ec2_backend.create_tags([instance_id], {"aws:autoscaling:groupName": group_name})
            group.instance_states.append(Member(instance, group, None, None, False))
        group.desired_capacity = size
        self.plane.keeper.poke()

    def detach_instances(self, group_name: str, instance_ids: list[str], should_decrement: bool) -> list[Any]:
        """Instances go on without the group."""
        group = self.group(group_name)
        done = []
        for instance_id in instance_ids:
            member = group.member(instance_id)
            if member is None or member.leaving:
                raise ValidationError(f"The instance {instance_id} is not part of Auto Scaling group {group_name}.")
            for arn in sorted(member.registered):
                self.deregister(arn, member)
            group.instance_states.remove(member)
            self.ec2_backend.delete_tags([instance_id], {"aws:autoscaling:groupName": group_name})
            cause = f"instance {instance_id} was detached in response to a user request."
            activity = group.record(f"Detaching EC2 instance: {instance_id}", cause)
            activity.succeed()
            done.append(activity)
            if should_decrement:
                group.desired_capacity = int(group.desired_capacity or 0) - 1
        self.plane.keeper.poke()
        return done

    def notify_terminate_instances(self, instance_ids: list[str]) -> None:
        """EC2 ends instances; health checks will notice."""
        self.plane.keeper.poke()

    def register(self, arn: str, member: Member) -> None:
        """Makes a member a target; a target group that is gone is none."""
        member.registered.add(arn)
        try:
            self.elbv2_backend.register_targets(arn, [{"Id": member.instance.id}])
        except ServiceException as error:
            member.auto_scaling_group.record("Registering targets", f"it was refused: {error.message}").fail(error.message)

    def deregister(self, arn: str, member: Member) -> None:
        """The opposite; what is no target any more is none."""
        try:
            self.elbv2_backend.deregister_targets(arn, [{"Id": member.instance.id}])
        except ServiceException:
            return

    def draining(self, group: Group, member: Member) -> bool:
        """Whether open requests of this member are still given time; those of an instance that is dead need none."""
        if member.instance.state in ("shutting-down", "terminated"):
            return False
        groups = self.elbv2_backend.target_groups.values()
        return any(target.draining for targets in groups for target in targets.of(member.instance.id))

    def target_state(self, arn: str, member: Member) -> str:
        """How the load balancer finds it: `healthy`, `unhealthy`, …"""
        group = self.elbv2_backend.target_groups.get(arn)
        shown = group.shown([{"Id": member.instance.id}]) if group is not None else []
        return str(shown[0]["TargetHealth"]["State"]) if shown else "unused"

    def _known_template(self, named: dict[str, Any] | None) -> dict[str, Any]:
        if named:
            template = self.ec2_backend.template(named.get("LaunchTemplateName"), named.get("LaunchTemplateId"))
            version = named.get("Version") or ""
            if self.plane.visibility.hides(hidden.version(template.id, version)):
                raise ValidationError(
                    f"Could not find the specified version {version} for the launch template with ID {template.id}."
                )
        return named or {}

    def _check_target_groups(self, arns: list[str]) -> None:
        for arn in arns:
            if arn not in self.elbv2_backend.target_groups or self.plane.visibility.hides(arn):
                raise ValidationError(
                    "Provided Target Groups may not be valid. Please ensure they exist and try again."
                )

    def _checked(self, make: Callable[[], Group]) -> Group:
        """A group whose launches would not be refused out of hand; Auto Scaling's words for EC2's refusals."""
        try:
            group = make()
            group.subnets()
            launching.check(group)
        except EC2ClientError as error:
            if error.code.startswith("InvalidSubnetID"):
                raise ValidationError(error.message) from None
            raise ValidationError(f"You must use a valid fully-formed launch template. {error.message}") from None
        except KeyError as error:
            raise ValidationError(f"Launch configuration name not found - Launch configuration {error} not found") from None
        return group


def _check_bounds(least: int | None, wanted: int | None, most: int | None) -> None:
    if least is None or most is None:
        raise ValidationError("MinSize and MaxSize must be given")
    if least < 0 or most < least:
        raise ValidationError(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if wanted is not None and not least <= wanted <= most:
        raise ValidationError(
            f"Desired capacity:{wanted} must be between the specified min size:{least} and max size:{most}"
        )


def _identifiers(sources: list[dict[str, str]] | None) -> list[str]:
    return [source["Identifier"] for source in sources or []]


def _or(value: int | None, default: int | None) -> int:
    return int(default or 0) if value is None else value
