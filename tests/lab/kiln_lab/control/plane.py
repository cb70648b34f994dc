"""What all parts of the control plane share."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from .effects import Effects
from .keeper import Keeper
from .latency import Latency
from .life import Life
from .throttle import Throttle
from .visibility import Visibility


class Reality(Protocol):
    """The machines and volumes behind the control plane; the tests have one in memory."""

    volumes: Any
    machines: Any
    balancers: Any
    machine: Any
    mac: Any
    cidr: str
    guard: Any


@dataclass
class Misbehaviour:
    """What the lab does to its clients on purpose; can be changed while it runs."""

    seed: int = 0
    expired_credentials: bool = False
    no_capacity: set[str] = field(default_factory=set)


class Plane:
    """One lock for all of moto's state, and the way out of it for what takes time."""

    def __init__(self, reality: Reality, region: str, default_vpc: bool = True) -> None:
        self.reality = reality
        self.region = region
        self.default_vpc = default_vpc
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.effects = Effects(self._effect_failed)
        self.keeper = Keeper(self.lock)
        self.life = Life(self)
        self.latency = Latency()
        self.visibility = Visibility()
        self.throttle = Throttle()
        self.misbehaviour = Misbehaviour()
        self.publish: Callable[[Any], None] = lambda _region: None
        """Gives a region's EC2 the images that others have published; called once for each region."""

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """Lets other calls go on while this one works on volumes; for a call that holds the lock exactly once."""
        self.lock.release()
        try:
            yield
        finally:
            self.lock.acquire()

    def later(self, resource: str, seconds: float, flip: Any) -> None:
        """Calls `flip` under the lock after `seconds`, behind all other work on `resource`."""

        def work() -> None:
            self.closing.wait(seconds)
            with self.lock:
                flip()

        self.effects.submit(resource, work)

    def _effect_failed(self, resource: str, error: BaseException) -> None:
        sys.stderr.write(f"work on `{resource}` failed: {error}\n")
        sys.stderr.flush()
