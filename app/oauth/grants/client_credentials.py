"""The client asks for itself (RFC 6749 §4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant

from app.errors import UnauthorizedClient

if TYPE_CHECKING:
    from app.oauth.request import Exchange
    from app.oauth.server import TokenServer


class ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]
    """Authlib's grant in our phases.

    Its own ``create_token_response`` would log the token at debug level, and reads the scope
    again from the request; the decision has been made once, here.
    """

    server: TokenServer

    def __init__(self, request: Exchange, server: TokenServer) -> None:
        self.request = request  # Authlib's also makes a table of hooks, each time
        self.server = server

    def validate_token_request(self) -> None:
        exchange = self.request
        client = self.server.authenticate_client(exchange)
        if self.GRANT_TYPE not in client.grant_types:
            raise UnauthorizedClient
        exchange.decision = self.server.decide(client, exchange.payload)

    def create_token_response(self) -> tuple[int, dict[str, object], None]:
        return 200, self.server.issue(self.request), None
