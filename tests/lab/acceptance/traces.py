"""What a lab has on the machine, and must not leave behind. Other labs may run meanwhile: only this one's names count."""

from __future__ import annotations

import os
from pathlib import Path

from .lab import Lab


def traces(lab: Lab) -> dict[str, list[str]]:
    """Links, claims, control groups, mounts, processes and files of a lab, by kind; kinds of which there are none are left out."""
    bridge, root = lab.described["bridge"], str(lab.root)
    found = {
        "links": [name for name in os.listdir("/sys/class/net") if name == bridge or name.startswith(f"{bridge}p")],
        "claims": [path.name for path in Path("/run/kiln-lab").glob(f"{bridge}.json")],
        "control groups": _groups(f"{bridge}-"),
        "mounts": [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if root in line],
        "processes": [f"{pid}: {line}" for pid, line in _commands() if root in line or bridge in line],
        "files": [str(path) for path in lab.root.iterdir() if not path.name.startswith("key")],
    }
    return {kind: names for kind, names in found.items() if names}


def _groups(prefix: str) -> list[str]:
    places = [Path("/sys/fs/cgroup", hierarchy, "kiln-lab") for hierarchy in ("", "unified", "systemd")]
    return [f"{place}/{name}" for place in places if place.exists() for name in os.listdir(place) if name.startswith(prefix)]


def _commands() -> list[tuple[str, str]]:
    commands = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            commands.append((pid, Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")))
        except OSError:
            continue
    return commands
