"""What of a lab is on this machine: to compare before and after. Other labs and programs may come and go meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from .case import run


def of_lab(state: Path, bridge: str) -> dict[str, list[str]]:
    """Links, mounts, processes, control groups and claims that belong to the lab with this state and bridge."""
    return {
        "links": [name for name in os.listdir("/sys/class/net") if name == bridge or name.startswith(f"{bridge}p")],
        "addresses": [line for line in run("ip", "-4", "route").splitlines() if f"dev {bridge} " in line],
        "namespaces": [name for name in run("ip", "netns").split() if bridge in name],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(state) in line],
        "processes": _processes(str(state)),
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/kiln-lab/{bridge}-*")],
        "claims": [path.name for path in Path("/run/kiln-lab").glob(f"{bridge}.json")],
        "nspawn": _in_run(),
    }


def _processes(text: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and int(folder.name) != os.getpid():
            found.append(line.strip())
    return found


def _in_run() -> list[str]:
    """What `systemd-nspawn` would leave on the host for a machine of the tests."""
    folder = Path("/run/systemd/nspawn/propagate")
    return [path.name for path in folder.glob("i-*")] if folder.exists() else []
