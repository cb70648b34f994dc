"""Starts a server in a session of its own, shows what it says until it is ready, and leaves it running.

`up.py LOG SERVER… -- THEN…`: the server is ready when it has written a line to its standard output. Then this
program becomes THEN. A signal before that brings the server down again. What the server says on standard error goes
to LOG.
"""

import os
import select
import signal
import subprocess
import sys

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C has ended, as shells count."""


def until_ready(server: subprocess.Popen, interrupt: int, log: str) -> bool | None:
    """Whether the server got ready; `None` when a signal came first."""
    assert server.stdout is not None
    with open(log, "rb") as said:
        while True:
            seen, _, _ = select.select([server.stdout, interrupt], [], [], 0.25)
            sys.stderr.buffer.write(said.read())
            sys.stderr.flush()
            if interrupt in seen:
                return None
            if seen:
                return bool(server.stdout.readline())


def main(log: str, command: list[str], then: list[str]) -> int:
    """0 or what THEN gives; 1 when the server did not get ready."""
    interrupt, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup)
    # Handlers that do nothing: the pipe tells, also of a signal that comes while the server is being started.
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        signal.signal(number, lambda *_: None)
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "wb") as errors:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
    ready = until_ready(server, interrupt, log)
    if ready:
        signal.set_wakeup_fd(-1)
        for number in signals:
            signal.signal(number, signal.SIG_DFL)
        os.execvp(then[0], then)
    if ready is None:
        sys.stderr.write("bringing it down again\n")
        server.terminate()
    status = server.wait()
    if ready is None:
        os.remove(log)
        return INTERRUPTED
    sys.stderr.write(f"error: the lab ended with {status} before it was ready\nhelp: what it said is in `{log}`\n")
    return 1


if __name__ == "__main__":
    split = sys.argv.index("--")
    sys.exit(main(sys.argv[1], sys.argv[2:split], sys.argv[split + 1 :]))
