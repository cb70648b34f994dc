"""How services that speak the query protocol answer, when they are the lab's and not moto's alone."""

from __future__ import annotations

import sys
import traceback
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from ..errors import LabError


class Answers:
    """Mixed into a service's responses: each call is answered by one replica, and the lab's own failures are told apart."""

    plane: Any
    serialized: Any
    _enrich_response: Any

    def call_action(self) -> Any:
        """Answers one request."""
        self.plane.visibility.next_call()
        try:
            self.refuse()
            return super().call_action()  # type: ignore[misc]
        except ServiceException as error:
            return self._failed(error, None)
        except LabError as error:
            return self._failed(ServiceException("InternalFailure", error.message), 500)
        except NotImplementedError as error:
            return self._failed(ServiceException("ValidationError", f"not in this lab: {error}"), None)
        except Exception as error:  # noqa: BLE001 - a fault of the lab must be told apart from the client's
            sys.stderr.write(traceback.format_exc())
            return self._failed(ServiceException("InternalFailure", f"the lab failed: {error!r}"), 500)

    def refuse(self) -> None:
        """Raises the service's error for a request that names something unseen."""

    def _failed(self, error: ServiceException, status: int | None) -> Any:
        worded, headers, body = self.serialized(ActionResult(error))
        headers["status"] = str(status or worded)
        headers, body = self._enrich_response(headers, body)
        return status or worded, headers, body
