"""The record of every API call: so that a test can ask which were made, and how many.

Only parameters that name or count things are kept, chosen by a list of what is harmless: never user data, key material, or
the values of parameters and secrets.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HARMLESS = {
    "ActivityIds", "AllocationId", "Architecture", "AttributeName", "AvailabilityZone", "BlockDeviceMapping", "BlockDeviceMappings",
    "BootMode", "ClientToken", "Description", "Device", "DryRun", "Encrypted", "Filter", "Filters", "Force", "GroupId",
    "GroupName", "ImageId", "ImageIds", "ImdsSupport", "InstanceId", "InstanceIds", "InstanceType", "KeyName",
    "LaunchTemplateId", "LaunchTemplateName", "MaxCount", "MaxResults", "MetadataOptions", "MinCount", "Name", "Names",
    "NetworkInterfaceId", "NoReboot", "Owner", "Owners", "Path", "PrivateIpAddress", "ResourceId", "Resources",
    "RootDeviceName", "SecurityGroupId", "SecurityGroupIds", "Size", "SnapshotId", "SnapshotIds", "SourceImageId",
    "SourceRegion", "SubnetId", "Tag", "TagSpecification", "TagSpecifications", "Tags", "Version", "VolumeId", "VolumeIds",
    "VolumeType", "VpcId",
}  # fmt: skip
"""First parts of the parameter names that are recorded."""

LONGEST = 200
"""Characters of a value that are recorded."""


class Calls:
    """Calls in the order in which they were answered, in memory and as lines of JSON in a file."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._calls: list[dict[str, Any]] = []
        self._file = file.open("a", encoding="utf-8", buffering=1)

    def record(
        self, service: str, action: str, parameters: Mapping[str, Any], status: int, code: str | None, seconds: float
    ) -> None:
        """Notes one call; `code` is the error's code, `None` for success."""
        call = {
            "time": round(time.time(), 3),
            "service": service,
            "action": action,
            "parameters": {k: str(v)[:LONGEST] for k, v in parameters.items() if k.split(".")[0] in HARMLESS},
            "status": status,
            "code": code,
            "seconds": round(seconds, 4),
        }
        with self._lock:
            self._calls.append(call)
            self._file.write(json.dumps(call) + "\n")

    def since(self, mark: int) -> dict[str, Any]:
        """The calls after `mark`, and the mark to ask from next time."""
        with self._lock:
            return {"mark": len(self._calls), "calls": self._calls[max(mark, 0):]}

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._file.close()
