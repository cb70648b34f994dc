"""Objects that exist, and that reads do not see yet.

EC2 answers from replicas that lag behind each other. Each new object draws a lag for each of three replicas, each
call is answered by one of them: an object can be seen, and be gone again in the next answer. All draws come from the seed and
the order of calls.
"""

from __future__ import annotations

import random
import time

REPLICAS = 3


class Visibility:
    """What the replica that answers now does not know yet. Used under the control plane's lock."""

    def __init__(self, seconds: float = 0.0, seed: int = 0) -> None:
        """`seconds` is the greatest lag; 0 means that every object is seen at once."""
        self.seconds = seconds
        self._draw = random.Random(f"visibility {seed}")
        self._seen_from: dict[str, list[float]] = {}
        self._replica = 0

    def born(self, resource: str) -> None:
        """Notes that `resource` was made now."""
        if self.seconds > 0:
            now = time.monotonic()
            self._seen_from[resource] = [now + self._draw.uniform(0, self.seconds) for _ in range(REPLICAS)]

    def next_call(self) -> None:
        """Chooses the replica that answers the call that begins now."""
        self._replica = self._draw.randrange(REPLICAS)

    def hides(self, resource: str) -> bool:
        """Whether the answering replica does not know `resource`."""
        seen_from = self._seen_from.get(resource)
        if seen_from is None:
            return False
        now = time.monotonic()
        if now >= max(seen_from):
            del self._seen_from[resource]
        return now < seen_from[self._replica]
