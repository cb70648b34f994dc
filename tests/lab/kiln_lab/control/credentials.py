"""Who may talk to the lab. Requests are told apart by their access key; signatures are not checked."""

from __future__ import annotations

from .plane import Plane
from .requests import Request

ACCESS_KEY = "AKIAKILNLAB000000000"
SECRET_KEY = "kiln-lab-is-no-secret"  # noqa: S105 - it opens nothing but this lab

Refusal = tuple[int, str, str]
"""Status, code and message."""


def refusal(plane: Plane, request: Request, regions: frozenset[str]) -> Refusal | None:
    """EC2's answer to credentials that it does not accept; `None` for good ones."""
    if request.access_key is None:
        return 400, "MissingAuthenticationToken", "Request is missing Authentication Token"
    if plane.misbehaviour.expired_credentials:
        code = "RequestExpired" if request.service == "ec2" else "ExpiredTokenException"
        return 400, code, "Request has expired."
    if request.access_key != ACCESS_KEY:
        if request.service == "ec2":
            return 401, "AuthFailure", "AWS was not able to validate the provided access credentials"
        return 400, "UnrecognizedClientException", "The security token included in the request is invalid."
    if request.region not in regions:
        return 401, "AuthFailure", "Credential should be scoped to a valid region."
    return None
