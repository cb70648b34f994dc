"""Target groups, listeners and targets: what the data plane is told, and what its health checks lead to."""

from __future__ import annotations

import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto.core import DEFAULT_ACCOUNT_ID
from moto.elbv2.models import elbv2_backends

from .case import REGION
from .test_scaling import ScalingCase

BAD = ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]")


class BalancingCase(ScalingCase):
    """A load balancer with a listener and a target group; all of it goes after the test."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.elb = cls.client("elbv2")
        cls.vpc = cls.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        cls.subnets = [s["SubnetId"] for s in cls.ec2.describe_subnets()["Subnets"]]

    def setUp(self) -> None:
        self.addCleanup(self.lab, "misbehaviour", self.calm())

    def target_group(self, name: str = "web", delay: int = 0, **over: Any) -> str:
        request = {"Protocol": "HTTP", "Port": 80, "VpcId": self.vpc, "HealthyThresholdCount": 2, **over}
        arn = self.elb.create_target_group(Name=name, **request)["TargetGroups"][0]["TargetGroupArn"]
        self.addCleanup(self.elb.delete_target_group, TargetGroupArn=arn)
        self.delay(arn, delay)
        return arn

    def delay(self, arn: str, seconds: int) -> None:
        attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}
        self.elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[attribute])

    def balancer(self, name: str = "front", **over: Any) -> str:
        """A load balancer that is active."""
        made = self.elb.create_load_balancer(Name=name, Subnets=self.subnets[:2], **over)["LoadBalancers"][0]
        self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=made["LoadBalancerArn"])
        self.until(lambda: self.elb.describe_load_balancers(Names=[name])["LoadBalancers"][0]["State"]["Code"] == "active")
        return made["LoadBalancerArn"]

    def listener(self, balancer: str, *groups: str, port: int = 80, **over: Any) -> str:
        actions = [{"Type": "forward", "TargetGroupArn": group} for group in groups]
        request = {"Protocol": "HTTP", "DefaultActions": actions, **over}
        return self.elb.create_listener(LoadBalancerArn=balancer, Port=port, **request)["Listeners"][0]["ListenerArn"]

    def running(self) -> tuple[str, str]:
        """An instance that runs, and its address."""
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "running")
        return instance, self.describe(instance)["PrivateIpAddress"]

    def health(self, group: str, *instances: str) -> dict[str, tuple[str, str | None]]:
        """States and reasons by instance."""
        named = {"Targets": [{"Id": instance} for instance in instances]} if instances else {}
        found = self.elb.describe_target_health(TargetGroupArn=group, **named)["TargetHealthDescriptions"]
        return {d["Target"]["Id"]: (d["TargetHealth"]["State"], d["TargetHealth"].get("Reason")) for d in found}

    def served(self, balancer: str) -> dict[str, str]:
        """Whom the data plane forwards to: modes by address."""
        told = self.reality.balancers.told.get(balancer.rpartition("/")[2])
        pools = told.pools if told is not None else ()
        return {server.address: server.mode for pool in pools for server in pool.servers}

    def listeners(self, key: str) -> tuple[Any, ...]:
        """The listeners that the data plane was told of."""
        told = self.reality.balancers.told.get(key)
        return told.listeners if told is not None else ()

    def checked(self, balancer: str, address: str, outcome: Any = None, times: int = 1) -> None:
        """The data plane has checked the target at this address."""
        key = balancer.rpartition("/")[2]
        self.until(lambda: any(c.address == address for c in self.reality.balancers.checks.get(key, ())))
        self.reality.balancers.check(key, address, outcome, times)


class Targets(BalancingCase):
    def test_a_target_is_unused_then_initial_then_healthy_or_not_then_draining_then_gone(self) -> None:
        group, (instance, address) = self.target_group(delay=3), self.running()
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
        self.assertEqual(self.health(group), {instance: ("unused", "Target.NotInUse")})
        balancer = self.balancer()
        self.listener(balancer, group)
        self.assertEqual(self.health(group), {instance: ("initial", "Elb.InitialHealthChecking")})
        self.checked(balancer, address)
        self.until(lambda: self.health(group) == {instance: ("healthy", None)})
        self.checked(balancer, address, BAD)
        self.checked(balancer, address)
        self.checked(balancer, address, BAD, 2)
        self.until(lambda: self.health(group) == {instance: ("unhealthy", BAD[0])})
        self.checked(balancer, address, None, 1)
        self.checked(balancer, address, None, 1)
        self.until(lambda: self.health(group) == {instance: ("healthy", None)})
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
        self.assertEqual(self.health(group), {instance: ("draining", "Target.DeregistrationInProgress")})
        self.until(lambda: self.health(group) == {})
        self.assertEqual(self.health(group, instance), {instance: ("unused", "Target.NotRegistered")})
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": instance}])

    def test_one_failed_check_is_not_unhealthy_and_one_passed_not_healthy_again(self) -> None:
        group, (instance, address), balancer = self.target_group(), self.running(), self.balancer()
        self.listener(balancer, group)
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance}])
        self.checked(balancer, address)
        self.until(lambda: self.health(group)[instance][0] == "healthy")
        self.checked(balancer, address, BAD)
        self.checked(balancer, address)
        self.checked(balancer, address, BAD)
        self.seen_by_now(group)
        self.assertEqual(self.health(group)[instance][0], "healthy")
        self.checked(balancer, address, BAD)
        self.until(lambda: self.health(group)[instance][0] == "unhealthy")
        self.checked(balancer, address)
        self.seen_by_now(group)
        self.assertEqual(self.health(group)[instance][0], "unhealthy")

    def seen_by_now(self, group: str) -> None:
        """Whatever was reported before has been taken in: the keeper has run another step."""
        serving = elbv2_backends[DEFAULT_ACCOUNT_ID][REGION].serving
        self.until(lambda: serving._outcomes.empty())
        with self.server.plane.lock:
            pass

    def test_only_healthy_targets_get_requests_and_all_when_none_is(self) -> None:
        group, balancer = self.target_group(), self.balancer()
        self.listener(balancer, group)
        (one, first), (two, second) = self.running(), self.running()
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one}, {"Id": two}])
        self.until(lambda: self.served(balancer) == {first: "ready", second: "ready"})
        self.checked(balancer, first)
        self.until(lambda: self.served(balancer) == {first: "ready", second: "drain"})
        self.checked(balancer, second)
        self.until(lambda: self.served(balancer) == {first: "ready", second: "ready"})
        self.checked(balancer, first, BAD, 2)
        self.until(lambda: self.served(balancer) == {first: "drain", second: "ready"})
        self.checked(balancer, second, BAD, 2)
        self.until(lambda: self.served(balancer) == {first: "ready", second: "ready"})

    def test_a_target_that_drains_gets_no_new_request_and_keeps_what_it_has(self) -> None:
        group, balancer = self.target_group(delay=60), self.balancer()
        self.listener(balancer, group)
        (one, first), (two, second) = self.running(), self.running()
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one}, {"Id": two}])
        self.checked(balancer, first)
        self.checked(balancer, second)
        self.until(lambda: self.served(balancer) == {first: "ready", second: "ready"})
        self.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": one}])
        self.until(lambda: self.served(balancer) == {first: "drain", second: "ready"})
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one}])
        self.assertEqual(self.health(group)[one][0], "initial", "it is a new target")
        self.checked(balancer, first)
        self.until(lambda: self.served(balancer) == {first: "ready", second: "ready"})

    def test_an_instance_that_stops_or_ends_is_no_target(self) -> None:
        group, balancer = self.target_group(), self.balancer()
        self.listener(balancer, group)
        (one, first), (two, second) = self.running(), self.running()
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one}, {"Id": two}])
        self.until(lambda: set(self.served(balancer)) == {first, second})
        self.ec2.stop_instances(InstanceIds=[one])
        self.until(lambda: self.health(group)[one] == ("unused", "Target.InvalidState"))
        self.until(lambda: set(self.served(balancer)) == {second})
        with self.refused("InvalidTarget", "not in a running state"):
            self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": one, "Port": 81}])
        self.ec2.terminate_instances(InstanceIds=[two])
        self.until(lambda: two not in self.health(group))
        with self.refused("InvalidTarget"):
            self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "i-0123456789abcdef0"}])

    def test_checks_are_as_declared_and_change(self) -> None:
        group = self.target_group(
            HealthCheckPath="/healthz", HealthCheckIntervalSeconds=10, HealthCheckTimeoutSeconds=4, Matcher={"HttpCode": "204"}
        )
        balancer, (instance, address) = self.balancer(), self.running()
        self.listener(balancer, group)
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": instance, "Port": 8080}])
        (check,) = self.checks(balancer, lambda check: check.port == 8080)
        self.assertEqual((check.protocol, check.address, check.path, check.matcher), ("HTTP", address, "/healthz", "204"))
        self.assertEqual((check.interval, check.timeout), (10, 4))
        self.elb.modify_target_group(TargetGroupArn=group, HealthCheckPort="9000", HealthCheckPath="/other")
        (check,) = self.checks(balancer, lambda check: check.port == 9000)
        self.assertEqual(check.path, "/other")
        described = self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        self.assertEqual(described[0]["HealthCheckPort"], "9000")
        self.misbehave(latency_divisor=20)
        (check,) = self.checks(balancer, lambda check: check.interval < 10)
        self.assertEqual((check.interval, check.timeout), (0.5, 1.0))

    def checks(self, balancer: str, like: Any) -> list[Any]:
        """The checks that the data plane makes, once one is like that."""
        key = balancer.rpartition("/")[2]
        made = lambda: list(self.reality.balancers.checks.get(key, ()))  # noqa: E731
        self.until(lambda: any(like(check) for check in made()))
        return made()


class Objects(BalancingCase):
    def test_a_balancer_is_provisioning_then_active_at_an_address(self) -> None:
        self.misbehave(latency_divisor=200)
        made = self.elb.create_load_balancer(Name="slow", Subnets=self.subnets[:2])["LoadBalancers"][0]
        self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=made["LoadBalancerArn"])
        self.assertEqual(made["State"]["Code"], "provisioning")
        self.assertEqual(made["Type"], "application")
        self.until(lambda: self.reality.balancers.addresses.get(made["LoadBalancerArn"].rpartition("/")[2]) == made["DNSName"])
        state = lambda: self.elb.describe_load_balancers(Names=["slow"])["LoadBalancers"][0]["State"]["Code"]  # noqa: E731
        self.until(lambda: state() == "active")
        instance, address = self.running()
        self.assertNotEqual(address, made["DNSName"])

    def test_the_same_once_more_is_the_same_one_and_another_is_refused(self) -> None:
        group, balancer = self.target_group(), self.balancer()
        self.assertEqual(self.balancer(), balancer)
        with self.refused("DuplicateLoadBalancerName"):
            self.balancer(Scheme="internal")
        again = self.elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=self.vpc)["TargetGroups"]
        self.assertEqual(again[0]["TargetGroupArn"], group)
        with self.refused("DuplicateTargetGroupName"):
            self.target_group(Port=81)
        listener = self.listener(balancer, group)
        self.assertEqual(self.listener(balancer, group), listener)
        with self.refused("DuplicateListener"):
            self.listener(balancer, self.target_group("other"))
        with self.refused("TargetGroupAssociationLimit"):
            self.listener(self.balancer("second"), group)

    def test_targets_are_reached_in_the_zones_of_the_balancer_alone(self) -> None:
        group, balancer = self.target_group(), self.balancer()
        self.listener(balancer, group)
        within, beyond = (self.run_one(SubnetId=subnet) for subnet in self.subnets[1:3])
        for instance in (within, beyond):
            self.until(lambda instance=instance: self.state(instance) == "running")
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": within}, {"Id": beyond}])
        self.assertEqual(self.health(group)[beyond], ("unused", "Target.NotInUse"))
        self.assertNotEqual(self.health(group)[within][0], "unused")
        address = {one: self.describe(one)["PrivateIpAddress"] for one in (within, beyond)}
        self.until(lambda: address[within] in self.served(balancer))
        self.assertNotIn(address[beyond], self.served(balancer))
        self.elb.set_subnets(LoadBalancerArn=balancer, Subnets=self.subnets[:3])
        self.assertNotEqual(self.health(group)[beyond][0], "unused")
        self.until(lambda: address[beyond] in self.served(balancer))

    def test_a_network_balancer_leaves_a_zone_before_it_takes_another_subnet_there(self) -> None:
        vpc = self.ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
        subnets = []
        for number, zone in enumerate("aab"):
            request = {"CidrBlock": f"10.99.{number}.0/24", "AvailabilityZone": f"{REGION}{zone}"}
            subnets.append(self.ec2.create_subnet(VpcId=vpc, **request)["Subnet"]["SubnetId"])
            self.addCleanup(self.ec2.delete_subnet, SubnetId=subnets[-1])
        one, other, elsewhere = subnets
        made = self.elb.create_load_balancer(Name="net", Type="network", Subnets=[one, elsewhere])["LoadBalancers"][0]
        balancer = made["LoadBalancerArn"]
        self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=balancer)
        with self.refused("InvalidConfigurationRequest", "already associated"):
            self.elb.set_subnets(LoadBalancerArn=balancer, Subnets=[other, elsewhere])
        self.elb.set_subnets(LoadBalancerArn=balancer, Subnets=[elsewhere])
        zones = self.elb.set_subnets(LoadBalancerArn=balancer, Subnets=[other, elsewhere])["AvailabilityZones"]
        self.assertEqual({zone["SubnetId"] for zone in zones}, {other, elsewhere})

    def test_what_cannot_be_is_refused(self) -> None:
        with self.refused("ValidationError", "two different Availability Zones"):
            self.elb.create_load_balancer(Name="one", Subnets=self.subnets[:1])
        with self.refused("SubnetNotFound"):
            self.elb.create_load_balancer(Name="one", Subnets=["subnet-0123456789abcdef0"])
        with self.refused("InvalidSecurityGroup"):
            self.elb.create_load_balancer(Name="one", Subnets=self.subnets[:2], SecurityGroups=["sg-0123456789abcdef0"])
        group, balancer = self.target_group(), self.balancer()
        self.listener(balancer, group)
        with self.refused("ResourceInUse"):
            self.elb.delete_target_group(TargetGroupArn=group)
        elsewhere = self.client("elbv2", region_name="us-east-1")
        with self.refused("SubnetNotFound"):
            elsewhere.create_load_balancer(Name="one", Subnets=self.subnets[:2])

    def test_a_security_group_is_in_use_until_the_balancer_s_interface_is_gone(self) -> None:
        security = self.ec2.create_security_group(GroupName="front", Description="d")["GroupId"]
        balancer = self.balancer(SecurityGroups=[security])
        with self.refused("DependencyViolation"):
            self.ec2.delete_security_group(GroupId=security)
        self.misbehave(latency_divisor=40)
        self.elb.delete_load_balancer(LoadBalancerArn=balancer)
        with self.refused("DependencyViolation"):
            self.ec2.delete_security_group(GroupId=security)
        filters = [{"Name": "group-id", "Values": [security]}]
        self.until(lambda: not self.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"])
        self.ec2.delete_security_group(GroupId=security)

    def test_new_balancers_and_target_groups_are_seen_late(self) -> None:
        self.misbehave(visibility=60, seed=1)
        group = self.elb.create_target_group(Name="late", Protocol="HTTP", Port=80, VpcId=self.vpc)["TargetGroups"][0]
        arn = group["TargetGroupArn"]
        self.addCleanup(self.elb.delete_target_group, TargetGroupArn=arn)
        self.addCleanup(self.lab, "misbehaviour", self.calm())
        self.assertEqual(self.elb.describe_target_groups()["TargetGroups"], [])
        with self.refused("TargetGroupNotFound"):
            self.elb.describe_target_health(TargetGroupArn=arn)
        made = self.elb.create_load_balancer(Name="late", Subnets=self.subnets[:2])["LoadBalancers"][0]["LoadBalancerArn"]
        self.addCleanup(self.elb.delete_load_balancer, LoadBalancerArn=made)
        self.addCleanup(self.lab, "misbehaviour", self.calm())
        with self.refused("LoadBalancerNotFound"):
            self.elb.describe_load_balancers(Names=["late"])

    def test_calls_are_throttled_and_recorded(self) -> None:
        mark = self.lab("calls?since=0")["mark"]
        self.misbehave(throttle=1)
        with self.refused("Throttling"):
            self.elb.describe_target_groups()
        with self.refused("Throttling"):
            self.scaling.describe_auto_scaling_groups()
        self.lab("misbehaviour", self.calm())
        self.target_group("recorded")
        calls = self.lab(f"calls?since={mark}")["calls"]
        self.assertEqual([c["action"] for c in calls[:3]], ["DescribeTargetGroups", "DescribeAutoScalingGroups", "CreateTargetGroup"])
        self.assertEqual([c["code"] for c in calls[:3]], ["Throttling", "Throttling", None])
        self.assertEqual(calls[2]["parameters"]["Name"], "recorded")

    def test_pages_follow_each_other(self) -> None:
        for number in range(5):
            self.target_group(f"paged-{number}")
        pages = self.elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2})
        names = [g["TargetGroupName"] for page in pages for g in page["TargetGroups"]]
        self.assertEqual(names, [f"paged-{number}" for number in range(5)])

    def test_shares_rules_and_fixed_answers_reach_the_data_plane(self) -> None:
        one, two, balancer = self.target_group("one"), self.target_group("two"), self.balancer()
        weighted = [{"TargetGroupArn": one, "Weight": 9}, {"TargetGroupArn": two, "Weight": 1}]
        listener = self.listener(
            balancer, DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}]
        )
        self.elb.create_rule(
            ListenerArn=listener,
            Priority=7,
            Conditions=[{"Field": "path-pattern", "Values": ["/gone/*"]}],
            Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "410", "MessageBody": "gone"}}],
        )
        key = balancer.rpartition("/")[2]
        self.until(lambda: any(one.rules for one in self.listeners(key)))
        (told,) = self.listeners(key)
        self.assertEqual([share for _, share in told.otherwise.pools], [9, 1])
        self.assertEqual((told.rules[0].conditions[0].patterns, told.rules[0].action.status), (("^/gone/.*$",), 410))
        with self.refused("ValidationError", "not in this lab"):
            self.elb.create_rule(
                ListenerArn=listener,
                Priority=8,
                Conditions=[{"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "x"}]}}],
                Actions=[{"Type": "forward", "TargetGroupArn": one}],
            )
        self.elb.delete_listener(ListenerArn=listener)
        self.until(lambda: self.listeners(key) == ())


    def test_a_certificate_reaches_the_data_plane_with_its_key(self) -> None:
        acm = self.client("acm")
        key, certificate = certified()
        arn = acm.import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"]
        self.addCleanup(acm.delete_certificate, CertificateArn=arn)
        group, balancer = self.target_group(), self.balancer()
        with self.refused("ValidationError", "certificate must be specified"):
            self.listener(balancer, group, port=443, Protocol="HTTPS")
        with self.refused("CertificateNotFound"):
            self.listener(balancer, group, port=443, Protocol="HTTPS", Certificates=[{"CertificateArn": arn[:-1] + "x"}])
        self.listener(balancer, group, port=443, Protocol="HTTPS", Certificates=[{"CertificateArn": arn}])
        key_of = balancer.rpartition("/")[2]
        self.until(lambda: len(self.listeners(key_of)) == 1)
        (listener,) = self.listeners(key_of)
        self.assertIn(key.decode().strip(), listener.pem)
        self.assertIn(certificate.decode().strip(), listener.pem)


def certified() -> tuple[bytes, bytes]:
    """A key and its own certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    built = built.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=2))
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, built.sign(key, hashes.SHA256()).public_bytes(pem)
