"""Which request this is about: what its log lines carry, wherever they are written."""

from __future__ import annotations

from contextvars import ContextVar

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set by the edges when a request begins and unset when it is answered: what the thread does next
is somebody else's. Threads of the background never see one."""

TRACE_ID: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""Set while a span is open (``app.observe.tracing``)."""
