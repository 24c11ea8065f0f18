"""Authlib's Flask server as its documentation builds it, reduced to client credentials.

Clients and tokens in SQLAlchemy models with Authlib's mixins, its functions for querying and
saving them, JWT access tokens by ``JWTBearerTokenGenerator`` (RFC 9068), signed with ES256.
Served by ``granian benchmarks.peers.authlib_flask:app``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.sqla_oauth2 import (
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_query_client_func,
    create_save_token_func,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, Response
from flask_sqlalchemy import SQLAlchemy
from joserfc.jwk import ECKey, KeySet

SETTINGS, DATABASE, SAVES = "BENCHMARK_PEER", "BENCHMARK_DATABASE", "BENCHMARK_SAVES_TOKENS"
"""Variables: a JSON file (issuer, audience, scope, clients), a database file; "1" or "0"."""

db = SQLAlchemy()


class OAuth2Client(db.Model, OAuth2ClientMixin):  # type: ignore[misc,name-defined]
    __tablename__ = "oauth2_client"
    id = db.Column(db.Integer, primary_key=True)


class OAuth2Token(db.Model, OAuth2TokenMixin):  # type: ignore[misc,name-defined]
    __tablename__ = "oauth2_token"
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer)


class _Jwt(JWTBearerTokenGenerator):  # type: ignore[misc]
    def __init__(self, issuer: str, audience: str) -> None:
        super().__init__(issuer, alg="ES256")
        key = ECKey.generate_key("P-256", parameters={"use": "sig", "alg": "ES256"})
        self._jwks, self._audience = KeySet([key]), audience

    def get_jwks(self) -> KeySet:
        return self._jwks

    def get_audiences(self, client: Any, user: Any, scope: str) -> str:
        return self._audience


def create_app(settings: dict[str, Any], database: str, *, saves_tokens: bool) -> Flask:
    """``saves_tokens``: as the documented server does, which JWTs do not need."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{database}"
    db.init_app(app)
    with app.app_context():
        db.create_all()
        for credentials in settings["clients"]:
            client = OAuth2Client(**credentials)
            client.set_client_metadata(
                {
                    "grant_types": ["client_credentials"],
                    "scope": settings["scope"],
                    "token_endpoint_auth_method": "client_secret_basic",
                }
            )
            db.session.add(client)
        db.session.commit()
        db.engine.dispose()  # workers are forked
    save = create_save_token_func(db.session, OAuth2Token)
    server = AuthorizationServer(
        app,
        query_client=create_query_client_func(db.session, OAuth2Client),
        save_token=save if saves_tokens else lambda token, request: None,
    )
    server.register_token_generator("default", _Jwt(settings["issuer"], settings["audience"]))
    server.register_grant(ClientCredentialsGrant)

    @app.post("/oauth/token")
    def issue_token() -> Response:
        answer: Response = server.create_token_response()
        return answer

    return app


if SETTINGS in os.environ:
    app = create_app(
        json.loads(Path(os.environ[SETTINGS]).read_text()),
        os.environ[DATABASE],
        saves_tokens=os.environ[SAVES] == "1",
    )
