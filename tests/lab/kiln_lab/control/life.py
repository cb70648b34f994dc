"""What an instance's transitions do: the work on machines, outside the lock, and the flips after it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from moto.ec2.models.instances import StateReason

from ..errors import LabError
from . import latency as real
from .instance import BY_ITSELF, LabInstance
from .metadata import machine_of

if TYPE_CHECKING:
    from .plane import Plane


class Life:
    """Boots, stops and ends machines. Every method here is called under the lock and returns at once."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._instances: dict[str, LabInstance] = {}

    def boot(self, instance: LabInstance) -> None:
        """`pending` to `running`."""
        self._instances[instance.id] = instance
        interrupted = instance.interrupted
        self._plane.effects.submit(instance.id, lambda: self._boot(instance, interrupted))

    def stop(self, instance: LabInstance, force: bool) -> None:
        """`stopping` to `stopped`."""
        interrupted = instance.interrupted
        self._plane.effects.submit(instance.id, lambda: self._stop(instance, interrupted, force))

    def reboot(self, instance: LabInstance) -> None:
        """A new boot of the same machine."""

        def work() -> None:
            if instance.booted:
                self._plane.reality.machines.reboot(instance.id)

        self._plane.effects.submit(instance.id, work)

    def terminate(self, instance: LabInstance) -> None:
        """`shutting-down` to `terminated`."""
        self._plane.effects.submit(instance.id, lambda: self._terminate(instance))

    def exited(self, instance_id: str, how: str) -> None:
        """A machine powered itself off, or died; called by the machines' own threads."""
        with self._plane.lock:
            instance = self._instances.get(instance_id)
            if instance is None or instance.held or instance.state not in ("pending", "running"):
                return
            instance.booted = False
            reason = BY_ITSELF
            if how == "failed":
                reason = StateReason("Server.InternalError: the machine died", "Server.InternalError")
            if instance.instance_initiated_shutdown_behavior == "terminate":
                instance.terminate(reason)
                return
            instance.enter("running")
            instance.stop(force=True, reason=reason)

    def _boot(self, instance: LabInstance, interrupted: threading.Event) -> None:
        began = time.monotonic()
        latency = self._plane.latency
        # The root volume's own queue may still be filling it.
        self._plane.effects.run(instance.root_volume_id, lambda: None)
        if latency.on:
            if self._waits(interrupted, began + latency.of(real.LAUNCH)):
                return
            with self._plane.lock:
                if interrupted.is_set():
                    return
                instance.enter("running")
            if self._waits(interrupted, began + latency.of(real.LAUNCH + real.SSH) - real.BOOT):
                return
        with self._plane.lock:
            if interrupted.is_set():
                return
            filtering = instance.ec2_backend.filtering
            filtering.step()
            machine = machine_of(instance)
            instance.made = instance.has_booted = True
        filtering.settled()
        try:
            self._plane.reality.machines.start(machine)
        except LabError as error:
            self._failed(instance, interrupted, error)
            return
        with self._plane.lock:
            instance.booted = True
            if not interrupted.is_set():
                instance.enter("running")

    def _failed(self, instance: LabInstance, interrupted: threading.Event, error: LabError) -> None:
        sys.stderr.write(f"instance `{instance.id}` does not boot: {error}\n")
        with self._plane.lock:
            if not interrupted.is_set():
                instance.terminate(StateReason(f"Server.InternalError: {error.message}", "Server.InternalError"))

    def _stop(self, instance: LabInstance, interrupted: threading.Event, force: bool) -> None:
        until = time.monotonic() + self._plane.latency.of(real.STOP)
        if instance.booted:
            self._attempt(instance, lambda: self._plane.reality.machines.stop(instance.id, force=force))
        self._waits(interrupted, until)
        with self._plane.lock:
            instance.booted = False
            if not interrupted.is_set():
                instance.stopped()

    def _terminate(self, instance: LabInstance) -> None:
        until = time.monotonic() + self._plane.latency.of(real.TERMINATE)
        if instance.made:
            self._attempt(instance, lambda: self._plane.reality.machines.terminate(instance.id))
        self._waits(self._plane.closing, until)
        with self._plane.lock:
            instance.booted = instance.made = False
            instance.terminated()
            instance.gone_at = time.monotonic()
            self._instances.pop(instance.id, None)

    def _attempt(self, instance: LabInstance, work: Callable[[], None]) -> None:
        """Ends a machine; one that cannot be ended does not keep its instance from ending. The next sweep has it."""
        try:
            work()
        except LabError as error:
            sys.stderr.write(f"instance `{instance.id}` does not go down cleanly: {error}\n")

    def _waits(self, interrupted: threading.Event, until: float) -> bool:
        """Waits, and says whether it was interrupted."""
        return interrupted.wait(max(until - time.monotonic(), 0))
