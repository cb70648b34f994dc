"""Network namespaces without names.

A namespace here is an open file. It ends by itself with the lab's process and the machines in it, so a lab
that was killed leaves none behind.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from .errors import LabError

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


def create() -> int:
    """Makes a network namespace and returns a file descriptor that holds it; the caller closes it."""

    def enter() -> int:
        _check(_libc.unshare(CLONE_NEWNET), "make a network namespace")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    return _in_thread(enter)


def within(namespace: int, action: Callable[[], T]) -> T:
    """Runs `action` in the namespace: sockets that it opens and programs that it starts belong there."""

    def enter() -> T:
        _check(_libc.setns(namespace, CLONE_NEWNET), "enter a network namespace")
        return action()

    return _in_thread(enter)


def enter(namespace: int) -> None:
    """Moves the calling thread, which is to be one of its own, into the namespace for good."""
    _check(_libc.setns(namespace, CLONE_NEWNET), "enter a network namespace")


def _in_thread(action: Callable[[], T]) -> T:
    # A namespace belongs to a thread; one of its own keeps every other thread where it is.
    outcome: list[T] = []
    failure: list[BaseException] = []

    def body() -> None:
        try:
            outcome.append(action())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body, name="netns")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _check(result: int, what: str) -> None:
    if result != 0:
        reason = os.strerror(ctypes.get_errno())
        raise LabError(f"cannot {what}: {reason}", "the lab needs root and a kernel with network namespaces")
