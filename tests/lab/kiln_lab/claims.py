"""Which bridge and which block of addresses belongs to which lab on this machine.

A claim is a small file that names the process which made it. It is written, under a lock that all labs share,
before the bridge is made; a claim whose process has ended is anybody's to clear away.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import limits
from .command import run
from .errors import LabError
from .processes import Process

CLAIMS = Path("/run/kiln-lab")
RANGE = ipaddress.IPv4Network("172.16.0.0/12")


@contextmanager
def locked() -> Iterator[None]:
    """Only one lab of the machine at a time chooses names and addresses."""
    CLAIMS.mkdir(mode=0o755, exist_ok=True)
    fd = os.open(CLAIMS / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def claim(cidr: str | None) -> tuple[str, ipaddress.IPv4Network]:
    """Takes a bridge's name and a block for this process; call it, and make the bridge, under `locked`.

    Without `cidr` the block is the first of 172.16.0.0/12 that no route and no claim of this machine overlaps: a
    /16, and where none is left, a smaller one down to a /20. Raises `LabError` when the block is taken.
    """
    taken = _taken()
    block = _parse(cidr) if cidr else _free(taken)
    clash = next((other for other in taken if other.overlaps(block)), None)
    if clash is not None:
        raise LabError(f"this machine uses `{clash}` already, which overlaps `{block}`", "give another block, or none")
    names = {path.stem for path in CLAIMS.glob("*.json")} | set(os.listdir("/sys/class/net"))
    bridge = next(name for name in (f"klab{number}" for number in range(1, 10_000)) if name not in names)
    owner = Process.of(os.getpid())
    assert owner is not None, "a process that asks is alive"
    text = json.dumps({"pid": owner.pid, "started": owner.started, "cidr": str(block)})
    (CLAIMS / f"{bridge}.json").write_text(text, encoding="utf-8")
    limits.lift(CLAIMS)
    return bridge, block


def release(bridge: str) -> None:
    """Gives a name and its block back; the bridge is gone by then. Call it under `locked`."""
    (CLAIMS / f"{bridge}.json").unlink(missing_ok=True)
    if not _claims():
        limits.put_back(CLAIMS)


def dead() -> list[str]:
    """The bridges of labs that have ended without closing; ask it under `locked`."""
    return [bridge for bridge, entry in _claims() if not Process(entry["pid"], entry["started"]).alive()]


def _claims() -> list[tuple[str, dict]]:
    found = []
    for path in sorted(CLAIMS.glob("*.json")):
        try:
            found.append((path.stem, json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, FileNotFoundError):
            # Written by a process that died in the middle: it made no bridge.
            path.unlink(missing_ok=True)
    return found


def _taken() -> list[ipaddress.IPv4Network]:
    blocks = [ipaddress.IPv4Network(entry["cidr"]) for _, entry in _claims()]
    for line in run(["ip", "-4", "route", "show", "table", "all"]).splitlines():
        found = re.match(r"(?:[a-z]+ )?(\d+\.\d+\.\d+\.\d+(?:/\d+)?)\b", line)
        if found:
            blocks.append(ipaddress.IPv4Network(found[1], strict=False))
    return blocks


def _free(taken: list[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    for prefix in range(16, 21):
        for block in RANGE.subnets(new_prefix=prefix):
            if not any(other.overlaps(block) for other in taken):
                return block
    raise LabError(f"this machine uses all of `{RANGE}`", "stop a lab, or give a block that is free")


def _parse(cidr: str) -> ipaddress.IPv4Network:
    try:
        block = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise LabError(f"`{cidr}` is no block of addresses: {error}", "write it like `172.20.0.0/16`") from None
    if not 16 <= block.prefixlen <= 28 or not block.is_private:
        raise LabError(f"`{cidr}` cannot be a lab's network", "take a private block between /16 and /28")
    return block
