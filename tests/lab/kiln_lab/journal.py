"""What a lab has made, written down before it is made, so that another can clear it away.

A journal is a file of JSON lines in the lab's state directory. It does not know how anything is removed; that
is `sweep`'s. A lab that lives holds a lock on the state directory.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path

from .errors import LabError

LOCK = "lock"
JOURNAL = "journal"


class Journal:
    """The journal of one lab. Many threads may write."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._file = open(state / JOURNAL, "a", encoding="utf-8")

    def record(self, kind: str, **what: str | int) -> None:
        """Writes one line: from here on a sweep knows of it. `kind` is `process`, `cgroup`, `mount` or `directory`."""
        line = json.dumps({"kind": kind, **what}, sort_keys=True)
        with self._guard:
            self._file.write(line + "\n")
            # Past the process is enough: the journal of a machine that lost power names nothing that still is.
            self._file.flush()

    def close(self) -> None:
        """Writes no more."""
        with self._guard:
            self._file.close()


def read(state: Path) -> list[dict]:
    """Every entry of a lab's journal, oldest first. A line that a death cut short is left out."""
    try:
        lines = (state / JOURNAL).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return entries


class StateLock:
    """Holds a lab's state directory: who has it is the lab that lives there."""

    def __init__(self, state: Path) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise LabError(f"a lab runs in `{state}` already", "take another name, or stop it first") from None

    def close(self) -> None:
        """Lets go of the directory."""
        os.close(self._fd)


def is_live(state: Path) -> bool:
    """Whether a lab holds this state directory now."""
    try:
        fd = os.open(state / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
