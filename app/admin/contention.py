"""Try a use case again when the database could not serialize it with another one.

A use case is one transaction, so what failed has left nothing behind. PostgreSQL's default
isolation never asks for this; engines that are always serializable do (SQLSTATE 40001).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from app.errors import Contended

T = TypeVar("T")

ATTEMPTS = 8
FIRST_PAUSE = 0.005
"""Seconds; doubled each time, of which a random part is waited."""


def until_settled(act: Callable[[], T]) -> T:
    """What ``act`` answers. Raises Contended, which is Unavailable, when it never comes through."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return act()
        except Contended:
            time.sleep(random.uniform(0, FIRST_PAUSE * 2**attempt))  # noqa: S311 - no secret
    return act()
