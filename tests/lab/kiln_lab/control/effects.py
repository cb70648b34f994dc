"""Work that takes time: done outside the control plane's lock, in order for each resource."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]


class Effects:
    """One queue for each resource (an instance, a volume), worked off by a thread that lives while the queue does.

    Two pieces of work on one resource never overlap and keep their order: a stop that is asked for while an instance
    boots happens after the boot. Resources do not wait for each other.
    """

    def __init__(self, failed: Callable[[str, BaseException], None]) -> None:
        """`failed(resource, error)` hears of work that raised; the queue goes on."""
        self._failed = failed
        self._idle = threading.Condition()
        self._queues: dict[str, deque[Work]] = {}

    def submit(self, resource: str, work: Work) -> None:
        """Queues `work` behind all other work on `resource`."""
        with self._idle:
            queue = self._queues.get(resource)
            if queue is not None:
                queue.append(work)
                return
            self._queues[resource] = deque([work])
        threading.Thread(target=self._work_off, args=(resource,), name=f"effects {resource}", daemon=True).start()

    def run(self, resource: str, work: Work) -> None:
        """Does `work` in its turn, waits for it, and raises what it raised."""
        done = threading.Event()
        raised: list[BaseException] = []

        def watched() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - it is raised again below, in the thread that asked
                raised.append(error)
            finally:
                done.set()

        self.submit(resource, watched)
        done.wait()
        if raised:
            raise raised[0]

    def drained(self, timeout: float) -> bool:
        """Waits until nothing is queued or under way; false after `timeout` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._queues, timeout)

    def _work_off(self, resource: str) -> None:
        while True:
            with self._idle:
                queue = self._queues[resource]
                if not queue:
                    del self._queues[resource]
                    self._idle.notify_all()
                    return
                work = queue.popleft()
            try:
                work()
            except Exception as error:  # noqa: BLE001 - whatever one piece of work raises, the next must run
                self._failed(resource, error)
