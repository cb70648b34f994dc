"""What the network is told of security groups: rules and members, as they are now."""

from __future__ import annotations

from typing import Any

from kiln_lab.firewall import Allow, Allowed

from .test_balancing import BalancingCase

ANYWHERE = "0.0.0.0/0"


def tcp(port: int, *sources: str) -> Allowed:
    """One port from each of these."""
    return frozenset(Allow("tcp", port, port, source) for source in sources)


class Filtering(BalancingCase):
    def group(self, name: str, **rule: Any) -> str:
        """A security group, with or without a rule; it goes after the test."""
        made = self.ec2.create_security_group(GroupName=name, Description="filters", VpcId=self.vpc)["GroupId"]
        # Those that name it go before it: in a real account it could not be deleted.
        self.addCleanup(self.ec2.delete_security_group, GroupId=made)
        if rule:
            self.allow(made, **rule)
        return made

    def allow(self, group: str, port: int = 80, **source: Any) -> None:
        """Opens a TCP port."""
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def instance(self, *groups: str) -> tuple[str, str]:
        """One that runs, and its address."""
        instance = self.run_one(SecurityGroupIds=list(groups))
        self.until(lambda: self.state(instance) == "running")
        return instance, self.describe(instance)["PrivateIpAddress"]

    def lets_in(self, address: str, wanted: Allowed | None) -> None:
        """Waits until the network lets in this there."""
        self.until(lambda: self.reality.guards.get(address) == wanted)

    def test_rules_hold_before_an_instance_boots_and_while_it_runs(self) -> None:
        group = self.group("web", IpRanges=[{"CidrIp": "10.1.2.3/8"}])
        self.reality.machines.may_boot.clear()
        self.addCleanup(self.reality.machines.may_boot.set)
        instance = self.run_one(SecurityGroupIds=[group])
        address = self.describe(instance)["PrivateIpAddress"]
        self.lets_in(address, tcp(80, "10.0.0.0/8"))
        self.reality.machines.may_boot.set()
        self.allow(group, 443, IpRanges=[{"CidrIp": ANYWHERE}])
        self.lets_in(address, tcp(80, "10.0.0.0/8") | tcp(443, ANYWHERE))
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.1.2.3/8"}]}
        self.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
        self.lets_in(address, tcp(443, ANYWHERE))

    def test_a_group_means_whoever_is_in_it(self) -> None:
        friends = self.group("friends")
        guarded = self.group("guarded", UserIdGroupPairs=[{"GroupId": friends}])
        _, address = self.instance(guarded)
        self.lets_in(address, frozenset())
        first, there = self.instance(friends)
        self.lets_in(address, tcp(80, there))
        self.ec2.modify_instance_attribute(InstanceId=first, Groups=[guarded])
        self.lets_in(address, frozenset())
        self.lets_in(there, frozenset())
        interface = self.describe(first)["NetworkInterfaces"][0]["NetworkInterfaceId"]
        self.ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[friends])
        self.lets_in(address, tcp(80, there))
        self.assertEqual([g["GroupId"] for g in self.describe(first)["SecurityGroups"]], [friends])
        self.end(first)
        self.lets_in(address, frozenset())
        self.lets_in(there, None)

    def test_a_balancer_is_in_its_groups_and_filtered_by_them(self) -> None:
        front = self.group("front", IpRanges=[{"CidrIp": ANYWHERE}])
        _, address = self.instance(self.group("behind", UserIdGroupPairs=[{"GroupId": front}]))
        balancer = self.balancer(SecurityGroups=[front])
        there = self.reality.balancers.addresses[balancer.rpartition("/")[2]]
        self.lets_in(there, tcp(80, ANYWHERE))
        self.lets_in(address, tcp(80, there))
        other = self.group("other front")
        self.elb.set_security_groups(LoadBalancerArn=balancer, SecurityGroups=[other])
        self.lets_in(there, frozenset())
        self.lets_in(address, frozenset())
        # Its interface has the group, and must be gone before the group is.
        self.elb.delete_load_balancer(LoadBalancerArn=balancer)
        self.lets_in(there, None)

    def test_a_network_balancer_without_groups_lets_everybody_in(self) -> None:
        self.elb.create_load_balancer(Name="raw", Type="network", Subnets=self.subnets[:1])
        balancer = self.elb.describe_load_balancers(Names=["raw"])["LoadBalancers"][0]["LoadBalancerArn"]
        self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=balancer)
        key = balancer.rpartition("/")[2]
        self.until(lambda: key in self.reality.balancers.addresses)
        self.assertIsNone(self.reality.guards.get(self.reality.balancers.addresses[key]))

    def test_the_default_group_lets_in_itself_alone(self) -> None:
        one, address = self.instance()
        _, there = self.instance()
        both = frozenset(Allow("-1", None, None, source) for source in (address, there))
        self.lets_in(address, both)
        (rule,) = self.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"][0][
            "IpPermissions"
        ]
        self.assertEqual([p["GroupId"] for p in rule["UserIdGroupPairs"]], [self.describe(one)["SecurityGroups"][0]["GroupId"]])


if __name__ == "__main__":
    import unittest

    unittest.main()
