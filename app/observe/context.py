"""Which request this is about: what its log lines carry, wherever they are written."""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set by the edges when a request begins and unset when it is answered: what the thread does next
is somebody else's. Threads of the background never see one."""

BEGAN: ContextVar[float | None] = ContextVar("began", default=None)
"""When it began, by ``perf_counter``; set and unset together with its id."""

TRACE_ID: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""Set while a span is open (``app.observe.tracing``)."""


def remaining(seconds: float) -> float:
    """How long one may wait now: a request for so long in all, anybody else each time."""
    began = BEGAN.get()
    return max(0.0, seconds if began is None else seconds - (perf_counter() - began))
