"""What a machine's console printed, kept in a file that does not grow without bound."""

from __future__ import annotations

import threading
from pathlib import Path

KEPT = 64 * 1024


class Console:
    """The console of one instance, over all its boots. One thread writes, many may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Condition()
        self._tail = path.read_bytes()[-KEPT:] if path.exists() else b""
        self._written = len(self._tail)
        self._total = self._written

    def write(self, printed: bytes) -> None:
        """Adds what was printed; the file is cut when it holds four times what is kept."""
        with self._guard:
            self._tail = (self._tail + printed)[-KEPT:]
            self._written += len(printed)
            whole = self._written > 4 * KEPT
            with open(self._path, "wb" if whole else "ab") as file:
                file.write(self._tail if whole else printed)
            if whole:
                self._written = len(self._tail)
            self._total += len(printed)
            self._guard.notify_all()

    def read(self) -> bytes:
        """The last 64 KiB."""
        with self._guard:
            return self._tail

    def position(self) -> int:
        """How much has been printed so far, in bytes: where `wait_for` may begin."""
        with self._guard:
            return self._total

    def wait_for(self, text: bytes, since: int, timeout: float) -> bool:
        """Waits until `text` is printed after position `since`; false after `timeout` seconds."""

        def printed() -> bool:
            return text in self._tail[max(0, len(self._tail) - (self._total - since)) :]

        with self._guard:
            return self._guard.wait_for(printed, timeout)
