"""Keyturn's server: turn a key into a token."""

from __future__ import annotations

from collections.abc import Mapping

from flask.typing import ResponseReturnValue
from flask_migrate import Migrate
from flask_openapi3 import Info, OpenAPI

from app import cli, web
from app.admin.contention import until_settled
from app.errors import StartRefused
from app.observe import logs
from app.settings import Settings
from app.storage.engine import database_uri, engine_options, prepare
from app.storage.models import db
from app.storage.schema import MIGRATIONS
from app.wiring import wire
from keyturn import __version__


class Server(OpenAPI):
    """The Flask app: a view is one use case, and called again when the database asks for it."""

    def dispatch_request(self) -> ResponseReturnValue:
        return until_settled(super().dispatch_request)


def create_app(settings: Settings) -> OpenAPI:
    """Build the services and mount the edges; nothing is read from the database yet."""
    app = Server(
        __name__,
        info=Info(title="Keyturn", version=__version__),
        doc_ui=False,
        validation_error_callback=web.invalid_input,
    )
    app.config["SQLALCHEMY_DATABASE_URI"] = database_uri(settings)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    with app.app_context():
        engine = db.engine
    prepare(engine, settings)
    app.extensions["keyturn"] = wire(settings, engine)
    web.mount(app)
    cli.register(app)
    return app


def start(environ: Mapping[str, str]) -> OpenAPI:
    """The app as the environment says; a setting that cannot be is one line and exit status 1."""
    try:
        settings = Settings.from_env(environ)
        logs.configure(settings)
        return create_app(settings)
    except StartRefused as refusal:
        raise SystemExit(f"keyturn: {refusal.description}") from None
