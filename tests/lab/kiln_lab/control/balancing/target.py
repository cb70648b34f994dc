"""A registered target, and what is known of its health."""

from __future__ import annotations

from typing import Any

Outcome = tuple[str, str] | None

HEALTH = {
    "registering": ("initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
    "checking": ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
    "draining": ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "unused": (
        "unused",
        "Target.NotInUse",
        "Target group is not configured to receive traffic from the load balancer",
    ),
    "elsewhere": (
        "unused",
        "Target.NotInUse",
        "Target is in an Availability Zone that is not enabled for the load balancer",
    ),
    "stopped": ("unused", "Target.InvalidState", "Target is in the stopped state"),
    "unknown": ("unused", "Target.NotRegistered", "Target is not registered to the target group"),
}
"""State, reason and description as DescribeTargetHealth has them."""


class Target:
    """An instance, or an address, with a port."""

    def __init__(self, target_id: str, port: int, address: str, instance: Any, since: float) -> None:
        """`instance` is `None` for an address; `since` is when it was registered, by the monotonic clock."""
        self.id = target_id
        self.port = port
        self.address = address
        self.instance = instance
        self.since = since
        self.drains_until: float | None = None
        """Until then its open requests are given time; `None` while it is registered."""
        self.state = "initial"
        """`initial`, `healthy` or `unhealthy`, as its checks say."""
        self.reason: Outcome = None
        self._passed = 0
        self._failed = 0

    @property
    def name(self) -> str:
        """Tells it apart from every other target of the group, earlier registrations of the same among them."""
        return f"{self.id}:{self.port}:{self.since}"

    @property
    def draining(self) -> bool:
        """Whether it was deregistered."""
        return self.drains_until is not None

    @property
    def serves(self) -> bool:
        """Whether there is a machine behind it."""
        return self.instance is None or self.instance.state == "running"

    def begin_anew(self, now: float) -> None:
        """Nothing is known of its health: nobody has asked before."""
        self.since, self.state, self.reason, self._passed, self._failed = now, "initial", None, 0, 0

    def checked(self, outcome: Outcome, healthy: int, unhealthy: int) -> None:
        """One check more. The first that passes makes a new target healthy; an unhealthy one needs `healthy` in a row."""
        if outcome is None:
            self._passed, self._failed = self._passed + 1, 0
            if self.state == "initial" or self._passed >= healthy:
                self.state, self.reason = "healthy", None
        else:
            self._passed, self._failed = 0, self._failed + 1
            if self.state == "unhealthy" or self._failed >= unhealthy:
                self.state, self.reason = "unhealthy", outcome

    def health(self, used: bool, reached: bool, asked: bool) -> tuple[str, str | None, str | None]:
        """State, reason and description. `used`: some listener forwards to the group; `reached`: from the target's zone;
        `asked`: checks have begun.
        """
        if self.draining:
            return HEALTH["draining"]
        if not used:
            return HEALTH["unused"]
        if not reached:
            return HEALTH["elsewhere"]
        if not self.serves:
            return HEALTH["stopped"]
        if self.state == "initial":
            return HEALTH["checking" if asked else "registering"]
        if self.state == "unhealthy" and self.reason is not None:
            return "unhealthy", *self.reason
        return "healthy", None, None
