"""Auto Scaling's actions, where moto's differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from ..answers import Answers
from .backend import LabScaling, unseen
from .group import Group


class LabScalingResponse(Answers, AutoScalingResponse):
    """One request. Runs under the control plane's lock."""

    @property
    def lab(self) -> LabScaling:
        """The backend of the request's region."""
        return self.autoscaling_backend

    def create_auto_scaling_group(self) -> ActionResult:
        """Its instances are asked for at once, and run later."""
        self.lab.create(dict(self.params))
        return EmptyResult()

    def update_auto_scaling_group(self) -> ActionResult:
        """Sizes, what is launched from now on, health checks."""
        self.lab.update(dict(self.params))
        return EmptyResult()

    def delete_auto_scaling_group(self) -> ActionResult:
        """With `ForceDelete`."""
        self.lab.delete(self._name(), bool(self._get_param("ForceDelete")))
        return EmptyResult()

    def describe_auto_scaling_groups(self) -> ActionResult:
        """By names or filters, in pages of 50, at most 100."""
        groups = [
            group
            for group in self.lab.describe_auto_scaling_groups(
                self._get_param("AutoScalingGroupNames", []), filters=self._get_param("Filters", [])
            )
            if not self.plane.visibility.hides(unseen(group.name))
        ]
        shown, token = self._page(groups, lambda group: group.name)
        return ActionResult({"AutoScalingGroups": [group.shown() for group in shown], "NextToken": token})

    def describe_auto_scaling_instances(self) -> ActionResult:
        """Of all groups, in pages of 50."""
        wanted = self._get_param("InstanceIds", [])
        members = [
            {**member.shown(), "AutoScalingGroupName": group.name, "HealthStatus": member.health_status.upper()}
            for group in self.lab.autoscaling_groups.values()
            for member in group.instance_states
            if not wanted or member.instance.id in wanted
        ]
        shown, token = self._page(members, lambda member: member["InstanceId"], most=50)
        return ActionResult({"AutoScalingInstances": shown, "NextToken": token})

    def describe_scaling_activities(self) -> ActionResult:
        """Newest first, in pages of 100; of groups that are gone only when asked for."""
        name, ids = self._get_param("AutoScalingGroupName"), self._get_param("ActivityIds", [])
        past = self._get_param("IncludeDeletedGroups")
        groups: list[Group] = list(self.lab.autoscaling_groups.values())
        if name and not past:
            groups = [self.lab.group(name)]
        found = [activity for group in groups for activity in group.activities] + (self.lab.past if past else [])
        found = [a for a in found if (not name or a.group == name) and (not ids or a.id in ids)]
        found.sort(key=lambda activity: activity.start, reverse=True)
        shown, token = self._page(found, lambda activity: activity.id, usual=100)
        return ActionResult({"Activities": [activity.shown() for activity in shown], "NextToken": token})

    def terminate_instance_in_auto_scaling_group(self) -> ActionResult:
        """Its targets drain first."""
        shrink = bool(self._get_param("ShouldDecrementDesiredCapacity"))
        activity = self.lab.terminate_member(self._get_param("InstanceId"), shrink)
        return ActionResult({"Activity": activity.shown()})

    def detach_instances(self) -> ActionResult:
        """They go on without the group."""
        shrink = bool(self._get_param("ShouldDecrementDesiredCapacity"))
        done = self.lab.detach_instances(self._name(), self._get_param("InstanceIds", []), shrink)
        return ActionResult({"Activities": [activity.shown() for activity in done]})

    def set_instance_health(self) -> ActionResult:
        """What a user's own health check found."""
        self.lab.set_health(self._get_param("InstanceId"), self._get_param("HealthStatus"))
        return EmptyResult()

    def attach_load_balancer_target_groups(self) -> ActionResult:
        """By ARN."""
        self.lab.attach_target_groups(self._name(), self._get_param("TargetGroupARNs", []))
        return EmptyResult()

    def detach_load_balancer_target_groups(self) -> ActionResult:
        """By ARN."""
        self.lab.detach_target_groups(self._name(), self._get_param("TargetGroupARNs", []))
        return EmptyResult()

    def describe_load_balancer_target_groups(self) -> ActionResult:
        """With how far each has come."""
        shown, token = self._page(self._sources(), lambda source: source[0], usual=100)
        states = [{"LoadBalancerTargetGroupARN": arn, "State": state} for arn, state in shown]
        return ActionResult({"LoadBalancerTargetGroups": states, "NextToken": token})

    def attach_traffic_sources(self) -> ActionResult:
        """The newer way to attach target groups."""
        self.lab.attach_target_groups(self._name(), self._identifiers())
        return EmptyResult()

    def detach_traffic_sources(self) -> ActionResult:
        """The newer way to detach them."""
        self.lab.detach_target_groups(self._name(), self._identifiers())
        return EmptyResult()

    def describe_traffic_sources(self) -> ActionResult:
        """With how far each has come."""
        shown, token = self._page(self._sources(), lambda source: source[0])
        states = [{"TrafficSource": arn, "Identifier": arn, "Type": "elbv2", "State": s} for arn, s in shown]
        return ActionResult({"TrafficSources": states, "NextToken": token})

    def suspend_processes(self) -> ActionResult:
        """All, or those that are named."""
        self.lab.group(self._name())
        return super().suspend_processes()

    def resume_processes(self) -> ActionResult:
        """All, or those that are named."""
        self.lab.group(self._name())
        result = super().resume_processes()
        self.plane.keeper.poke()
        return result

    def create_or_update_tags(self) -> ActionResult:
        """Of groups that are there."""
        for tag in self._get_param("Tags", []):
            self.lab.group(tag["ResourceId"])
        return super().create_or_update_tags()

    def delete_tags(self) -> ActionResult:
        """Of groups that are there."""
        for tag in self._get_param("Tags", []):
            self.lab.group(tag["ResourceId"])
        return super().delete_tags()

    def describe_tags(self) -> ActionResult:
        """Of all groups, in pages of 50, at most 100."""
        hides = self.plane.visibility.hides
        tags = self.lab.describe_tags(filters=self._get_param("Filters", []))
        tags = [tag for tag in tags if not hides(unseen(tag["ResourceId"]))]
        shown, token = self._page(tags, lambda tag: f"{tag['ResourceId']} {tag['Key']}")
        return ActionResult({"Tags": shown, "NextToken": token})

    def _name(self) -> str:
        return self._get_param("AutoScalingGroupName")

    def _identifiers(self) -> list[str]:
        sources = self._get_param("TrafficSources", [])
        for source in sources:
            if source.get("Type", "elbv2") != "elbv2":
                raise ValidationError(f"traffic sources of type {source['Type']} are not in this lab")
        return [source["Identifier"] for source in sources]

    def _sources(self) -> list[tuple[str, str]]:
        group = self.lab.group(self._name())
        found = []
        for arn in group.target_group_arns:
            members = [m for m in group.active() if m.lifecycle_state == "InService"]
            states = [self.lab.target_state(arn, m) for m in members]
            if "healthy" in states:
                found.append((arn, "InService"))
            else:
                found.append((arn, "Added" if all(arn in m.registered for m in members) else "Adding"))
        return found

    def _page(
        self, everything: list[Any], key: Callable[[Any], str], usual: int = 50, most: int = 100
    ) -> tuple[list[Any], str | None]:
        """What follows the element that the token names."""
        size = int(self._get_param("MaxRecords") or usual)
        if not 1 <= size <= most:
            raise ValidationError(f"MaxRecords must be between 1 and {most}")
        return self.page(everything, key, size, self._get_param("NextToken"), ValidationError("The token is not valid"))
