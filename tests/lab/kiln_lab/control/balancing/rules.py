"""From moto's listeners, rules and actions to what the data plane is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from moto.elbv2.exceptions import ValidationError

from ...balancing.setup import Action, Condition, Fixed, Forward, Redirect, Rule

SAMPLES = {
    "path-pattern": ("PathPatternConfig", "path -m reg"),
    "host-header": ("HostHeaderConfig", "hdr(host),field(1,:) -i -m reg"),
    "http-request-method": ("HttpRequestMethodConfig", "method -m str"),
    "source-ip": ("SourceIpConfig", "src -m ip"),
}
"""Fields of conditions: where their values are, and how HAProxy matches them."""

PLACES = {"#{protocol}": "%[ssl_fc,iif(https,http)]", "#{host}": "%[hdr(host),field(1,:)]", "#{port}": "%[dst_port]",
          "#{path}": "%[path]", "#{query}": "%[query]"}  # fmt: skip
"""What the parts of a redirect's target mean to HAProxy."""


def check(actions: list[dict[str, Any]], conditions: list[dict[str, Any]] | None = None) -> None:
    """Refuses what the lab's data plane does not do."""
    for action in actions:
        if action.get("Type") not in ("forward", "fixed-response", "redirect"):
            raise ValidationError(f"actions of type '{action.get('Type')}' are not in this lab")
    for condition in conditions or []:
        if condition.get("Field") not in (*SAMPLES, "http-header"):
            raise ValidationError(f"conditions on '{condition.get('Field')}' are not in this lab")


def action_of(actions: list[Any], pool: Callable[[str], str]) -> Action:
    """What is done in the end; `pool` gives the data plane's name of a target group's ARN."""
    data = actions[-1].data if actions else {}
    if data.get("Type") == "fixed-response":
        fixed = data.get("FixedResponseConfig", {})
        return Fixed(int(fixed["StatusCode"]), fixed.get("ContentType") or "text/plain", fixed.get("MessageBody") or "")
    if data.get("Type") == "redirect":
        return _redirect(data.get("RedirectConfig", {}))
    groups = (data.get("ForwardConfig") or {}).get("TargetGroups")
    if not groups:
        groups = [{"TargetGroupArn": data["TargetGroupArn"]}] if data.get("TargetGroupArn") else []
    return Forward(tuple((pool(g["TargetGroupArn"]), int(g.get("Weight", 1))) for g in groups))


def groups_of(actions: list[Any]) -> set[str]:
    """The ARNs of the target groups that an action forwards to."""
    found: list[str] = []
    action_of(actions, lambda arn: found.append(arn) or arn)  # type: ignore[func-returns-value]
    return set(found)


def rule_of(rule: Any, pool: Callable[[str], str]) -> Rule:
    """A rule that is not the default one."""
    return Rule(tuple(_condition(c) for c in rule.conditions), action_of(rule.actions, pool))


def _condition(condition: dict[str, Any]) -> Condition:
    field = condition["Field"]
    if field == "http-header":
        header = condition["HttpHeaderConfig"]
        sample = f"req.fhdr({header['HttpHeaderName']}) -i -m reg"
        return Condition(sample, tuple(_pattern(v) for v in header["Values"]))
    place, sample = SAMPLES[field]
    values = condition.get("Values") or condition[place]["Values"]
    return Condition(sample, tuple(_pattern(v) if sample.endswith("reg") else v for v in values))


def _pattern(wildcards: str) -> str:
    """`*` and `?` as a regular expression."""
    words = {"*": ".*", "?": "."}
    return "^" + "".join(words.get(c) or re.escape(c) for c in wildcards) + "$"


def _redirect(config: dict[str, Any]) -> Redirect:
    target = "{}://{}:{}{}?{}".format(
        str(config.get("Protocol") or "#{protocol}").lower(),
        config.get("Host") or "#{host}",
        config.get("Port") or "#{port}",
        config.get("Path") or "/#{path}",
        config.get("Query") if config.get("Query") is not None else "#{query}",
    ).replace("/#{path}", "#{path}")
    for place, means in PLACES.items():
        target = target.replace(place, means)
    return Redirect(301 if config.get("StatusCode") == "HTTP_301" else 302, target.removesuffix("?"))
