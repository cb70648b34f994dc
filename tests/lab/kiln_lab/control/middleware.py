"""The WSGI application around moto: one lock, who may ask, throttling, and the record of calls."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from botocore.session import get_session

from .calls import Calls
from .credentials import refusal
from .lab_api import LabApi
from .plane import Plane
from .regions import opened
from .requests import Request, code_of

Answer = tuple[int, list[tuple[str, str]], bytes]


class Middleware:
    """Answers everything that arrives at the lab's port."""

    def __init__(self, plane: Plane, moto: Any, calls: Calls, lab_api: LabApi) -> None:
        self._plane = plane
        self._moto = moto
        self._calls = calls
        self._lab_api = lab_api
        session = get_session()
        self._regions = frozenset(
            region for service in ("ec2", "s3", "iam") for region in session.get_available_regions(service)
        ) | {"aws-global", "us-east-1"}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if environ.get("PATH_INFO", "").startswith("/_lab/"):
            answer = self._lab_api.answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""), body)
        else:
            answer = self._recorded(environ, body)
        status, headers, content = answer
        headers = [(k, v) for k, v in headers if k.lower() not in ("content-length", "status")]
        headers.append(("Content-Length", str(len(content))))
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [content]

    def _recorded(self, environ: dict[str, Any], body: bytes) -> Answer:
        began = time.monotonic()
        request = Request.read(environ, body)
        with self._plane.lock:
            refused = refusal(self._plane, request, self._regions)
            if refused is None and self._plane.throttle.refuses():
                refused = throttled(request)
            if refused is None and request.service == "ssm":
                # Its public parameters name images.
                opened(request.region)
            answer = request.error(*refused) if refused else self._ask_moto(environ, body)
        code = code_of(answer[2]) if answer[0] >= 400 else None
        self._calls.record(
            request.service, request.action, request.parameters, answer[0], code, time.monotonic() - began
        )
        return answer

    def _ask_moto(self, environ: dict[str, Any], body: bytes) -> Answer:
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        answered: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            answered[:] = [int(status.split()[0]), headers]
            return lambda data: None

        pieces = self._moto(environ, start_response)
        try:
            content = b"".join(pieces)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        return answered[0], answered[1], content


def throttled(request: Request) -> tuple[int, str, str]:
    """A refusal for too many requests in the words of the service."""
    if request.service == "ec2":
        return 503, "RequestLimitExceeded", "Request limit exceeded."
    if request.service in ("autoscaling", "elasticloadbalancing"):
        return 400, "Throttling", "Rate exceeded"
    return 400, "ThrottlingException", "Rate exceeded"
