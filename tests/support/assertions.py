"""Clients that sign: their keys, and the assertions they make with them (RFC 7523 §3)."""

import json
import secrets
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_KINDS = {
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "PS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
}


class SigningKey:
    """A private key of a client, and its public JWK."""

    def __init__(self, algorithm="ES256", kid=None, **also):
        make, self._kind = _KINDS[algorithm]
        self.algorithm, self.kid, self.private = algorithm, kid, make()
        public = json.loads(self._kind.to_jwk(self.private.public_key()))
        self.jwk = {**public, **({} if kid is None else {"kid": kid}), **also}

    @property
    def jwks(self):
        return {"keys": [self.jwk]}

    @property
    def private_jwk(self):
        return json.loads(self._kind.to_jwk(self.private))

    def sign(self, claims, header=(), algorithm=None):
        named = {"kid": self.kid, **dict(header)}
        present = {
            name: value for name, value in named.items() if value is not None or name == "typ"
        }
        return jwt.encode(claims, self.private, algorithm or self.algorithm, present)


def claims(client_id, audience, **also):
    """Of a good assertion; None leaves a claim out."""
    now = int(time.time())
    good = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + 60,
    }
    return {name: value for name, value in (good | also).items() if value is not None}


def proof(assertion, **also):
    """The parameters of a request."""
    return {"client_assertion_type": JWT_BEARER, "client_assertion": assertion} | also
