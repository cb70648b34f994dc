"""What groups do: launch what is missing, end what is too many, replace what does not work.

A step looks at each group once. Everything here is called under the control plane's lock.
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.utils import utcnow

from .. import latency as real
from . import launching
from .group import Group
from .member import Member

GONE = ("shutting-down", "terminated", "stopping", "stopped")
"""States of an instance that does not serve, and will not by itself."""


class Keeping:
    """Brings the groups of one backend to what is wanted of them."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._plane = backend.plane

    def step(self, now: float) -> None:
        """One look at every group."""
        for group in list(self._backend.autoscaling_groups.values()):
            for member in list(group.instance_states):
                if member.leaving:
                    self._leave(group, member)
                else:
                    self._stay(group, member, now)
            self._register(group)
            if group.deleting:
                if not group.instance_states:
                    self._backend.forget(group)
            else:
                self._count(group, now)

    def retire(self, group: Group, member: Member, description: str, cause: str) -> Any:
        """Takes a member out of service: its targets drain first, then its instance ends."""
        if member.activity is not None:
            member.activity.fail("the instance was terminated before it was in service")
        member.lifecycle_state = "Terminating"
        member.activity = group.record(description, cause)
        for arn in sorted(member.registered):
            self._backend.deregister(arn, member)
        member.registered.clear()
        return member.activity

    def _stay(self, group: Group, member: Member, now: float) -> None:
        state = member.instance.state
        if member.lifecycle_state == "Pending":
            if state == "running":
                member.lifecycle_state, member.in_service_at = "InService", now
                group.failures = 0
                if member.activity is not None:
                    member.activity.succeed()
                    member.activity = None
            elif state in GONE:
                reason = member.instance.state_reason.message or "Instance became unhealthy while waiting for it to be running"
                if member.activity is not None:
                    member.activity.fail(f"{reason}. Launching EC2 instance failed.")
                    member.activity = None
                self._postpone(group, now)
                self._end(group, member, "an instance did not come to run.")
            return
        if member.lifecycle_state == "Standby":
            for arn in sorted(member.registered):
                self._backend.deregister(arn, member)
            member.registered.clear()
        if group.suspended("HealthCheck") or member.lifecycle_state != "InService":
            return
        because = self._complaint(group, member, now)
        if because is None:
            if member.unhealthy_at is not None and member.health_status == "Healthy":
                member.unhealthy_at = None
            return
        if member.unhealthy_at is None:
            member.unhealthy_at, member.unhealthy_because = now, because
        if now - member.unhealthy_at < self._plane.latency.of(real.NOTICE):
            return
        member.health_status = "Unhealthy"
        if not (group.suspended("ReplaceUnhealthy") or group.suspended("Terminate")):
            self._end(group, member, f"an instance was taken out of service in response to {because}.")

    def _complaint(self, group: Group, member: Member, now: float) -> str | None:
        state = member.instance.state
        if state in GONE:
            return "an EC2 health check indicating it has been terminated or stopped"
        if member.health_status == "Unhealthy":
            return member.unhealthy_because or "a user health-check"
        grace = self._plane.latency.declared(float(group.health_check_grace_period or 0), real.LEAST_GRACE)
        if "ELB" not in group.health_check_type or now - (member.in_service_at or now) < grace:
            return None
        if any(self._backend.target_state(arn, member) == "unhealthy" for arn in member.registered):
            return "an ELB system health check failure"
        return None

    def _end(self, group: Group, member: Member, cause: str) -> None:
        self.retire(group, member, f"Terminating EC2 instance: {member.instance.id}", cause)
        self._leave(group, member)

    def _leave(self, group: Group, member: Member) -> None:
        """One look at a member that goes: drained, asked to end, gone."""
        instance = member.instance
        if not member.ended and (group.deleting or not self._backend.draining(group, member)):
            member.ended = True
            instance.disable_api_termination = False
            if instance.state not in ("shutting-down", "terminated"):
                instance.terminate()
                self._backend.elbv2_backend.notify_terminate_instances([instance.id])
        if member.ended and instance.state == "terminated":
            group.instance_states.remove(member)
            if member.activity is not None:
                member.activity.succeed()

    def _register(self, group: Group) -> None:
        """Members in service are targets of the group's target groups, and of no other by this group's doing."""
        for member in group.instance_states:
            if member.lifecycle_state != "InService" or member.instance.state != "running":
                continue
            for arn in group.target_group_arns:
                if arn not in member.registered and not group.suspended("AddToLoadBalancer"):
                    self._backend.register(arn, member)

    def _count(self, group: Group, now: float) -> None:
        have, want = len(group.active()), int(group.desired_capacity or 0)
        if have == want:
            group.differs_since = None
            return
        if group.differs_since is None:
            group.differs_since = now
        if now - group.differs_since < self._plane.latency.of(real.SCALE):
            return
        if have < want:
            if not group.suspended("Launch") and now >= group.launch_at:
                self._grow(group, have, want, now)
        elif not group.suspended("Terminate"):
            for number, member in enumerate(group.victims(have - want)):
                at = f"{utcnow():%Y-%m-%dT%H:%M:%SZ}"
                self._end(
                    group,
                    member,
                    "an instance was taken out of service in response to a difference between desired and actual "
                    f"capacity, shrinking the capacity from {have - number} to {have - number - 1}.  At {at} instance "
                    f"{member.instance.id} was selected for termination.",
                )

    def _grow(self, group: Group, have: int, want: int, now: float) -> None:
        for _ in range(want - have):
            activity = group.record(
                "Launching a new EC2 instance",
                "an instance was started in response to a difference between desired and actual capacity, "
                f"increasing the capacity from {have} to {want}.",
            )
            try:
                instance = launching.launch(group, group.emptiest())
            except ServiceException as error:
                activity.fail(f"{error.message.rstrip('.')}. Launching EC2 instance failed.")
                self._postpone(group, now)
                return
            activity.description += f": {instance.id}"
            group.instance_states.append(
                Member(
                    instance,
                    group,
                    activity,
                    launching.template_of(group),
                    bool(group.new_instances_protected_from_scale_in),
                )
            )

    def _postpone(self, group: Group, now: float) -> None:
        """The next launch waits, longer each time; without latencies a second and more."""
        wait = self._plane.latency.of(real.LAUNCH_AGAIN) or 1.0
        group.launch_at = now + wait * 2 ** min(group.failures, 4)
        group.failures += 1
