"""Clears away what labs have left that did not close: killed ones, mostly."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import claims
from .cgroup import Cgroup
from .command import run
from .errors import LabError
from .journal import JOURNAL, StateLock, is_live, read
from .network import remove_bridge
from .processes import Process


def sweep(state_root: Path) -> list[str]:
    """Removes what dead labs whose states are below `state_root` have left, and bridges of any dead lab.

    Returns what it removed, in words. A lab that lives is not touched. Raises `LabError` when something does not go.
    """
    said: list[str] = []
    for state in sorted(path.parent for path in state_root.glob(f"*/{JOURNAL}")):
        if not is_live(state):
            said += _clear(state)
    with claims.locked():
        for bridge in claims.dead():
            remove_bridge(bridge)
            said.append(f"bridge `{bridge}`")
    return said


def _clear(state: Path) -> list[str]:
    said: list[str] = []
    try:
        lock = StateLock(state)
    except LabError:
        # Another lab sweeps it, or begins to live there.
        return said
    try:
        entries = read(state)
        for entry in entries:
            if entry["kind"] == "process":
                process = Process(entry["pid"], entry["started"])
                if process.alive():
                    said.append(f"process {process.pid}")
                    process.kill()
        for entry in entries:
            if entry["kind"] == "cgroup":
                _end_group(Cgroup(entry["name"]))
        for mounted in _mounts_below(state):
            run(["umount", mounted])
            said.append(f"mount `{mounted}`")
        shutil.rmtree(state, onerror=_unless_gone)
        said.append(f"directory `{state}`")
    finally:
        lock.close()
    return said


def _unless_gone(_: object, path: str, failure: tuple) -> None:
    # A lab that closes just now removes its directory itself.
    if not isinstance(failure[1], FileNotFoundError):
        raise failure[1]


def _end_group(group: Cgroup) -> None:
    # A process may start another while this goes on: asked again until nobody is there.
    for _ in range(100):
        found = [process for pid in group.processes() if (process := Process.of(pid)) is not None]
        if not found:
            break
        for process in found:
            process.kill()
    else:
        raise LabError(f"the processes of `{group.paths[0]}` do not end", "look there for the process that hangs")
    group.remove()


def _mounts_below(state: Path) -> list[str]:
    """Uppermost first, so that one on another goes before it."""
    prefix = f"{state.resolve()}/"
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in reversed(points) if point.startswith(prefix)]
