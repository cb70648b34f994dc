"""What can be told about a request before moto reads it, and errors in the words of its protocol."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

CREDENTIAL = re.compile(r"Credential=([^/,\s]*)/\d*/([^/]*)/([^/]*)/aws4_request")


@dataclass(frozen=True)
class Request:
    """Who asks for what."""

    access_key: str | None
    region: str
    service: str
    action: str
    parameters: dict[str, Any]

    @staticmethod
    def read(environ: dict[str, Any], body: bytes) -> Request:
        """From the WSGI environment and the body."""
        match = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        access_key, region, service = match.groups() if match else (None, "", "")
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target:
            action, parameters = target.rpartition(".")[2], _object(body)
        else:
            text = body.decode("utf-8", "replace") or environ.get("QUERY_STRING", "")
            parameters = dict(parse_qsl(text, keep_blank_values=True))
            action = parameters.get("Action") or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '/')}"
        return Request(access_key, region, service, action, parameters)

    def error(self, status: int, code: str, message: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """An error as this service words it: status, headers, body."""
        request_id = str(uuid.uuid4())
        if self.service == "ec2":
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
                f"<RequestID>{request_id}</RequestID></Response>"
            )
            kind = "text/xml;charset=UTF-8"
        elif self.service == "ssm":
            body, kind = json.dumps({"__type": code, "message": message}), "application/x-amz-json-1.1"
        else:
            body = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>"
            )
            kind = "text/xml"
        headers = [("Content-Type", kind), ("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", code)]
        return status, headers, body.encode()


def code_of(body: bytes) -> str | None:
    """The error's code in an answer that is one."""
    found = re.search(rb"<Code>([^<]*)</Code>", body) or re.search(rb'"__type"\s*:\s*"(?:[^"#]*#)?([^"]*)"', body)
    return found[1].decode("utf-8", "replace") if found else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
