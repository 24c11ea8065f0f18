"""Which request this is about: what its log lines carry, wherever they are written."""

from __future__ import annotations

from contextvars import ContextVar

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set by the edges when a request begins. A thread serves one request at a time, and the next one
sets it anew; threads of the background never see it."""

TRACE_ID: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""Set while a span is open (``app.observe.tracing``)."""
