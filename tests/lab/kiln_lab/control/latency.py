"""How long things take on EC2, divided by a factor.

The figures are for a small Debian on a t3 instance: times that Packer's users see. Off (divisor 0) means that nothing waits
for anything but the real work of the lab's machines.
"""

from __future__ import annotations

LAUNCH = 17.0
"""Seconds from RunInstances or StartInstances until the state is `running`."""

SSH = 26.0
"""Seconds from `running` until sshd answers."""

STOP = 58.0
"""Seconds from StopInstances until `stopped`."""

TERMINATE = 35.0
"""Seconds from TerminateInstances until `terminated`."""

SNAPSHOT = 20.0
"""Seconds from CreateSnapshot until `completed`, for an empty volume."""

SNAPSHOT_PER_GIB = 0.5
"""Seconds that each GiB of a volume adds to its snapshot."""

IMAGE = 43.0
"""Seconds from CreateImage until `available`: the snapshot and what EC2 does around it."""

REGISTER = 5.0
"""Seconds from RegisterImage until `available`: the snapshot is complete already, nothing is copied."""

SCALE = 3.0
"""Seconds from a change of a group's capacity until Auto Scaling acts."""

LAUNCH_AGAIN = 20.0
"""Seconds after a launch that failed until Auto Scaling tries again; doubled each time, up to sixteen times."""

NOTICE = 30.0
"""Seconds until Auto Scaling takes an instance that does not run, or is unhealthy, out of service."""

PROVISION = 100.0
"""Seconds from CreateLoadBalancer until `active`."""

REGISTER_TARGET = 4.0
"""Seconds from RegisterTargets until the first health check."""

INTERFACE_GONE = 20.0
"""Seconds for which the interface of a load balancer that was deleted stays, and holds its security groups in use."""

LEAST_TIMEOUT = 1.0
"""Seconds that a health check may take however time is divided: the lab's machines are not faster for it."""

LEAST_GRACE = 10.0
"""Seconds of a declared grace period that are given however time is divided: machines boot no faster for it."""

TERMINATED_VISIBLE = 3600.0
"""Seconds for which DescribeInstances still shows a terminated instance."""

BOOT = 1.5
"""Seconds that a machine of the lab itself takes until sshd answers; part of `SSH`, not added to it."""


class Latency:
    """The figures above, divided."""

    def __init__(self, divisor: float = 0.0) -> None:
        self.divisor = divisor

    @property
    def on(self) -> bool:
        """Whether anything waits at all."""
        return self.divisor > 0

    def of(self, seconds: float) -> float:
        """What is left of `seconds` in this lab; 0 when latencies are off."""
        return seconds / self.divisor if self.on else 0.0

    def declared(self, seconds: float, least: float = 0.0) -> float:
        """Seconds that the user asked for (an interval, a delay, a grace period): true when latencies are off.

        Divided they are not less than `least`, unless what was asked for is.
        """
        return max(seconds / self.divisor, min(seconds, least)) if self.on else seconds

    def snapshot(self, gibibytes: int) -> float:
        """Seconds until a snapshot of a volume of this size is complete."""
        return self.of(SNAPSHOT + SNAPSHOT_PER_GIB * gibibytes)

    def terminated_visible(self) -> float:
        """Seconds for which a terminated instance is still shown: the true hour when latencies are off."""
        return self.of(TERMINATED_VISIBLE) if self.on else TERMINATED_VISIBLE
