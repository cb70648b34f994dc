"""Block device mappings: what an image says, overlaid by what a request says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.ec2.exceptions import EC2ClientError

Mapping = dict[str, Any]
"""One entry as the API writes it: `DeviceName` and `Ebs`."""


def overlay(base: list[Mapping], request: list[Mapping], root: str) -> list[Mapping]:
    """The devices of `base` as `request` changes them, and those that it adds.

    Errors are EC2's: a snapshot for the root device, a device without a size.
    """
    devices = {m["DeviceName"]: dict(m["Ebs"]) for m in base}
    for mapping in request:
        name = mapping.get("DeviceName")
        if not name:
            raise EC2ClientError("MissingParameter", "The request must contain the parameter deviceName")
        if "NoDevice" in mapping:
            devices.pop(name, None)
            continue
        if mapping.get("VirtualName"):
            continue
        ebs = {k: v for k, v in mapping.get("Ebs", {}).items() if v is not None}
        known = devices.get(name)
        if known and "SnapshotId" in ebs and ebs["SnapshotId"] != known.get("SnapshotId"):
            what = "cannot be modified on root device" if name == root else "can only be modified on EBS devices"
            raise EC2ClientError("InvalidBlockDeviceMapping", f"snapshotId {what}")
        devices[name] = {**(known or {}), **ebs}
    return [{"DeviceName": name, "Ebs": ebs} for name, ebs in devices.items()]


def sized(mappings: list[Mapping], snapshot_size: Callable[[str], int]) -> list[Mapping]:
    """`mappings` with every size and type filled in; `snapshot_size` gives the GiB of a snapshot or raises."""
    complete = []
    for mapping in mappings:
        ebs = {"VolumeType": "gp2", "Encrypted": False, "DeleteOnTermination": False, **mapping["Ebs"]}
        snapshot = ebs.get("SnapshotId")
        least = snapshot_size(snapshot) if snapshot else None
        size = ebs.get("VolumeSize") or least
        if size is None:
            raise EC2ClientError(
                "InvalidBlockDeviceMapping",
                f"Either snapshot ID or volume size must be provided for: {mapping['DeviceName']}",
            )
        if least is not None and int(size) < least:
            raise EC2ClientError(
                "InvalidBlockDeviceMapping",
                f"Volume of size {size}GB is smaller than snapshot '{snapshot}', expect size >= {least}GB",
            )
        complete.append({"DeviceName": mapping["DeviceName"], "Ebs": {**ebs, "VolumeSize": int(size)}})
    return complete
