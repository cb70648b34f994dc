"""A target group, whose targets come, are healthy or not, drain, and go."""

from __future__ import annotations

import time
from typing import Any

from moto.elbv2.exceptions import InvalidTargetError, TargetNotRunning, ValidationError
from moto.elbv2.models import FakeTargetGroup

from .target import HEALTH, Target


class LabTargetGroup(FakeTargetGroup):
    """moto's group, with targets of the lab's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attributes = {key: str(value) for key, value in self.attributes.items()}
        self.registered: dict[tuple[str, int], Target] = {}
        if self.health_check_protocol in ("HTTP", "HTTPS"):
            self.health_check_path = self.health_check_path or "/"

    @property
    def load_balancer_arns(self) -> list[str]:
        """Those whose listeners forward to it."""
        return self.lab.users(self.arn)

    @load_balancer_arns.setter
    def load_balancer_arns(self, arns: list[str]) -> None:
        """moto keeps a list of its own; the listeners know better."""

    @property
    def lab(self) -> Any:
        """The backend that it is in."""
        from moto.elbv2.models import elbv2_backends

        return elbv2_backends[self.account_id][self.region_name]

    @property
    def delay(self) -> float:
        """Seconds for which a deregistered target's open requests are given time, as declared."""
        return float(self.attributes["deregistration_delay.timeout_seconds"])

    def register(self, targets: list[dict[str, Any]]) -> None:
        """All of them or none. One that drains is a new target again."""
        found = [self._found(target) for target in targets]
        for target in found:
            known = self.registered.get((target.id, target.port))
            if known is None or known.draining:
                self.registered[target.id, target.port] = target

    def deregister(self, targets: list[dict[str, Any]]) -> None:
        """What is no target is none; without a port, on every port."""
        for named in targets:
            for target in list(self.registered.values()):
                if target.id == named["Id"] and int(named.get("Port") or target.port) == target.port:
                    self.drain(target)

    def drain(self, target: Target) -> None:
        """No new requests from now on; gone when the group's delay is over."""
        if target.draining:
            return
        delay = self.lab.plane.latency.declared(self.delay)
        if delay <= 0 or not self.load_balancer_arns:
            self.registered.pop((target.id, target.port), None)
        else:
            target.drains_until = time.monotonic() + delay

    def deregister_terminated_instances(self, instance_ids: list[str]) -> None:
        """An instance that ends is deregistered."""
        for target in list(self.registered.values()):
            if target.id in instance_ids:
                self.drain(target)

    def of(self, target_id: str) -> list[Target]:
        """The targets with this id, on all ports."""
        return [target for target in self.registered.values() if target.id == target_id]

    def shown(self, named: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """As DescribeTargetHealth shows those that are named, else all."""
        if not named:
            return [self._shown(target) for target in self.registered.values()]
        shown = []
        for one in named:
            found = [t for t in self.of(one["Id"]) if int(one.get("Port") or t.port) == t.port]
            if found:
                shown += [self._shown(target) for target in found]
            else:
                shown.append(self._health(one["Id"], int(one.get("Port") or self.port), HEALTH["unknown"]))
        return shown

    def _shown(self, target: Target) -> dict[str, Any]:
        used = bool(self.load_balancer_arns)
        health = target.health(used, self.lab.reaches(self, target), self.lab.asked(self, target))
        return self._health(target.id, target.port, health)

    def _health(self, target_id: str, port: int, health: tuple[str, str | None, str | None]) -> dict[str, Any]:
        state, reason, description = health
        where = str(port) if self.health_check_port in (None, "traffic-port") else str(self.health_check_port)
        return {
            "Target": {"Id": target_id, "Port": port},
            "HealthCheckPort": where,
            "TargetHealth": {"State": state, "Reason": reason, "Description": description},
        }

    def _found(self, named: dict[str, Any]) -> Target:
        port, now = int(named.get("Port") or self.port), time.monotonic()
        if self.target_type == "ip":
            return Target(named["Id"], port, named["Id"], None, now)
        if self.target_type != "instance":
            raise ValidationError(f"targets of type '{self.target_type}' are not in this lab")
        instance = self.ec2_backend.get_instance_by_id(named["Id"])
        if instance is None or instance.vpc_id != self.vpc_id:
            raise InvalidTargetError()
        if instance.state != "running":
            raise TargetNotRunning(instance_id=named["Id"])
        return Target(named["Id"], port, instance.private_ip_address, instance, now)
