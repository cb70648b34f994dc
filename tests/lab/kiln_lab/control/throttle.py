"""Calls that are refused because the account makes too many: at random, from a seed."""

from __future__ import annotations

import random


class Throttle:
    """Refuses each call with a fixed probability. Used under the control plane's lock."""

    def __init__(self, probability: float = 0.0, seed: int = 0) -> None:
        """`probability` lies between 0 (never) and 1 (always)."""
        self.probability = probability
        self._draw = random.Random(f"throttle {seed}")

    def refuses(self) -> bool:
        """Draws for one call."""
        return self.probability > 0 and self._draw.random() < self.probability
