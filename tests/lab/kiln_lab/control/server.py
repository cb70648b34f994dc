"""The control plane as a server on a port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from .backend import LabBackend
from .calls import Calls
from .credentials import ACCESS_KEY, SECRET_KEY
from .install import install
from .lab_api import LabApi
from .middleware import Middleware
from .plane import Plane, Reality
from .regions import regions


class QuietHandler(MotoRequestHandler):
    """The record of calls tells more than lines of an access log."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Says nothing."""


class Server:
    """moto with effects on `reality`, listening on 127.0.0.1."""

    def __init__(
        self, reality: Reality, state: Path, region: str, port: int = 0, default_vpc: bool = True, misbehaviour: Any = None
    ) -> None:
        """`misbehaviour` has the members that `/_lab/misbehaviour` takes."""
        self.plane = Plane(reality, region, default_vpc)
        moto, self.backend = install(self.plane)
        self._calls = Calls(state / "calls.jsonl")
        lab_api = LabApi(self.plane, self._calls)
        if misbehaviour:
            lab_api.misbehave(misbehaviour)
        application = Middleware(self.plane, moto, self._calls, lab_api)
        self._server = make_server("127.0.0.1", port, application, threaded=True, request_handler=QuietHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    @property
    def endpoint(self) -> str:
        """The URL for `AWS_ENDPOINT_URL`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point AWS tools here."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": self.plane.region,
            "AWS_DEFAULT_REGION": self.plane.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def offer(self, publish: Callable[[LabBackend], None]) -> None:
        """Has `publish` give each region the images that are there before anybody makes one."""
        with self.plane.lock:
            self.plane.publish = publish
            for region in regions():
                publish(region)

    def start(self) -> None:
        """Answers from here on."""
        self._thread.start()
        self.plane.keeper.start()

    def close(self, timeout: float = 60.0) -> None:
        """Stops answering, ends every machine, and waits for the work that is under way."""
        self._server.shutdown()
        self._server.server_close()
        self.plane.keeper.stop()
        self.plane.closing.set()
        with self.plane.lock:
            for instance in (i for region in regions() for i in self._live(region)):
                instance.interrupted.set()
                instance.terminate()
        self.plane.effects.drained(timeout)
        self._calls.close()

    @staticmethod
    def _live(backend: LabBackend) -> list[Any]:
        return [i for i in backend.all_instances() if i.state not in ("shutting-down", "terminated")]
