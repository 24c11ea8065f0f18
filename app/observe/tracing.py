"""Traces by OpenTelemetry, where they are asked for: one span for each request (W3C Trace Context).

A layer of its own around everything else, put there only when ``KEYTURN_TRACES_ENDPOINT`` is set
and the extra ``otel`` is installed: otherwise nothing of it is imported, and no request pays.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from app.observe.context import TRACE_ID
from app.settings import Settings
from keyturn import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
AtEnd = Callable[[Callable[[], object]], object]

ROUTE = "keyturn.route"
"""Where Flask leaves the rule that a path fitted, in the request's environment."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def traced(
    wsgi: Wsgi, settings: Settings, endpoints: Collection[str], below: str, at_end: AtEnd
) -> Wsgi:
    """``wsgi`` with a span for each request to ``endpoints`` and to what lies ``below``; itself,
    where no traces are wanted. ``at_end`` is told how the last spans are sent."""
    if settings.traces_endpoint is None:
        return wsgi
    try:
        missing = [name for name in PACKAGES if find_spec(name) is None]
    except ModuleNotFoundError as error:
        missing = [str(error.name)]
    if missing:
        log.warning(
            "KEYTURN_TRACES_ENDPOINT is set, but %s is not installed: no traces; "
            "pip install -r requirements/otel.lock",
            missing[0],
        )
        return wsgi
    return TracedEdge(wsgi, settings, endpoints, below, at_end)


class TracedEdge:
    """A span says method, route, status and request id. It never says a path: people put keys
    into paths, and ids of ours are nobody else's business."""

    def __init__(
        self,
        wsgi: Wsgi,
        settings: Settings,
        endpoints: Collection[str],
        below: str,
        at_end: AtEnd,
    ) -> None:
        self._wsgi = wsgi
        self._settings = settings
        self._at_end = at_end
        self._endpoints = frozenset(endpoints)
        self._below = below
        self._tracer: Tracer | None = None
        self._starting = threading.Lock()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in self._endpoints and not path.startswith(self._below):
            return self._wsgi(environ, start_response)
        from opentelemetry.trace import SpanKind, format_trace_id

        method = environ["REQUEST_METHOD"]
        method = method if method in METHODS else "_OTHER"
        with self._started().start_as_current_span(
            f"{method} {path}" if path in self._endpoints else method,
            context=_parent(environ),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method},
            record_exception=False,
        ) as span:
            context = span.get_span_context()
            token = TRACE_ID.set(
                format_trace_id(context.trace_id) if context.trace_flags.sampled else None
            )
            try:
                return self._wsgi(environ, _noting(span, start_response))
            finally:
                TRACE_ID.reset(token)
                route = path if path in self._endpoints else environ.get(ROUTE)
                if route and span.is_recording():
                    span.set_attribute("http.route", route)
                    span.update_name(f"{method} {route}")

    def _started(self) -> Tracer:
        # With the first request, because its thread would be lost to workers that are forked.
        with self._starting:
            if self._tracer is None:
                provider = _provider(self._settings)
                self._at_end(provider.shutdown)
                self._tracer = provider.get_tracer("keyturn", __version__)
            return self._tracer


def _parent(environ: Environ) -> Any:
    """The caller's span (https://www.w3.org/TR/trace-context/); a new trace where it names none."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier = {
        name: environ[variable]
        for name, variable in (
            ("traceparent", "HTTP_TRACEPARENT"),
            ("tracestate", "HTTP_TRACESTATE"),
        )
        if variable in environ
    }
    return TraceContextTextMapPropagator().extract(carrier, context=Context())


def _noting(span: Span, start_response: StartResponse) -> StartResponse:
    from opentelemetry.trace import StatusCode

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        code = int(status[:3])
        span.set_attribute("http.response.status_code", code)
        if code >= 500:
            span.set_attribute("error.type", str(code))
            span.set_status(StatusCode.ERROR)
        for name, value in headers:
            if name == "X-Request-Id":
                span.set_attribute("keyturn.request_id", value)
        return start_response(status, headers, *more)

    return start


def _provider(settings: Settings) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    ours = Resource({"service.name": "keyturn", "service.version": __version__})
    by_trace_id = TraceIdRatioBased(settings.traces_ratio)
    provider = TracerProvider(
        resource=ours.merge(OTELResourceDetector().detect()),  # OTEL_SERVICE_NAME and the like
        # Our share also of what callers want traced: theirs is not ours to pay.
        sampler=ParentBased(by_trace_id, remote_parent_sampled=by_trace_id),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(settings.traces_endpoint)))
    return provider
