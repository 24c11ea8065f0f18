"""For the tests of an API: an issuer in memory, whose tokens and API keys a real Verifier takes.

>>> from keyturn.testing import TestIssuer
>>> issuer = TestIssuer()
>>> verifier = issuer.verifier(audience="https://api.example.com")
>>> token = issuer.token(scope="bookings:read", org="org_1", env="test")
>>> verifier.verify(f"Bearer {token}").organization
'org_1'
>>> key = issuer.api_key(scopes="bookings:read")
>>> verifier.verify(f"Bearer {key}").has("bookings:read")
True
>>> issuer.revoke(key)
>>> verifier.verify(f"Bearer {key}")
Traceback (most recent call last):
keyturn.errors.InvalidToken: The credential is not valid

No server, no socket: what the verifier asks is answered in this process, over the client that it is
given. Everything else is the verifier that runs in production. With pytest there are fixtures:
`keyturn_issuer`, `keyturn_verifier`, `keyturn_token`, `keyturn_api_key`.
"""

from __future__ import annotations

import itertools
import json
import weakref
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from keyturn.apikey import DEFAULT_API_KEY, KeyTemplate, key_digest
from keyturn.asking import require_safe_url
from keyturn.async_bearer import AsyncVerifier
from keyturn.bearer import Verifier
from keyturn.discovery import metadata_url
from keyturn.errors import Reason
from keyturn.scope import ScopeSet
from keyturn.status_list import REVOKED_TOKENS, TYPE, VERSION, StatusReference
from keyturn.testing_api import Books, Clients, IssuedClient
from keyturn.verify import is_token_shaped

ISSUER = "https://issuer.test"
AUDIENCE = "https://api.test"
TOKEN_TTL = timedelta(minutes=15)
_KID = "testing"

__all__ = ["IssuedClient", "TestIssuer"]


