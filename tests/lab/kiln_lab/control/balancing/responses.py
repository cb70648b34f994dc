"""Elastic Load Balancing's actions, where moto's differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.elb.responses import ELBResponse
from moto.elbv2.exceptions import (
    ListenerNotFoundError,
    LoadBalancerNotFoundError,
    TargetGroupNotFoundError,
    ValidationError,
)
from moto.elbv2.responses import ELBV2Response

from ..answers import Answers
from .backend import LabBalancing

UNSEEN = {
    ":loadbalancer/": LoadBalancerNotFoundError,
    ":targetgroup/": TargetGroupNotFoundError,
    ":listener/": ListenerNotFoundError,
}
"""What an ARN that the answering replica does not know is called, by its kind."""

PAGE = 400
"""Elements in an answer, at most."""


class LabBalancingResponse(Answers, ELBV2Response):
    """One request. Runs under the control plane's lock."""

    @classmethod
    def dispatch(cls, *args: Any, **kwargs: Any) -> Any:
        """The older service at the same address is moto's alone."""
        if args[0].values.get("Version") == "2012-06-01":
            return ELBResponse.dispatch(*args, **kwargs)
        return super().dispatch(*args, **kwargs)

    @property
    def lab(self) -> LabBalancing:
        """The backend of the request's region."""
        return self.elbv2_backend

    def refuse(self) -> None:
        """Whatever names something unseen fails as if it were not there."""
        for arn in _arns(self.params):
            if self.plane.visibility.hides(arn):
                for kind, error in UNSEEN.items():
                    if kind in arn:
                        raise error()

    def create_load_balancer(self) -> ActionResult:
        """`provisioning` at first."""
        return ActionResult({"LoadBalancers": [self.lab.create(dict(self.params))]})

    def describe_load_balancers(self) -> ActionResult:
        """By ARNs or names, in pages."""
        arns, names = self._get_param("LoadBalancerArns", []), self._get_param("Names", [])
        balancers = self._seen(self.lab.load_balancers.values())
        found = [b for b in balancers if not (arns or names) or b.arn in arns or b.name in names]
        if {*arns} - {b.arn for b in found} or {*names} - {b.name for b in found}:
            raise LoadBalancerNotFoundError()
        shown, marker = self._page(found, lambda balancer: balancer.arn)
        return ActionResult({"LoadBalancers": shown, "NextMarker": marker})

    def describe_target_groups(self) -> ActionResult:
        """By load balancer, ARNs or names, in pages."""
        arns, names = self._get_param("TargetGroupArns", []), self._get_param("Names", [])
        balancer = self._get_param("LoadBalancerArn")
        if sum(map(bool, (arns, names, balancer))) > 1:
            raise ValidationError(
                "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time"
            )
        if balancer and balancer not in self.lab.load_balancers:
            raise LoadBalancerNotFoundError()
        groups = self._seen(self.lab.target_groups.values())
        if balancer:
            groups = [g for g in groups if balancer in g.load_balancer_arns]
        found = [g for g in groups if not (arns or names) or g.arn in arns or g.name in names]
        if {*arns} - {g.arn for g in found} or {*names} - {g.name for g in found}:
            raise TargetGroupNotFoundError()
        shown, marker = self._page(sorted(found, key=lambda g: g.name), lambda group: group.arn)
        return ActionResult({"TargetGroups": shown, "NextMarker": marker})

    def describe_listeners(self) -> ActionResult:
        """In pages."""
        result = super().describe_listeners()
        shown, marker = self._page(self._seen(result.result["Listeners"]), lambda listener: listener.arn)
        return ActionResult({"Listeners": shown, "NextMarker": marker})

    def describe_target_health(self) -> ActionResult:
        """Of those that are named, else of all; those that drain too."""
        group = self.lab._group(self._get_param("TargetGroupArn"))
        return ActionResult({"TargetHealthDescriptions": group.shown(self._get_param("Targets", []))})

    def modify_target_group(self) -> ActionResult:
        """The next checks are made by what it says."""
        result = super().modify_target_group()
        self.plane.keeper.poke()
        return result

    def modify_target_group_attributes(self) -> ActionResult:
        """All attributes are in the answer."""
        super().modify_target_group_attributes()
        self.plane.keeper.poke()
        return ActionResult({"Attributes": self.lab._group(self._get_param("TargetGroupArn")).attributes})

    def delete_listener(self) -> ActionResult:
        """Its port is closed."""
        result = super().delete_listener()
        self.plane.keeper.poke()
        return result

    def delete_rule(self) -> ActionResult:
        """The others go on."""
        for balancer in self.lab.load_balancers.values():
            for listener in balancer.listeners.values():
                listener._non_default_rules.pop(self._get_param("RuleArn"), None)
        self.plane.keeper.poke()
        return EmptyResult()

    def modify_rule(self) -> ActionResult:
        """With what it forwards to."""
        result = super().modify_rule()
        self.plane.keeper.poke()
        return result

    def modify_load_balancer_attributes(self) -> ActionResult:
        """Such as how long a connection may be silent."""
        result = super().modify_load_balancer_attributes()
        self.plane.keeper.poke()
        return result

    def set_security_groups(self) -> ActionResult:
        """Its interface holds them in use."""
        result = super().set_security_groups()
        balancer = self.lab.load_balancers[self._get_param("LoadBalancerArn")]
        groups = [self.lab.ec2_backend.get_security_group_from_id(g) for g in balancer.security_groups]
        balancer.interface._group_set = [group for group in groups if group is not None]
        self.lab.ec2_backend.filtering.step()
        return ActionResult({"SecurityGroupIds": result.result["SecurityGroups"]})

    def _seen(self, everything: Any) -> list[Any]:
        return [one for one in everything if not self.plane.visibility.hides(one.arn)]

    def _page(self, everything: list[Any], key: Callable[[Any], str]) -> tuple[list[Any], str | None]:
        size = int(self._get_param("PageSize") or PAGE)
        return self.page(everything, key, size, self._get_param("Marker"), ValidationError("The marker is not valid"))


def _arns(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith("arn:"):
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _arns(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _arns(inner)
