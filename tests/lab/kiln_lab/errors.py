"""The one error that the lab's own modules raise."""

from __future__ import annotations


class LabError(Exception):
    """Something that the lab wanted to do did not work.

    The message is lowercase, without a full stop, names in backticks; `remedy` says what to do about it.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message if remedy is None else f"{message}\nhelp: {remedy}")
        self.message = message
        self.remedy = remedy
