"""One thread that brings about what services of the control plane have been asked for: again and again, never from a queue.

A service that keeps something (groups of instances, the health of targets) adds a step. Every step looks at what there is
and at what is wanted, and does the difference, so nothing is lost when several things change at once.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable

PAUSE = 0.2
"""Seconds between two looks when nobody asks for one."""


class Keeper:
    """Runs all steps under the control plane's lock whenever something may have changed."""

    def __init__(self, lock: threading.RLock) -> None:  # type: ignore[valid-type]
        self._lock = lock
        self._steps: list[Callable[[float], None]] = []
        self._changed = threading.Event()
        self._stopped = False
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def add(self, step: Callable[[float], None]) -> None:
        """`step(now)` is called with the monotonic clock's seconds; what it raises is reported and forgotten."""
        self._steps.append(step)

    def poke(self) -> None:
        """Something changed: look at once."""
        self._changed.set()

    def start(self) -> None:
        """Looks from here on."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when no step runs any more."""
        self._stopped = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            self._changed.wait(PAUSE)
            self._changed.clear()
            for step in self._steps:
                if self._stopped:
                    return
                with self._lock:
                    try:
                        step(time.monotonic())
                    except Exception:  # noqa: BLE001 - one look that fails must not be the last
                        self._complain(traceback.format_exc())

    def _complain(self, said: str) -> None:
        """Once: the next look most often fails as this one did."""
        if said != self._said:
            self._said = said
            sys.stderr.write(said)
            sys.stderr.flush()
