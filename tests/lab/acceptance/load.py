"""Requests at a steady rate, on connections that are kept and on new ones, with every one that fails counted."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

TIMEOUT = 30.0
"""Seconds until a request counts as failed."""


class Load:
    """Asks `http://ADDRESS:PORT/` from its making until `stop`."""

    def __init__(self, address: str, rate: float, port: int = 80) -> None:
        """`rate` is requests in a second."""
        self._address, self._port, self._rate = address, port, rate
        self.answers: Counter[str] = Counter()
        """How often which body was answered, with status 200."""
        self.failed: list[str] = []
        self._stopping = threading.Event()
        self._kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Waits for what is under way; how many were asked."""
        self._stopping.set()
        self._thread.join()
        return sum(self.answers.values()) + len(self.failed)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began, number, tasks = loop.time(), 0, []
        while not self._stopping.is_set():
            await asyncio.sleep(max(0.0, began + number / self._rate - loop.time()))
            tasks.append(asyncio.create_task(self._counted(number % 2 == 0)))
            number += 1
        await asyncio.gather(*tasks)
        for _, writer in self._kept:
            writer.close()

    async def _counted(self, keep: bool) -> None:
        try:
            status, body = await asyncio.wait_for(self._ask(keep), TIMEOUT)
        except Exception as error:  # noqa: BLE001 - whatever it was, it was no answer
            self.failed.append(repr(error))
            return
        if status == 200:
            self.answers[body] += 1
        else:
            self.failed.append(f"{status} {body[:80]}")

    async def _ask(self, keep: bool) -> tuple[int, str]:
        if keep and self._kept:
            reader, writer = self._kept.pop()
        else:
            reader, writer = await asyncio.open_connection(self._address, self._port)
        writer.write(f"GET / HTTP/1.1\r\nHost: {self._address}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:"))
        body = (await reader.readexactly(length)).decode().strip()
        if keep and "connection: close" not in head:
            self._kept.append((reader, writer))
        else:
            writer.close()
        return int(head.split()[1]), body
