"""How services that speak the query protocol answer, when they are the lab's and not moto's alone."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from ..errors import LabError


class Fault(ServiceException):
    """The lab's own: moto looks for the service of an error in the module of its class, and asks no further for this one."""


class Answers:
    """Mixed into a service's responses: each call is answered by one replica, and the lab's own failures are told apart."""

    lab: Any
    serialized: Any
    _enrich_response: Any

    @property
    def plane(self) -> Any:
        """What all of the lab shares."""
        return self.lab.plane

    def call_action(self) -> Any:
        """Answers one request."""
        self.plane.visibility.next_call()
        try:
            self.refuse()
            return super().call_action()  # type: ignore[misc]
        except ServiceException as error:
            return self._failed(error, None)
        except LabError as error:
            return self._failed(Fault("InternalFailure", error.message), 500)
        except NotImplementedError as error:
            return self._failed(Fault("ValidationError", f"not in this lab: {error}"), None)
        except Exception as error:  # noqa: BLE001 - a fault of the lab must be told apart from the client's
            sys.stderr.write(traceback.format_exc())
            return self._failed(Fault("InternalFailure", f"the lab failed: {error!r}"), 500)

    def refuse(self) -> None:
        """Raises the service's error for a request that names something unseen."""

    @staticmethod
    def page(
        everything: list[Any], key: Callable[[Any], str], size: int, after: str | None, invalid: ServiceException
    ) -> tuple[list[Any], str | None]:
        """What follows the element with the key `after`, and what the next page is asked for by. Raises `invalid` when there
        is no such element.
        """
        begin = 0
        if after:
            keys = [key(element) for element in everything]
            if after not in keys:
                raise invalid
            begin = keys.index(after) + 1
        page = everything[begin : begin + size]
        return page, key(page[-1]) if begin + size < len(everything) else None

    def _failed(self, error: ServiceException, status: int | None) -> Any:
        worded, headers, body = self.serialized(ActionResult(error))
        headers["status"] = str(status or worded)
        headers, body = self._enrich_response(headers, body)
        return status or worded, headers, body
