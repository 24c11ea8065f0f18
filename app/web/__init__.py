"""HTTP EDGES: a thin WSGI layer for the OAuth endpoints, Flask for everything else."""

from __future__ import annotations

from functools import partial
from time import perf_counter

from flask import Response, g, request
from flask_openapi3 import OpenAPI

from app.admin.contention import until_settled
from app.ids import new_request_id
from app.oauth import metadata as paths
from app.oauth.request import OAuthRequest, OAuthResponse
from app.observe.context import BEGAN, REQUEST_ID
from app.observe.tracing import ROUTE, traced
from app.web import api, dashboard, leaks, metrics, problems, status_lists, well_known
from app.web.exposure import tell_of_url, tell_owner
from app.web.oauth import Endpoint, OAuthEdge
from app.web.origin import Proxies
from app.web.problems import API, invalid_input
from app.wiring import Services, services
from keyturn.errors import Reason

__all__ = ["invalid_input", "mount"]


def mount(app: OpenAPI) -> None:
    """Mount every edge."""
    found = services(app)
    proxies = Proxies(found.settings.trusted_proxies)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.url_map.merge_slashes = False  # another spelling of a path is another path, no redirect
    app.register_blueprint(well_known.blueprint)
    app.register_blueprint(status_lists.blueprint)
    app.register_blueprint(metrics.blueprint)
    app.register_blueprint(leaks.blueprint)
    dashboard.mount(app)
    api.mount(app)
    problems.register(app)

    @app.before_request
    def begin() -> None:
        g.request_id = new_request_id()
        REQUEST_ID.set(g.request_id)
        BEGAN.set(perf_counter())
        g.origin = proxies.origin(request.environ, g.request_id)
        g.is_secure = proxies.is_secure(request.environ)

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        REQUEST_ID.set(None)
        BEGAN.set(None)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if request.path.startswith(API):
            found.tally.api_answered(response.status_code)
            request.environ[ROUTE] = str(request.url_rule or API)
        return response

    endpoints = _endpoints(found)
    edge = OAuthEdge(
        app.wsgi_app,
        endpoints,
        proxies,
        found.settings.issuer,
        found.start,
        found.tally.answered,
        partial(tell_of_url, found),
        lambda key, origin: tell_owner(found, key, Reason.INSECURE_TRANSPORT, origin),
    )
    app.wsgi_app = traced(edge, found.settings, endpoints, API, found.background.then)  # type: ignore[method-assign,assignment]


def _endpoints(found: Services) -> dict[str, Endpoint]:
    def endpoint(name: str) -> Endpoint:
        def answer(request: OAuthRequest) -> OAuthResponse:
            return until_settled(lambda: found.server.create_endpoint_response(name, request))

        return answer

    return {
        paths.TOKEN: found.server.create_token_response,
        paths.INTROSPECT: endpoint("introspection"),
        paths.REVOKE: endpoint("revocation"),
    }
