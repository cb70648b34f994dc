"""The regions that somebody has asked for something: moto makes each when it is first used."""

from __future__ import annotations

from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends


def regions() -> list[Any]:
    """EC2 in each of them. A region's other services know it by its `region_name`."""
    return list(ec2_backends[DEFAULT_ACCOUNT_ID].values())


def opened(name: str) -> None:
    """Makes a region be there: another service may show what EC2 has published."""
    known = ec2_backends[DEFAULT_ACCOUNT_ID]
    if name in known.regions:
        known[name]
