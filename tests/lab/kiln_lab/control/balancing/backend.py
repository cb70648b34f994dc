"""Elastic Load Balancing of one account and region: what requests ask for."""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar

from moto.acm.models import CertificateNotFound, acm_backends
from moto.core.exceptions import ServiceException
from moto.elbv2.exceptions import (
    DuplicateListenerError,
    DuplicateLoadBalancerName,
    DuplicateTargetGroupName,
    ELBClientError,
    ListenerNotFoundError,
    LoadBalancerNotFoundError,
    ResourceInUseError,
    SubnetNotFoundError,
    TargetGroupNotFoundError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeListener
from moto.moto_api._internal import mock_random

from ...errors import LabError
from .. import latency as real
from ..plane import Plane
from . import plan, rules
from .load_balancer import LabLoadBalancer
from .serving import Serving
from .target import Target
from .target_group import LabTargetGroup

PATH = {"application": "app", "network": "net"}
"""What stands in an ARN for the type."""


class LabBalancing(ELBv2Backend):
    """Changes moto's objects; `serving` tells the data plane."""

    plane: ClassVar[Plane]
    target_groups: dict[str, LabTargetGroup]
    load_balancers: dict[str, LabLoadBalancer]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.serving = Serving(self)
        self.plane.keeper.add(self.serving.step)

    def create(self, request: dict[str, Any]) -> LabLoadBalancer:
        """CreateLoadBalancer; the same once more is the same one."""
        name, kind = request["Name"], request.get("Type") or "application"
        if kind not in PATH:
            raise ValidationError(f"load balancers of type '{kind}' are not in this lab")
        scheme = request.get("Scheme") or "internet-facing"
        ids = list(request.get("Subnets") or []) or [m["SubnetId"] for m in request.get("SubnetMappings") or []]
        subnets = self._subnets(ids, kind)
        groups = self._groups(request.get("SecurityGroups") or [], subnets[0].vpc_id, kind)
        for balancer in self.load_balancers.values():
            if balancer.name == name:
                if balancer.same(scheme, kind, ids, groups):
                    return balancer
                raise DuplicateLoadBalancerName()
        key = mock_random.get_random_hex(length=16)
        arn = f"arn:aws:elasticloadbalancing:{self.region_name}:{self.account_id}:loadbalancer/{PATH[kind]}/{name}/{key}"
        interface = self._interface(f"ELB {PATH[kind]}/{name}/{key}", subnets[0], groups)
        balancer = LabLoadBalancer(
            name=name,
            security_groups=groups,
            subnets=subnets,
            vpc_id=subnets[0].vpc_id,
            arn=arn,
            dns_name=interface.private_ip_address,
            state="provisioning",
            scheme=scheme,
            loadbalancer_type=kind,
            ip_address_type=request.get("IpAddressType") or "ipv4",
            interface=interface,
        )
        self.load_balancers[arn] = balancer
        self.tagging_service.tag_resource(arn, request.get("Tags"))
        self.plane.visibility.born(arn)
        self._provision(balancer)
        return balancer

    def delete_load_balancer(self, arn: str) -> None:
        """With its listeners; one that is gone is no error."""
        balancer = self.load_balancers.get(arn)
        if balancer is None:
            return
        if balancer.attrs.get("deletion_protection.enabled") == "true":
            raise ELBClientError(
                "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            )
        del self.load_balancers[arn]
        self.plane.effects.submit(arn, lambda: self.plane.reality.balancers.shut(balancer.key))
        interface = balancer.interface

        def gone() -> None:
            self.ec2_backend.enis.pop(interface.id, None)
            interface.subnet.del_subnet_ip(interface.private_ip_address)

        self.plane.later(arn, self.plane.latency.of(real.INTERFACE_GONE), gone)
        self.plane.keeper.poke()

    def set_subnets(self, arn: str, subnets: list[str], subnet_mappings: list[dict[str, Any]]) -> list[dict[str, str]]:
        """SetSubnets. A network load balancer leaves a zone before it takes another subnet there."""
        balancer = self.load_balancers.get(arn)
        if balancer is None:
            raise LoadBalancerNotFoundError()
        kind = balancer.type or "application"
        found = self._subnets(list(subnets) or [mapping["SubnetId"] for mapping in subnet_mappings], kind)
        has = {subnet.availability_zone: subnet.id for subnet in balancer.subnets}
        if kind == "network" and any(has.get(one.availability_zone, one.id) != one.id for one in found):
            raise ELBClientError(
                "InvalidConfigurationRequest",
                "You cannot specify an additional subnet from an Availability Zone that is already associated with the "
                "load balancer",
            )
        balancer.subnets = found
        self.plane.keeper.poke()
        return [{"ZoneName": subnet.availability_zone, "SubnetId": subnet.id} for subnet in found]

    def reaches(self, group: LabTargetGroup, target: Target) -> bool:
        """Whether the load balancer that forwards to a group stands in a target's zone."""
        return any(plan.reaches(self.load_balancers[arn], target) for arn in self.users(group.arn))

    def create_target_group(self, name: str, **kwargs: Any) -> LabTargetGroup:
        """The same once more is the same one."""
        for group in self.target_groups.values():
            if group.name == name:
                if (group.protocol, str(group.port), group.vpc_id) != (
                    kwargs.get("protocol"),
                    str(kwargs.get("port")),
                    kwargs.get("vpc_id"),
                ):
                    raise DuplicateTargetGroupName()
                return group
        group = super().create_target_group(name, **kwargs)
        self.plane.visibility.born(group.arn)
        return group

    def delete_target_group(self, target_group_arn: str) -> Any:
        """Refused while a listener forwards to it; one that is gone is no error."""
        if target_group_arn not in self.target_groups:
            return None
        if self.users(target_group_arn):
            raise ResourceInUseError(
                f"Target group '{target_group_arn}' is currently in use by a listener or a rule"
            )
        return self.target_groups.pop(target_group_arn)

    def create_listener(self, load_balancer_arn: str, protocol: str, port: str, *args: Any, **kwargs: Any) -> FakeListener:
        """One for each port; the same once more is the same one."""
        balancer = self.load_balancers.get(load_balancer_arn)
        if balancer is None:
            raise LoadBalancerNotFoundError()
        actions = kwargs.get("actions") or []
        rules.check(actions)
        self._check_association(load_balancer_arn, actions)
        for listener in balancer.listeners.values():
            if str(listener.port) == str(port):
                if listener.protocol == protocol and [a.data for a in listener.default_actions] == actions:
                    return listener
                raise DuplicateListenerError()
        if protocol in ("UDP", "TCP_UDP"):
            raise ValidationError(f"listeners of protocol '{protocol}' are not in this lab")
        if protocol in ("HTTPS", "TLS"):
            if not kwargs.get("certificate"):
                raise ValidationError(f"A certificate must be specified for {protocol} listeners")
            self._pem(kwargs["certificate"])
        listener = super().create_listener(load_balancer_arn, protocol, port, *args, **kwargs)
        self.plane.visibility.born(listener.arn)
        self._begin(listener)
        return listener

    def modify_listener(self, arn: str, *args: Any, **kwargs: Any) -> FakeListener:
        """What it forwards to may begin to be checked."""
        actions = kwargs.get("actions") or (args[4] if len(args) > 4 else None) or []
        rules.check(actions)
        listener = self._listener(arn)
        self._check_association(listener.load_balancer_arn, actions)
        listener = super().modify_listener(arn, *args, **kwargs)
        self._begin(listener)
        return listener

    def create_rule(self, listener_arn: str, conditions: Any, priority: Any, actions: Any, tags: Any = None) -> Any:
        """What it forwards to may begin to be checked."""
        rules.check(actions, conditions)
        listener = self._listener(listener_arn)
        self._check_association(listener.load_balancer_arn, actions)
        rule = super().create_rule(listener_arn, conditions, priority, actions, tags)
        self._begin(listener)
        return rule

    def register_targets(self, target_group_arn: str, instances: list[Any]) -> None:
        """Checked first, then served."""
        self._group(target_group_arn).register(instances)
        self.plane.keeper.poke()

    def deregister_targets(self, target_group_arn: str, instances: list[dict[str, Any]]) -> None:
        """No new requests; open ones are given the group's time."""
        self._group(target_group_arn).deregister(instances)
        self.plane.keeper.poke()

    def notify_terminate_instances(self, instance_ids: list[str]) -> None:
        """Instances that end are deregistered."""
        super().notify_terminate_instances(instance_ids)
        self.plane.keeper.poke()

    def users(self, target_group_arn: str) -> list[str]:
        """The load balancers that forward to a target group."""
        return [
            balancer.arn
            for balancer in self.load_balancers.values()
            if any(
                target_group_arn in rules.groups_of(rule.actions)
                for listener in balancer.listeners.values()
                for rule in listener.rules.values()
            )
        ]

    def asked(self, group: LabTargetGroup, target: Target) -> bool:
        """Whether a target's health checks have begun."""
        active = any(self.load_balancers[arn].state == "active" for arn in group.load_balancer_arns)
        return active and plan.asked(target, self.plane.latency, time.monotonic())

    def certificates(self, balancer: LabLoadBalancer) -> dict[str, str]:
        """The certificates of its listeners, with chains and keys, by ARN; one that is gone is left out."""
        found = {}
        for listener in balancer.listeners.values():
            if listener.certificate:
                try:
                    found[listener.certificate] = self._pem(listener.certificate)
                except ELBClientError:
                    continue
        return found

    def _provision(self, balancer: LabLoadBalancer) -> None:
        def up() -> None:
            self.ec2_backend.filtering.settled()
            try:
                self.plane.reality.balancers.open(balancer.key, balancer.address, self.serving.report)
            except LabError as error:
                sys.stderr.write(f"load balancer `{balancer.name}` does not come up: {error}\n")
                with self.plane.lock:
                    balancer.state = "failed"

        def active() -> None:
            if balancer.state == "provisioning":
                balancer.state = "active"
                self.plane.keeper.poke()

        self.ec2_backend.filtering.step()
        self.plane.effects.submit(balancer.arn, up)
        self.plane.later(balancer.arn, self.plane.latency.of(real.PROVISION), active)

    def _begin(self, listener: FakeListener) -> None:
        """Targets of groups that nobody forwarded to are asked for the first time."""
        for rule in listener.rules.values():
            for arn in rules.groups_of(rule.actions):
                group = self.target_groups.get(arn)
                for target in group.registered.values() if group is not None else ():
                    if target.state == "initial":
                        target.begin_anew(time.monotonic())
        self.plane.keeper.poke()

    def _subnets(self, ids: list[str], kind: str) -> list[Any]:
        if not ids:
            raise ValidationError("At least one subnet must be specified")
        try:
            subnets = [self.ec2_backend.get_subnet(subnet_id) for subnet_id in ids]
        except ServiceException:
            raise SubnetNotFoundError() from None
        zones = [subnet.availability_zone for subnet in subnets]
        if len(set(zones)) < len(zones):
            raise ELBClientError(
                "InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
            )
        if kind == "application" and len(zones) < 2:
            raise ValidationError("At least two subnets in two different Availability Zones must be specified")
        return subnets

    def _groups(self, named: list[str], vpc_id: str, kind: str) -> list[str]:
        if not named and kind == "application":
            return [self.ec2_backend.get_default_security_group(vpc_id).id]
        for group_id in named:
            group = self.ec2_backend.get_security_group_from_id(group_id)
            if group is None or group.vpc_id != vpc_id or self.plane.visibility.hides(group_id):
                raise ELBClientError(
                    "InvalidSecurityGroup", f"One or more security groups are invalid: '{group_id}'"
                )
        return list(named)

    def _interface(self, description: str, subnet: Any, groups: list[str]) -> Any:
        self.ec2_backend.keep_addresses_apart(subnet, None)
        address = subnet.get_available_subnet_ip(instance=None)
        interface = self.ec2_backend.create_network_interface(
            subnet, address, group_ids=groups, description=description
        )
        # moto gives it the default group; a network load balancer without groups lets everything in.
        interface._group_set = [group for group in interface._group_set if group.id in groups]
        interface.requester_managed, interface.status = True, "in-use"
        interface.requester_id = "amazon-elb"
        return interface

    def _check_association(self, balancer_arn: str, actions: list[dict[str, Any]]) -> None:
        for action in actions:
            for arn in self._get_target_group_arns_from(action_data=action):
                others = [user for user in self.users(arn) if user != balancer_arn]
                if others:
                    raise ELBClientError(
                        "TargetGroupAssociationLimit",
                        f"The following target groups cannot be associated with more than one load balancer: {arn}",
                    )

    def _group(self, arn: str) -> LabTargetGroup:
        if arn not in self.target_groups:
            raise TargetGroupNotFoundError()
        return self.target_groups[arn]

    def _listener(self, arn: str) -> FakeListener:
        for balancer in self.load_balancers.values():
            if arn in balancer.listeners:
                return balancer.listeners[arn]
        raise ListenerNotFoundError()

    def _pem(self, arn: str) -> str:
        try:
            found = acm_backends[self.account_id][self.region_name].get_certificate(arn)
        except CertificateNotFound:
            raise ELBClientError("CertificateNotFound", f"Certificate '{arn}' not found") from None
        parts = [found.cert, found.chain, found.key]
        return "\n".join((p.decode() if isinstance(p, bytes) else p).strip() for p in parts if p) + "\n"
