"""How requests and answers look to a replica that lags behind."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from moto.ec2.exceptions import EC2ClientError

from .visibility import Visibility

ID = re.compile(r"(i|ami|snap|vol|sg|lt)-[0-9a-f]+")

NOT_FOUND = {
    "i": ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    "ami": ("InvalidAMIID.NotFound", "The image id '[{}]' does not exist"),
    "snap": ("InvalidSnapshot.NotFound", "The snapshot '{}' does not exist."),
    "vol": ("InvalidVolume.NotFound", "The volume '{}' does not exist."),
    "sg": ("InvalidGroup.NotFound", "The security group '{}' does not exist"),
    "lt": (
        "InvalidLaunchTemplateId.NotFound",
        "The specified launch template, with template ID {}, does not exist.",
    ),
    "key": ("InvalidKeyPair.NotFound", "The key pair '{}' does not exist"),
}

LISTS = {"Images", "Instances", "InstanceStatuses", "KeyPairs", "SecurityGroups", "Snapshots", "Volumes"}
"""Members of answers whose elements can be unseen."""


def key(name: str) -> str:
    """The name of a key pair among resources."""
    return f"key-{name}"


def version(template: str, number: int | str) -> str:
    """The name of a launch template's version among resources."""
    return f"{template}:{number}"


def refuse(visibility: Visibility, request: dict[str, Any]) -> None:
    """Raises EC2's error when the request names something unseen. Filters never fail, they just match nothing."""
    named = list(_named({k: v for k, v in request.items() if k not in ("Filters", "Filter", "ClientToken", "UserData")}))
    for name in ("KeyName", "KeyNames"):
        keys = request.get(name) or []
        named += [("key", k) for k in ([keys] if isinstance(keys, str) else keys)]
    for kind, resource in named:
        if visibility.hides(key(resource) if kind == "key" else resource):
            code, text = NOT_FOUND[kind]
            raise EC2ClientError(code, text.format(resource))


def without(visibility: Visibility, result: Any) -> Any:
    """The answer without what is unseen."""
    if not isinstance(result, dict):
        return result
    seen = dict(result)
    for name in LISTS & seen.keys():
        if isinstance(seen[name], list):
            seen[name] = [r for r in seen[name] if not visibility.hides(_id(r))]
    if "Reservations" in seen:
        reservations = []
        for reservation in seen["Reservations"]:
            shown = copy.copy(reservation)
            shown.instances = [i for i in reservation.instances if not visibility.hides(i.id)]
            if shown.instances:
                reservations.append(shown)
        seen["Reservations"] = reservations
    return seen


def _id(resource: Any) -> str:
    return key(resource.key_name) if hasattr(resource, "key_fingerprint") else getattr(resource, "id", "")


def _named(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        match = ID.fullmatch(value)
        if match:
            yield match[1], value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
