"""An instance whose states follow a machine."""

from __future__ import annotations

import base64
import copy
import threading
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance, InstanceState, StateReason

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}

BY_USER = StateReason("Client.UserInitiatedShutdown: User initiated shutdown", "Client.UserInitiatedShutdown")
BY_ITSELF = StateReason(
    "Client.InstanceInitiatedShutdown: Instance initiated shutdown", "Client.InstanceInitiatedShutdown"
)


class LabInstance(Instance):
    """moto's instance, pending until its machine boots.

    `start`, `stop`, `reboot` and `terminate` are what requests (and moto's Auto Scaling) call, under the lock: they change
    the state to the passing one and hand the work to the plane's `life`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.enter("pending")
        self.made = False
        """Whether the lab has a machine, running or not."""
        self.has_booted = False
        """Whether there ever was one: what it printed can be read when it is gone."""
        self.booted = False
        """Whether that machine is up."""
        self.held = False
        """Whether the lab itself has the machine down for a moment, to make an image."""
        self.interrupted = threading.Event()
        """Ends the waits of the transition that is under way."""
        image = self.ec2_backend.amis.get(self.image_id)
        self.ena_support = bool(image and image.ena_support)
        self.boot_mode = image.boot_mode if image else None
        self.gone_at: float | None = None
        """When it was terminated, by the monotonic clock."""

    @property
    def life(self) -> Any:
        """What does the work."""
        return self.ec2_backend.plane.life

    def enter(self, state: str, reason: StateReason | None = None) -> InstanceState:
        """Changes the state and returns the one before."""
        before = copy.copy(self._state)
        self._state = InstanceState(state, CODES[state])
        if reason is None:
            self._reason, self.state_reason = "", StateReason()
        else:
            self._reason = f"User initiated ({utcnow().strftime('%Y-%m-%d %H:%M:%S GMT')})"
            self.state_reason = reason
        return before

    def transition(self, state: str, reason: StateReason | None = None) -> InstanceState:
        """Enters a passing state: whatever waits for the one before stops waiting."""
        self.interrupted.set()
        self.interrupted = threading.Event()
        return self.enter(state, reason)

    def start(self) -> InstanceState:
        """From `stopped` to `pending`; nothing when it runs."""
        if self.state in ("running", "pending"):
            return copy.copy(self._state)
        if self.state != "stopped":
            raise self._wrong_state("started")
        before = self.transition("pending")
        self.life.boot(self)
        return before

    def stop(self, force: bool = False, reason: StateReason = BY_USER) -> InstanceState:
        """From `running` to `stopping`; nothing when it is stopped."""
        if self.state in ("stopped", "stopping"):
            return copy.copy(self._state)
        if self.state != "running":
            raise self._wrong_state("stopped")
        before = self.transition("stopping", reason)
        self.life.stop(self, force)
        return before

    def reboot(self) -> None:
        """The same machine, a new boot; its state stays."""
        if self.state != "running":
            raise self._wrong_state("rebooted")
        self.life.reboot(self)

    def terminate(self, reason: StateReason = BY_USER) -> InstanceState:
        """From any state to `shutting-down`; nothing when it is there."""
        if self.state in ("shutting-down", "terminated"):
            return copy.copy(self._state)
        before = self.transition("shutting-down", reason)
        self.life.terminate(self)
        return before

    def stopped(self) -> None:
        """The machine is down: moto frees the public address."""
        reason = self.state_reason
        super().stop()
        self.enter("stopped", reason)

    def terminated(self) -> None:
        """The machine is gone: moto gives back the addresses, detaches the volumes and deletes those that go with it."""
        reason = self.state_reason
        super().terminate()
        self.enter("terminated", reason)

    @property
    def public_dns_name(self) -> None:
        """None: a public name would resolve to nothing outside the lab, and tools would prefer it to the address."""
        return None

    @property
    def state_code_text(self) -> str:
        """The state's number as filters spell it."""
        return str(self.state_code)

    @property
    def user_data_bytes(self) -> bytes:
        """The user data as the machine sees it."""
        return base64.b64decode(str(self.user_data)) if self.user_data else b""

    @property
    def root_volume_id(self) -> str:
        """The volume that the machine boots from."""
        return self.block_device_mapping[self.root_device_name].volume_id

    @property
    def instance_status(self) -> dict[str, Any]:
        """`initializing` until the machine is up."""
        status = super().instance_status
        if status["Status"] == "ok" and not self.booted:
            return {"Status": "initializing", "Details": [{"Name": "reachability", "Status": "initializing"}]}
        return status

    system_status = instance_status

    def _wrong_state(self, wanted: str) -> EC2ClientError:
        return EC2ClientError(
            "IncorrectInstanceState", f"The instance '{self.id}' is not in a state from which it can be {wanted}."
        )
