r"""Keyturn: verify scoped JWTs and API keys by one call.

A resource server makes one `Verifier` and shows it every Authorization header:

>>> from keyturn import CredentialRefused, Verifier
>>> verifier = Verifier("https://auth.example.com", audience="https://api.example.com")
>>> try:
...     principal = verifier.verify("Bearer kt_live_mistyped")
...     principal.require("bookings:read")
... except CredentialRefused as refused:
...     print(refused.status, refused.reason, refused.challenge_for("api"), sep="\n")
401
malformed
Bearer realm="api", error="invalid_token", error_description="The credential is not valid"

Tokens are verified offline, by the issuer's published keys. API keys need the API's own credentials
at the issuer (`client_id`, `client_secret`); an answer about a key is remembered for seconds.
`AsyncVerifier` is the same for asyncio. Framework glue is in `keyturn.flask`, `keyturn.fastapi`,
`keyturn.starlette`, `keyturn.django`, `keyturn.drf` and `keyturn.asgi`.
"""

from keyturn.acting import ActingHeaders
from keyturn.apikey import (
    ALPHABETS,
    BASE36,
    BASE62,
    DEFAULT_API_KEY,
    DEFAULT_CLIENT_SECRET,
    KeyParts,
    KeyTemplate,
    key_digest,
    last_four,
    prefix_of,
)
from keyturn.async_bearer import AsyncVerifier
from keyturn.authorization import unverified_issuer
from keyturn.bearer import Verifier, VerifierSettings
from keyturn.claims import UNSAFE_ANY_AUDIENCE, AccessTokenClaims
from keyturn.errors import (
    ActingRefused,
    BadChecksum,
    CredentialExposed,
    CredentialMalformed,
    CredentialMissing,
    CredentialRefused,
    InsufficientScope,
    InvalidScope,
    InvalidToken,
    KeyturnError,
    MalformedKey,
    RateLimited,
    Reason,
    RestrictionRefused,
    VerifierUnavailable,
)
from keyturn.guard import Admission, AsyncGuard, Guard, Seen
from keyturn.jwk import VerificationKey
from keyturn.jwks import FixedKeys, JwksUrl, KeySource
from keyturn.links import LinkTokens
from keyturn.masking import Masker, MaskingFilter
from keyturn.principal import Principal
from keyturn.profiles import PROFILES, Failure, present
from keyturn.proxies import Proxies
from keyturn.requirements import Requirement, all_of, any_of
from keyturn.resource import ProtectedResource
from keyturn.restrictions import Restrictions
from keyturn.routes import AUTHENTICATED, PUBLIC, PolicyRefused, Route, RoutePolicy
from keyturn.scope import Catalogue, Declared, Grant, ScopeSet
from keyturn.verify import TokenVerifier

__version__ = "0.1.0"

__all__ = [
    "ALPHABETS",
    "AUTHENTICATED",
    "BASE36",
    "BASE62",
    "DEFAULT_API_KEY",
    "DEFAULT_CLIENT_SECRET",
    "PROFILES",
    "PUBLIC",
    "UNSAFE_ANY_AUDIENCE",
    "AccessTokenClaims",
    "ActingHeaders",
    "ActingRefused",
    "Admission",
    "AsyncGuard",
    "AsyncVerifier",
    "BadChecksum",
    "Catalogue",
    "CredentialExposed",
    "CredentialMalformed",
    "CredentialMissing",
    "CredentialRefused",
    "Declared",
    "Failure",
    "FixedKeys",
    "Grant",
    "Guard",
    "InsufficientScope",
    "InvalidScope",
    "InvalidToken",
    "JwksUrl",
    "KeyParts",
    "KeySource",
    "KeyTemplate",
    "KeyturnError",
    "LinkTokens",
    "MalformedKey",
    "Masker",
    "MaskingFilter",
    "PolicyRefused",
    "Principal",
    "ProtectedResource",
    "Proxies",
    "RateLimited",
    "Reason",
    "Requirement",
    "RestrictionRefused",
    "Restrictions",
    "Route",
    "RoutePolicy",
    "ScopeSet",
    "Seen",
    "TokenVerifier",
    "VerificationKey",
    "Verifier",
    "VerifierSettings",
    "VerifierUnavailable",
    "all_of",
    "any_of",
    "key_digest",
    "last_four",
    "prefix_of",
    "present",
    "unverified_issuer",
]
