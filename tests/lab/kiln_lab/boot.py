"""One boot of a machine: `systemd-nspawn` on the volume's overlay, in the machine's network namespace.

The overlay is mounted in a mount namespace of this boot alone: nobody else sees it, and it goes with the last process.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import netns
from .cgroup import Cgroup
from .errors import LabError
from .journal import Journal
from .processes import Process, children
from .volumes import Overlay

# What `systemd-nspawn --keep-unit` ends with when the machine wants to be booted again.
REBOOT = 133

# Nothing happens before the first line on its input: by then the journal knows the process. A lab that died says nothing.
# `systemd-nspawn` leaves directories in /run, so it gets one of its own.
_LAUNCH = """
read -r go || exit 1
for group in $1; do echo $$ > "$group/cgroup.procs" || exit 1; done
mount -t tmpfs -o mode=0755 kiln-lab /run || exit 1
cd "$2" && mount -t overlay -o "$3" kiln-lab "$4" || exit 1
shift 4
# On an instance /tmp is a part of the root volume, and control groups are unified, whatever the host has.
export SYSTEMD_NSPAWN_TMPFS_TMP=0 SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn "$@" < /dev/null
"""

# An instance may set what its kernel does with its network. The rest of /proc/sys is the host's, and stays read-only.
_INIT = """
mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,rw /proc/sys/net
exec /sbin/init
"""


class Boot:
    """A machine from power on to power off. `output` is what its console prints, until it ends."""

    def __init__(
        self, name: str, namespace: int, overlay: Overlay, binds: dict[Path, str], cgroup: Cgroup, journal: Journal
    ) -> None:
        """Starts it; `binds` are directories of the host by where the machine sees them.

        Raises `LabError` when this machine lacks a program for it.
        """
        cgroup.make()
        nspawn = [
            "--quiet",
            "--kill-signal=SIGRTMIN+4",
            "--capability=CAP_NET_ADMIN",
            "--register=no",
            "--keep-unit",
            "--settings=no",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--console=read-only",
            f"--machine={name}",
            f"--directory={overlay.root}",
            "--network-namespace-path=/proc/self/ns/net",
            *(f"--bind={source}:{target}" for source, target in binds.items()),
            *("/bin/sh", "-c", _INIT),
        ]
        launch = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _LAUNCH, "sh"]
        places = [" ".join(map(str, cgroup.paths)), str(overlay.cwd), overlay.options, str(overlay.root)]

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [*launch, *places, *nspawn],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )

        try:
            self._process = netns.within(namespace, start)
        except FileNotFoundError as missing:
            raise LabError(f"`{missing.filename}` is not installed", "install util-linux") from missing
        self._identity = Process.of(self._process.pid)
        if self._identity is not None:
            journal.record("process", pid=self._identity.pid, started=self._identity.started)
        assert self._process.stdin is not None and self._process.stdout is not None, "both are pipes"
        try:
            with self._process.stdin as stdin:
                stdin.write(b"go\n")
        except BrokenPipeError:
            # It ended already; what it said is on its output.
            pass
        self.output = self._process.stdout

    def wait(self) -> int:
        """Waits for its end; the exit status, negative for a signal."""
        code = self._process.wait()
        self.output.close()
        return code

    def leader(self) -> Process | None:
        """The machine's own first process, once it is there."""
        for pid in children(self._process.pid):
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            if any(line.startswith("NSpid:") and line.split()[2:] == ["1"] for line in status.splitlines()):
                return Process.of(pid)
        return None

    def signal(self, number: int) -> None:
        """Sends a signal to the machine's first process, if it is there."""
        leader = self.leader()
        if leader is not None:
            leader.signal(number)

    def kill(self) -> None:
        """Ends it without asking; the machine's processes end with their first."""
        leader = self.leader()
        if self._identity is not None:
            self._identity.kill()
        if leader is not None:
            leader.kill()
