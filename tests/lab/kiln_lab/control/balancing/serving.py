"""Keeps the data plane as the control plane's objects say, and targets as its health checks say."""

from __future__ import annotations

import queue
import sys
from typing import Any

from ...errors import LabError
from . import plan
from .load_balancer import LabLoadBalancer
from .target import Outcome


class Serving:
    """A step looks at every load balancer once. It is called under the control plane's lock."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._plane = backend.plane
        self._outcomes: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()

    def report(self, target: str, outcome: Outcome) -> None:
        """What a health check found; called by the data plane's threads."""
        self._outcomes.put((target, outcome))
        self._plane.keeper.poke()

    def step(self, now: float) -> None:
        """Outcomes of checks first, then what follows from them."""
        self._hear()
        for group in self._backend.target_groups.values():
            for key, target in list(group.registered.items()):
                if target.draining and (now >= target.drains_until or not group.load_balancer_arns):
                    del group.registered[key]
        for balancer in self._backend.load_balancers.values():
            if balancer.state == "active":
                self._tell(balancer, now)

    def _hear(self) -> None:
        while True:
            try:
                name, outcome = self._outcomes.get_nowait()
            except queue.Empty:
                return
            arn, _, target_name = name.partition(" ")
            group = self._backend.target_groups.get(arn)
            for target in group.registered.values() if group is not None else ():
                if target.name == target_name and not target.draining:
                    target.checked(outcome, int(group.healthy_threshold_count), int(group.unhealthy_threshold_count))

    def _tell(self, balancer: LabLoadBalancer, now: float) -> None:
        groups = self._backend.target_groups
        setup = plan.setup_of(balancer, groups, self._backend.certificates(balancer))
        used = [group for group in groups.values() if balancer.arn in group.load_balancer_arns]
        checks = plan.checks_of(used, self._plane.latency, now)
        if (setup, checks) == balancer.applied:
            return
        balancer.applied = (setup, checks)

        def work() -> None:
            try:
                self._plane.reality.balancers.apply(balancer.key, setup, checks)
            except LabError as error:
                sys.stderr.write(f"load balancer `{balancer.name}` is not as it should be: {error}\n")
                sys.stderr.flush()

        self._plane.effects.submit(balancer.arn, work)
