"""What the data plane of a load balancer is told, from the control plane's objects."""

from __future__ import annotations

from typing import Any

from ...balancing.setup import DRAIN, READY, Check, Listener, Pool, Server, Setup
from .. import latency as real
from ..latency import Latency
from . import rules
from .load_balancer import LabLoadBalancer
from .target import Target
from .target_group import LabTargetGroup


def setup_of(balancer: LabLoadBalancer, groups: dict[str, LabTargetGroup], pems: dict[str, str]) -> Setup:
    """Listeners, and the pools that they forward to. `pems` has the certificates with their keys, by ARN."""
    used = sorted(
        {arn for listener in balancer.listeners.values() for rule in listener.rules.values()
         for arn in rules.groups_of(rule.actions) if arn in groups}  # fmt: skip
    )
    names = {arn: f"b{arn.rpartition('/')[2]}" for arn in used}

    def pool(arn: str) -> str:
        return names[arn]

    listeners = []
    for listener in balancer.listeners.values():
        others = sorted(listener._non_default_rules.values(), key=lambda rule: int(rule.priority))
        default = rules.action_of(listener.default_actions, pool)
        secret = listener.protocol in ("HTTPS", "TLS")
        if secret and listener.certificate not in pems:
            # Never in the clear what was to be encrypted.
            continue
        pem = pems[listener.certificate] if secret else None
        ours = tuple(rules.rule_of(rule, pool) for rule in others)
        listeners.append(Listener(int(listener.port), balancer.type == "application", pem, ours, default))
    pools = tuple(_pool(names[arn], groups[arn], balancer) for arn in used)
    idle = float(balancer.attrs.get("idle_timeout.timeout_seconds", 350))
    return Setup(tuple(sorted(listeners, key=lambda one: one.port)), pools, idle)


def checks_of(groups: list[LabTargetGroup], latency: Latency, now: float) -> frozenset[Check]:
    """The health checks of all targets whose registration is over."""
    return frozenset(
        _check(group, target, latency)
        for group in groups
        for target in group.registered.values()
        if asked(target, latency, now)
    )


def asked(target: Target, latency: Latency, now: float) -> bool:
    """Whether a target is checked by now."""
    begun = now - target.since >= latency.of(real.REGISTER_TARGET)
    return begun and target.serves and not target.draining


def reaches(balancer: LabLoadBalancer, target: Target) -> bool:
    """Whether a load balancer stands in the zone of a target: it forwards to no other."""
    zones = {subnet.availability_zone for subnet in balancer.subnets}
    return target.instance is None or target.instance.placement.zone in zones


def _pool(name: str, group: LabTargetGroup, balancer: LabLoadBalancer) -> Pool:
    reached = [t for t in group.registered.values() if t.serves and reaches(balancer, t)]
    serving = [t for t in reached if not t.draining]
    # When none is healthy the load balancer cannot know better, and asks them all.
    open_to = [t for t in serving if t.state == "healthy"] or serving
    servers = [
        Server(target.name, target.address, target.port, READY if target in open_to else DRAIN)
        for target in reached
    ]
    least = group.attributes.get("load_balancing.algorithm.type") == "least_outstanding_requests"
    return Pool(name, balancer.type == "application", group.protocol in ("HTTPS", "TLS"), least, tuple(servers))


def _check(group: LabTargetGroup, target: Target, latency: Latency) -> Check:
    declared: Any = group.health_check_port
    port = target.port if declared in (None, "traffic-port") else int(declared)
    matcher = getattr(group, "matcher", None) or {}
    default = "200-399" if group.protocol not in ("HTTP", "HTTPS") else "200"
    return Check(
        f"{group.arn} {target.name}",
        str(group.health_check_protocol).replace("TLS", "TCP"),
        target.address,
        port,
        group.health_check_path or "/",
        matcher.get("HttpCode") or default,
        latency.declared(float(group.health_check_interval_seconds)),
        latency.declared(float(group.health_check_timeout_seconds), real.LEAST_TIMEOUT),
    )
