"""A control group for each machine: to hold all its processes still, and to find every one of them.

Works on the unified hierarchy and on hybrid ones, where systemd's named hierarchy stands beside an empty unified one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LabError

_MOUNT = Path("/sys/fs/cgroup")
_PARENT = "kiln-lab"


def hierarchies() -> list[Path]:
    """Where groups are made: the unified hierarchy first, then what `systemd-nspawn` wants beside it."""
    if (_MOUNT / "cgroup.controllers").exists():
        return [_MOUNT]
    found = [path for path in (_MOUNT / "unified", _MOUNT / "systemd") if (path / "cgroup.procs").exists()]
    if not found or found[0].name != "unified":
        raise LabError("this machine has no unified control groups", "mount cgroup2 at `/sys/fs/cgroup/unified`")
    return found


class Cgroup:
    """One machine's group. `paths` are its directories, the unified hierarchy's first."""

    def __init__(self, name: str) -> None:
        self.paths = [hierarchy / _PARENT / name for hierarchy in hierarchies()]

    def make(self) -> None:
        """Makes its directories, which may be there."""
        for path in self.paths:
            path.mkdir(parents=True, exist_ok=True)

    def processes(self) -> list[int]:
        """Every process in it, in groups below it too."""
        found: list[int] = []
        for folder, _, _ in os.walk(self.paths[0]):
            try:
                found += [int(line) for line in Path(folder, "cgroup.procs").read_text().split()]
            except OSError:
                # Removed by the machine's own systemd while this looks.
                continue
        return found

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Holds its processes still while the context lasts. A machine that ends meanwhile is no error."""
        switch = self.paths[0] / "cgroup.freeze"
        try:
            switch.write_text("1")
            self._await_frozen()
        except OSError:
            pass
        try:
            yield
        finally:
            try:
                switch.write_text("0")
            except OSError:
                pass

    def mapped_for_writing(self) -> set[str]:
        """The base names of the files that its processes share a writable map of."""
        names: set[str] = set()
        for pid in self.processes():
            try:
                lines = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape").splitlines()
            except OSError:
                continue
            for line in lines:
                fields = line.split(maxsplit=5)
                if len(fields) == 6 and "w" in fields[1] and "s" in fields[1] and fields[5].startswith("/"):
                    names.add(os.path.basename(fields[5].removesuffix(" (deleted)")))
        return names

    def remove(self) -> None:
        """Removes its directories and those that the machine made below; what has processes left stays."""
        for path in self.paths:
            for folder, _, _ in os.walk(path, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    break
            try:
                # Another machine's group may be in it.
                os.rmdir(path.parent)
            except OSError:
                continue

    def _await_frozen(self) -> None:
        give_up = time.monotonic() + 2
        while time.monotonic() < give_up:
            if "frozen 1" in (self.paths[0] / "cgroup.events").read_text():
                return
            time.sleep(0.001)
