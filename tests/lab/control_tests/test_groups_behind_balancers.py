"""Members of groups are targets, drain before they end, and are replaced when they are found unhealthy."""

from __future__ import annotations

from .test_balancing import BAD, BalancingCase


class Together(BalancingCase):
    def test_members_are_targets_while_their_group_is_attached(self) -> None:
        group, balancer = self.target_group(), self.balancer()
        self.listener(balancer, group)
        name = self.group(2)
        members = self.settled(name, 2)
        self.assertEqual(self.health(group), {})
        self.scaling.attach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=[group])
        self.assertEqual(set(self.health(group)), set(members))
        states = self.scaling.describe_load_balancer_target_groups(AutoScalingGroupName=name)["LoadBalancerTargetGroups"]
        self.assertEqual(states, [{"LoadBalancerTargetGroupARN": group, "State": "Added"}])
        self.checked(balancer, self.describe(members[0])["PrivateIpAddress"])
        state = lambda: self.scaling.describe_traffic_sources(AutoScalingGroupName=name)["TrafficSources"][0]["State"]  # noqa: E731
        self.until(lambda: state() == "InService")
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=3)
        self.until(lambda: len(self.health(group)) == 3)
        self.scaling.detach_traffic_sources(AutoScalingGroupName=name, TrafficSources=[{"Identifier": group, "Type": "elbv2"}])
        self.assertEqual(self.health(group), {})
        self.assertEqual(self.shown(name)["TargetGroupARNs"], [])
        self.assertEqual(len(self.settled(name, 3)), 3)

    def test_a_member_drains_before_it_ends(self) -> None:
        group, balancer = self.target_group(delay=4), self.balancer()
        self.listener(balancer, group)
        name = self.group(1, TargetGroupARNs=[group])
        (instance,) = self.settled(name, 1)
        self.until(lambda: instance in self.health(group))
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
        self.until(lambda: self.members(name, "Terminating") == [instance])
        self.assertEqual(self.health(group)[instance][0], "draining")
        self.assertEqual(self.state(instance), "running")
        self.until(lambda: self.state(instance) == "terminated")
        self.assertEqual(self.health(group), {})

    def test_an_unhealthy_target_is_replaced_after_the_grace_period_when_that_is_asked_for(self) -> None:
        group, balancer = self.target_group(), self.balancer()
        self.listener(balancer, group)
        kept = self.group(1, "kept", TargetGroupARNs=[group])
        (stays,) = self.settled(kept, 1)
        template = self.shown(kept)["LaunchTemplate"]
        template.pop("LaunchTemplateName")
        name = self.group(
            1, LaunchTemplate=template, TargetGroupARNs=[group], HealthCheckType="ELB", HealthCheckGracePeriod=5
        )
        (goes,) = self.settled(name, 1)
        for instance in (stays, goes):
            self.until(lambda instance=instance: instance in self.health(group))
            self.checked(balancer, self.describe(instance)["PrivateIpAddress"], BAD, 2)
        self.until(lambda: {state for state, _ in self.health(group).values()} == {"unhealthy"})
        self.assertEqual(self.members(name), [goes], "it is given time")
        self.until(lambda: self.members(name) not in ([], [goes]))
        self.assertEqual(self.members(kept), [stays])
        self.assertTrue(any("ELB system health check failure" in a["Cause"] for a in self.activities(name)))
