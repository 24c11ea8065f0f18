"""``client_secret_basic`` and ``client_secret_post`` (RFC 6749 §2.3.1)."""

from __future__ import annotations

from binascii import a2b_base64
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import ClassVar
from urllib.parse import unquote_plus

from app.errors import InvalidClient, InvalidRequest
from app.oauth.request import OAuthRequest
from app.records import Client
from keyturn.apikey import key_digest

SECRET_METHODS = frozenset({"client_secret_basic", "client_secret_post"})
"""Who has a secret may send it either way: the proof is the same."""

MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class PresentedSecret:
    """A client_id and a secret, as sent."""

    client_id: str
    digest: bytes = field(repr=False)
    failure: ClassVar[str] = "secret_mismatch"

    def proves(self, client: Client, now: float) -> str | None:
        """The id of the secret that fits and has not expired; digests compared in constant time."""
        for secret in client.secrets:
            if compare_digest(secret.digest, self.digest):
                expired = secret.expires_at is not None and secret.expires_at <= now
                return None if expired else secret.id
        return None


def _presented(client_id: str, secret: str) -> PresentedSecret:
    if not client_id or not secret or len(client_id) > MAX_LENGTH or len(secret) > MAX_LENGTH:
        raise InvalidClient(detail="malformed")
    # Of the whole text, so that nothing padded or cut compares equal.
    return PresentedSecret(client_id, key_digest(secret))


class ClientSecretBasic:
    """HTTP Basic; id and secret are form-encoded inside (RFC 6749 §2.3.1).

    What we generate is ``[A-Za-z0-9_-]``, so it reads the same decoded and raw.
    """

    name = "client_secret_basic"
    accepts = SECRET_METHODS

    def is_used(self, request: OAuthRequest) -> bool:
        return request.authorization is not None

    def read(self, request: OAuthRequest) -> PresentedSecret:
        scheme, _, encoded = (request.authorization or "").partition(" ")
        if scheme.lower() != "basic":
            raise InvalidClient(detail="malformed")
        try:
            text = a2b_base64(encoded.strip(" "), strict_mode=True).decode("utf-8")
        except ValueError:
            raise InvalidClient(detail="malformed") from None
        user, colon, password = text.partition(":")
        if not colon:
            raise InvalidClient(detail="malformed")
        presented = _presented(_form_decoded(user), _form_decoded(password))
        if request.client_id not in (None, presented.client_id):
            raise InvalidRequest("The client_id in the body differs from the one in Authorization")
        return presented


class ClientSecretPost:
    """Both in the body."""

    name = "client_secret_post"
    accepts = SECRET_METHODS

    def is_used(self, request: OAuthRequest) -> bool:
        return "client_secret" in request.form

    def read(self, request: OAuthRequest) -> PresentedSecret:
        return _presented(request.client_id or "", request.form["client_secret"])


def _form_decoded(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text
