"""Runs the machine's own programs (`ip`, `mount`, `mmdebstrap`) and explains their failures."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from .errors import LabError


def run(argv: Sequence[str], stdin: str = "", cwd: str | None = None) -> str:
    """Runs a program to its end and returns its standard output.

    Raises `LabError` when it is missing or fails, with the last line that it wrote to standard error.
    """
    try:
        done = subprocess.run(argv, input=stdin, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise LabError(f"`{argv[0]}` is not installed", f"install the package that has `{argv[0]}`") from missing
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise LabError(f"`{' '.join(argv)}` failed: {lines[-1]}", stdin.strip())
    return done.stdout


def ip(*lines: str) -> None:
    """Runs lines of `ip` commands in one process, in order; the first that fails ends it."""
    run(["ip", "-batch", "-"], stdin="\n".join(lines) + "\n")
