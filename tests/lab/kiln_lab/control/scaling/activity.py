"""What a group has done, in Auto Scaling's words."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow


class Activity:
    """The launch or the end of one instance."""

    def __init__(self, group: str, description: str, cause: str) -> None:
        """`cause` goes on after the time: `an instance was started in response to …`."""
        self.id = str(uuid.uuid4())
        self.group = group
        self.description = description
        self.start = utcnow()
        self.cause = f"At {self.start.strftime('%Y-%m-%dT%H:%M:%SZ')} {cause}"
        self.end: datetime | None = None
        self.status = "InProgress"
        self.message: str | None = None
        self.progress = 30

    def succeed(self) -> None:
        """It is done."""
        if self.end is None:
            self._finish("Successful", None)

    def fail(self, reason: str) -> None:
        """It is not, and will be tried again as another activity."""
        if self.end is None:
            self.description += f".  Status Reason: {reason}"
            self._finish("Failed", reason)

    def _finish(self, status: str, message: str | None) -> None:
        self.status, self.message, self.end, self.progress = status, message, utcnow(), 100

    def shown(self) -> dict[str, Any]:
        """As DescribeScalingActivities shows it."""
        return {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": self.start,
            "EndTime": self.end,
            "StatusCode": self.status,
            "StatusMessage": self.message,
            "Progress": self.progress,
            "Details": "{}",
        }