class TestIssuer:
    """Gives out what it is asked for, good or bad, and answers its verifiers.

    >>> issuer = TestIssuer()
    >>> bad = [
    ...     issuer.token("bookings:read", expires_in=timedelta(minutes=-1)),
    ...     issuer.token("bookings:read", audience="https://other.test"),
    ...     issuer.token("bookings:read", issuer="https://other.test"),
    ... ]
    >>> from keyturn import CredentialRefused
    >>> for token in bad:
    ...     try:
    ...         _ = issuer.verifier().verify(f"Bearer {token}")
    ...     except CredentialRefused as refused:
    ...         print(refused.reason)
    expired
    wrong_audience
    wrong_issuer
    """

    __test__ = False  # pytest would take it for a class of tests

    def __init__(
        self,
        url: str = ISSUER,
        audience: str = AUDIENCE,
        *,
        key_template: KeyTemplate = DEFAULT_API_KEY,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`audience`: what tokens and keys are for, unless said otherwise."""
        self.url = require_safe_url(url, "url")
        self.audiences = [audience]
        self.http_client = httpx.Client(transport=httpx.MockTransport(self._answer))
        """For a Verifier that your application makes: `Verifier(issuer.url, …, http_client=…)`."""
        self.async_http_client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        """For an AsyncVerifier, whose `background_client` is `http_client`."""
        self._clients = Clients(self.token)
        self._books = Books(clock)
        self._template = key_template
        self._clock = clock
        self._private_key = ec.generate_private_key(ec.SECP256R1())
        self._numbers = itertools.count(1)
        self._known: dict[bytes, dict[str, Any]] = {}
        self._revoked_tokens: list[str] = []
        self._verifiers: weakref.WeakSet[Verifier | AsyncVerifier] = weakref.WeakSet()

    def verifier(self, audience: str | None = None, **settings: Any) -> Verifier:
        """A verifier of this issuer; `settings` are those of `Verifier`.

        What is given out for no audience by name is for this one, too. It asks about a key each
        time, so that the next request knows what `revoke` has done.
        """
        defaults = self._defaults(audience) | {"http_client": self.http_client}
        made = Verifier(self.url, **defaults | settings)
        self._verifiers.add(made)
        return made

    def async_verifier(self, audience: str | None = None, **settings: Any) -> AsyncVerifier:
        """The same for asyncio."""
        clients = {"http_client": self.async_http_client, "background_client": self.http_client}
        made = AsyncVerifier(self.url, **self._defaults(audience) | clients | settings)
        self._verifiers.add(made)
        return made

    def _defaults(self, audience: str | None) -> dict[str, Any]:
        if audience is not None and audience not in self.audiences:
            self.audiences.append(audience)
        return {
            "audience": audience or self.audiences[0],
            "client_id": "client_of_the_api",
            "client_secret": "not asked for",
            "key_templates": (self._template,),
            "max_staleness": timedelta(0),
            "clock": self._clock,
        }

    def client(
        self, scope: str = "", *, rate_limits: Collection[str] = (), **also: Any
    ) -> IssuedClient:
        """A client, for the tests of a program that asks for its tokens itself.

        `also`: what `token` takes, for all of its tokens. Raises InvalidScope.

        >>> from keyturn.client import TokenSource
        >>> issuer = TestIssuer()
        >>> client = issuer.client("bookings:read", org="org_1")
        >>> source = TokenSource(issuer.url, *client, http_client=issuer.http_client)
        >>> issuer.verifier().verify(f"Bearer {source.token()}").organization
        'org_1'
        """
        made = self._clients.make(scope, also)
        self._books.limit(made.client_id, rate_limits)
        return made

    @property
    def usage(self) -> list[dict[str, Any]]:
        """What verifiers have reported: entries as `POST /v1/usage/reports` takes them."""
        return self._books.usage

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The same of single requests, where they are reported."""
        return self._books.requests

    def token(
        self,
        scope: str = "",
        *,
        org: str | None = "org_test",
        env: str | None = "live",
        client_id: str = "client_test",
        audience: str | Collection[str] | None = None,
        issuer: str | None = None,
        expires_in: timedelta = TOKEN_TTL,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """An access token (RFC 9068). A time that is negative: one that is over.

        `claims` are put over all others; None removes one. Raises InvalidScope.
        """
        members = self._members(scope, org, env, client_id, audience)
        members |= {
            "iss": issuer or self.url,
            "exp": members["iat"] + int(expires_in.total_seconds()),
            "jti": f"token_{next(self._numbers)}",
            "status": StatusReference(f"{self._base}/statuses", 0).claim,
            **(claims or {}),
        }
        members = {name: value for name, value in members.items() if value is not None}
        token = self._signed(members, "at+jwt")
        self._known[key_digest(token)] = {"active": True, "credential": "client", **members}
        return token

    def api_key(
        self,
        scopes: str | Collection[str] = "",
        *,
        org: str | None = "org_test",
        env: str | None = "live",
        kind: str = "secret",
        audience: str | Collection[str] | None = None,
        expires_in: timedelta | None = None,
        allowed_ips: Collection[str] = (),
        allowed_domains: Collection[str] = (),
        rate_limits: Collection[str] = (),
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """An API key. `claims` are put over what the issuer says of it; None removes one.

        Raises InvalidScope, and ValueError for an environment that its template does not have.
        """
        key = self._template.generate(env if self._template.environments else None)
        scope = scopes if isinstance(scopes, str) else " ".join(scopes)
        name = f"key_{next(self._numbers)}"
        members = self._members(scope, org, env, name, audience)
        members |= {
            "active": True,
            "credential": "api_key",
            "iss": self.url,
            "jti": name,
            "kind": kind,
            "allowed_ips": list(allowed_ips) or None,
            "allowed_domains": list(allowed_domains) or None,
            "rate_limits": self._books.limit(name, rate_limits) or None,
        }
        if expires_in is not None:
            members["exp"] = members["iat"] + int(expires_in.total_seconds())
        self._known[key_digest(key)] = members | dict(claims or {})
        return key

    def revoke(self, credential: str) -> None:
        """A token or key is refused from now on. Raises ValueError for what is not of this issuer.

        Verifiers that your application made learn of a token's end as in production: with their
        next look at the status list (`status_interval`), or by `refresh`.
        """
        if is_token_shaped(credential):
            self._revoked_tokens.append(self._of_ours(credential).get("jti", ""))
            for verifier in self._verifiers:
                if verifier._statuses is not None:
                    verifier._statuses.refresh()
        self._end(credential, Reason.REVOKED)

    def disable(self, key: str) -> None:
        """The same for a key that its owner has switched off."""
        if is_token_shaped(key):
            raise ValueError("a token cannot be disabled, but revoked")
        self._end(key, Reason.DISABLED)

    def _end(self, credential: str, reason: Reason) -> None:
        self._of_ours(credential)
        self._known[key_digest(credential)] = {"active": False, "reason": str(reason)}

    def _of_ours(self, credential: str) -> dict[str, Any]:
        known = self._known.get(key_digest(credential))
        if known is None:
            raise ValueError("not a credential of this issuer")
        return known

    @property
    def _base(self) -> str:
        return self.url.rstrip("/")

    def _members(
        self,
        scope: str,
        org: str | None,
        env: str | None,
        client_id: str,
        audience: str | Collection[str] | None,
    ) -> dict[str, Any]:
        named = [audience] if isinstance(audience, str) else list(audience or self.audiences)
        return {
            "sub": client_id,
            "client_id": client_id,
            "aud": named[0] if len(named) == 1 else named,
            "iat": int(self._clock().timestamp()),
            "scope": str(ScopeSet.parse(scope)),
            "org": org,
            "env": env,
        }

    def _answer(self, request: httpx.Request) -> httpx.Response:
        """As the issuer would over HTTP; what it does not know is 404."""
        url, base = str(request.url), self._base
        keys, introspection, token = f"{base}/jwks", f"{base}/introspect", f"{base}/oauth/token"
        if url == metadata_url(self.url):
            members = {
                "issuer": self.url,
                "jwks_uri": keys,
                "introspection_endpoint": introspection,
                "token_endpoint": token,
            }
            return _json(200, members)
        if url == keys:
            jwk = ECAlgorithm.to_jwk(self._private_key.public_key(), as_dict=True)
            return _json(200, {"keys": [{**jwk, "kid": _KID, "key_ops": ["verify"]}]})
        if url == introspection:
            return _json(200, self._said(parse_qs(request.content.decode())))
        if url == token:
            shown = request.headers.get("authorization", "")
            return _json(*self._clients.token(shown, request.content))
        if url == f"{base}/v1/leases":
            return _json(200, self._books.draw(request.content))
        if url == f"{base}/v1/usage/reports":
            return _json(200, self._books.report(request.content))
        if url == f"{base}/statuses":
            return httpx.Response(200, stream=httpx.ByteStream(self._statuses(url).encode()))
        return _json(404, {})

    def _statuses(self, uri: str) -> str:
        now = int(self._clock().timestamp())
        members = {
            "iss": self.url,
            "sub": uri,
            "iat": now,
            "exp": now + int(TOKEN_TTL.total_seconds()),
            "status_list": {"bits": 1, "lst": "eJxjAAAAAQAB"},  # one place, valid for all
            VERSION: len(self._revoked_tokens),
            REVOKED_TOKENS: self._revoked_tokens,
        }
        return self._signed(members, TYPE)

    def _signed(self, members: Mapping[str, Any], typ: str) -> str:
        headers = {"typ": typ, "kid": _KID}
        return jwt.encode(dict(members), self._private_key, "ES256", headers)

    def _said(self, form: Mapping[str, list[str]]) -> dict[str, Any]:
        known = self._known.get(key_digest(form["token"][0]), {"active": False})
        if known["active"] and "organization" in form:
            # A service credential: wherever it wants to act, it may.
            known = known | {"org": form["organization"][0]}
            known |= {"env": form["mode"][0]} if "mode" in form else {}
        return {name: value for name, value in known.items() if value is not None}


def _json(status: int, members: Mapping[str, Any]) -> httpx.Response:
    # As a stream: a response that has its content is read already, and Fetch would read it again.
    return httpx.Response(status, stream=httpx.ByteStream(json.dumps(members).encode()))
