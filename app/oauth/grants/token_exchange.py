"""An API key for a short token that may do no more than the key (RFC 8693)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import InvalidClient, InvalidRequest

if TYPE_CHECKING:
    from app.oauth.request import Exchange
    from app.oauth.server import TokenServer

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name (§3)
JWT = "urn:ietf:params:oauth:token-type:jwt"


class TokenExchange:
    """Whoever holds the key acts for itself: possession is the proof, and a client need not be
    named. One that is named must prove itself, and gets the key's token, not its own."""

    GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"

    def __init__(self, request: Exchange, server: TokenServer) -> None:
        self.request = request
        self.server = server
        self._issued_type = request.payload.form.get("requested_token_type", ACCESS_TOKEN)

    def validate_token_request(self) -> None:
        """What is not understood is refused, never passed over (§2.1, §2.2.2)."""
        form = self.request.payload.form
        for name in ("actor_token", "actor_token_type"):
            if name in form:
                raise InvalidRequest(f"{name} is not supported")
        if form.get("subject_token_type") != ACCESS_TOKEN:
            raise InvalidRequest(f"subject_token_type must be {ACCESS_TOKEN}")
        if self._issued_type not in (ACCESS_TOKEN, JWT):
            raise InvalidRequest("requested_token_type is not supported")
        if not form.get("subject_token"):
            raise InvalidRequest("subject_token is missing")
        try:
            self.server.authenticate_client(self.request)
        except InvalidClient as error:
            if error.detail != "missing":
                raise
        self.server.accept_key(self.request, form["subject_token"])

    def create_token_response(self) -> tuple[int, dict[str, object], None]:
        issued = self.server.issue(self.request)
        return 200, {**issued, "issued_token_type": self._issued_type}, None
