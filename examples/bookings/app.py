"""The application: settings, one verifier, one profile for every error.

granian --interface wsgi --factory examples.bookings.app:create_app
flask --app examples.bookings.app run
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from flask import Blueprint, Flask, Response, g
from flask.json.provider import DefaultJSONProvider
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from examples.bookings import guard, routes
from examples.bookings.policy import POLICY
from examples.bookings.store import Conflict, Missing, Store
from keyturn import DEFAULT_API_KEY, Guard, KeyTemplate, MaskingFilter, RoutePolicy, Verifier
from keyturn.flask import failure, protect, register_refusals
from keyturn.limits.leases import LeasedLimits
from keyturn.limits.local import LocalLimits
from keyturn.profiles import DEFAULT_PROFILE
from keyturn.usage import UsageReporter

REALM = "bookings"
MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Where credentials come from, and as whom this API asks about them."""

    issuer: str
    audience: str
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    max_staleness: timedelta = timedelta(seconds=15)
    key_templates: tuple[KeyTemplate, ...] = (DEFAULT_API_KEY,)
    profile: str = DEFAULT_PROFILE
    environment: str | None = None
    rate_limits: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """ISSUER and AUDIENCE; CLIENT_ID and CLIENT_SECRET to take API keys too; MAX_STALENESS;
        KEY_TEMPLATES and PROFILE, as the organization at the issuer has them; ENVIRONMENT;
        RATE_LIMITS.
        """
        try:
            return cls(
                issuer=environ["ISSUER"],
                audience=environ["AUDIENCE"],
                client_id=environ.get("CLIENT_ID"),
                client_secret=environ.get("CLIENT_SECRET"),
                max_staleness=timedelta(seconds=float(environ.get("MAX_STALENESS", "15"))),
                key_templates=tuple(
                    KeyTemplate.of(one) for one in json.loads(environ.get("KEY_TEMPLATES", "[{}]"))
                ),
                profile=environ.get("PROFILE", DEFAULT_PROFILE),
                environment=environ.get("ENVIRONMENT"),
                rate_limits=tuple(environ.get("RATE_LIMITS", "").split()),
            )
        except KeyError as missing:
            raise SystemExit(f"bookings: set {missing.args[0]}") from None
        except (ValueError, TypeError) as error:
            raise SystemExit(f"bookings: MAX_STALENESS or KEY_TEMPLATES: {error}") from None


def create_app(
    settings: Settings | None = None,
    blueprints: Sequence[Blueprint] = (routes.health, routes.v1, routes.people, routes.widget),
    policy: RoutePolicy = POLICY,
    http_client: httpx.Client | None = None,
) -> Flask:
    """Without settings: those of the environment, and a log on stderr. `http_client`: for tests."""
    if settings is None:
        settings = Settings.from_env(os.environ)
        logging.basicConfig(format="%(asctime)s %(name)s %(message)s")
        logging.getLogger("keyturn").setLevel(logging.INFO)  # why a credential was refused
        for handler in logging.getLogger().handlers:
            handler.addFilter(MaskingFilter(settings.key_templates))
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json = Json(app)
    app.extensions[guard.STORE] = Store()
    verifier = app.extensions[guard.VERIFIER] = Verifier(
        settings.issuer,
        audience=settings.audience,
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        max_staleness=settings.max_staleness,
        key_templates=settings.key_templates,
        environment=settings.environment,
        http_client=http_client,
    )
    app.before_request(begin)
    app.after_request(finish)
    register_refusals(  # 401, 403, 503
        app, realm=REALM, request_id=lambda: g.request_id, profile=settings.profile
    )
    app.register_error_handler(HTTPException, refused_by_flask)
    app.register_error_handler(ValidationError, invalid)
    app.register_error_handler(Missing, lambda error: failure(404, "not_found", str(error)))
    app.register_error_handler(Conflict, lambda error: failure(409, "conflict", str(error)))
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    # With credentials of its own, together with every other worker; else each for itself.
    limits = settings.rate_limits
    counting = LeasedLimits(verifier, *limits) if settings.client_id else LocalLimits(*limits)
    usage = UsageReporter(verifier) if settings.client_id else None
    protect(app, Guard(verifier, limits=counting, usage=usage), policy)
    return app


class Json(DefaultJSONProvider):
    """Times in RFC 3339, not as in HTTP headers."""

    sort_keys = False

    @staticmethod
    def default(value: Any) -> Any:
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        return DefaultJSONProvider.default(value)


def begin() -> None:
    g.request_id = f"req_{secrets.token_hex(8)}"


def finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    return response


def invalid(error: ValidationError) -> Response:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or "body"
    return failure(400, "invalid_request", f"{place}: {first['msg']}"[:200])


def refused_by_flask(error: HTTPException) -> Response:
    """404 for no route, 405, 413, and 500 for a bug of ours (which is in the log)."""
    response = failure(error.code or 500, error.name.lower().replace(" ", "_"), error.name)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(error.valid_methods)
    return response
