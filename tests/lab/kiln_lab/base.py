"""The base image: a Debian as the official image for EC2 has it, made once and kept for all labs."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from .bases import clear, use
from .errors import LabError

# Beside the required packages. The official image has more of them, which no recipe should count on.
PACKAGES = (
    "apt-utils",
    "bash-completion",
    "ca-certificates",
    "cloud-guest-utils",
    "cloud-init",
    "cron",
    "curl",
    "dbus",
    "debian-archive-keyring",
    "e2fsprogs",
    "fdisk",
    "file",
    "gdisk",
    "gpgv",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "libpam-systemd",
    "locales",
    "logrotate",
    "nano",
    "netbase",
    "openssh-server",
    "procps",
    "psmisc",
    "python3",
    "sudo",
    "systemd-sysv",
    "tzdata",
    "udev",
    "vim-tiny",
    "wget",
)


def debian(cache: Path, suite: str, say: Callable[[str], None]) -> Path:
    """The root directory of the base for `suite`, ready for `register_base`. It is made when `cache` has none yet.

    `say` hears what takes time. The directory is named by all that goes into it, so a lab that changes its recipe makes
    another. Raises `LabError` when `mmdebstrap` fails, with the end of what it said.
    """
    script = resources.files(__package__).joinpath("base.sh").read_text(encoding="utf-8")
    recipe = "\n".join((suite, script, *PACKAGES))
    name = f"debian-{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    bases = cache / "bases"
    bases.mkdir(parents=True, exist_ok=True)

    def make(root: Path) -> None:
        say(f"making the base image of {suite}: about a minute, once")
        _make(bases / f"{name}.part", suite, script)
        (bases / f"{name}.part").rename(root)
        clear(bases, suite, say)

    return use(bases, name, make)


def _make(root: Path, suite: str, script: str) -> None:
    if shutil.which("mmdebstrap") is None:
        raise LabError("`mmdebstrap` is not installed", "apt-get install mmdebstrap")
    _discard(root)
    finish = root.with_suffix(".sh")
    finish.write_text(script, encoding="utf-8")
    finish.chmod(0o755)
    mirror = "http://deb.debian.org"
    argv = [
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        "--components=main",
        f"--include={','.join(PACKAGES)}",
        f"--customize-hook={finish} \"$1\" {suite}",
        suite,
        str(root),
        f"deb {mirror}/debian {suite} main",
        f"deb {mirror}/debian {suite}-updates main",
        f"deb {mirror}/debian-security {suite}-security main",
    ]
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    finally:
        finish.unlink()
    if done.returncode != 0:
        _discard(root)
        last = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise LabError(f"cannot make a Debian `{suite}`:\n{last}", "can this machine's apt read the suite?")


def _discard(root: Path) -> None:
    if root.exists():
        if any(line.split()[4].startswith(f"{root}/") for line in Path("/proc/self/mountinfo").read_text().splitlines()):
            raise LabError(f"something is mounted below `{root}`", "an earlier `mmdebstrap` was killed: unmount it")
        shutil.rmtree(root)
