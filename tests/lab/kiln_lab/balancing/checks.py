"""Health checks, made from a load balancer's own address."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable

from .. import netns
from .setup import Check

Outcome = tuple[str, str] | None
"""Why a check failed: a code of Elastic Load Balancing and a sentence. `None` is a check that passed."""

Report = Callable[[str, Outcome], None]

TIMEOUT: Outcome = ("Target.Timeout", "Request timed out")
FAILED: Outcome = ("Target.FailedHealthChecks", "Health checks failed")


class Checker:
    """Makes the checks that it is given, in a thread of its own, and tells each outcome."""

    def __init__(self, namespace: int, report: Report) -> None:
        """`report(target, outcome)` must not wait for anything."""
        self._report = report
        self._tasks: dict[Check, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._trust_anybody = ssl.create_default_context()
        self._trust_anybody.check_hostname = False
        self._trust_anybody.verify_mode = ssl.CERT_NONE
        self._thread = threading.Thread(target=self._run, args=(namespace,), name="checks", daemon=True)
        self._thread.start()

    def watch(self, checks: frozenset[Check]) -> None:
        """These and no others from now on."""
        self._loop.call_soon_threadsafe(self._watch, checks)

    def close(self) -> None:
        """Checks nothing any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, namespace: int) -> None:
        netns.enter(namespace)
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            for task in self._tasks.values():
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*self._tasks.values(), return_exceptions=True))
        finally:
            self._loop.close()

    def _watch(self, checks: frozenset[Check]) -> None:
        for gone in self._tasks.keys() - checks:
            self._tasks.pop(gone).cancel()
        for new in checks - self._tasks.keys():
            self._tasks[new] = self._loop.create_task(self._repeat(new))

    async def _repeat(self, check: Check) -> None:
        while True:
            began = self._loop.time()
            self._report(check.target, await self._once(check))
            await asyncio.sleep(max(began + check.interval - self._loop.time(), 0))

    async def _once(self, check: Check) -> Outcome:
        try:
            return await asyncio.wait_for(self._ask(check), check.timeout)
        except (TimeoutError, asyncio.TimeoutError):
            return FAILED if check.protocol == "TCP" else TIMEOUT
        except (OSError, ValueError, asyncio.IncompleteReadError):
            return FAILED

    async def _ask(self, check: Check) -> Outcome:
        tls = self._trust_anybody if check.protocol == "HTTPS" else None
        reader, writer = await asyncio.open_connection(check.address, check.port, ssl=tls)
        try:
            if check.protocol == "TCP":
                return None
            request = (
                f"GET {check.path} HTTP/1.1\r\nHost: {check.address}:{check.port}\r\nConnection: close\r\n"
                "User-Agent: ELB-HealthChecker/2.0\r\nAccept-Encoding: gzip, compressed\r\n\r\n"
            )
            writer.write(request.encode())
            words = (await reader.readline()).split()
            if len(words) < 2 or not words[0].startswith(b"HTTP/"):
                return FAILED
            status = int(words[1])
            if fits(status, check.matcher):
                return None
            return ("Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]")
        finally:
            writer.close()


def fits(status: int, matcher: str) -> bool:
    """Whether a status is one of `200`, `200,204` or `200-399`."""
    for part in matcher.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False
