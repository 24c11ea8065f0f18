"""Verification at a resource server: ours, other people's libraries, and the bare signature check.

CPU time in one process, all in turn; npm's in a process of Node's own, in the same run.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import jwt
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt as joserfc
from joserfc.jwk import KeySet

from benchmarks.installation import AUDIENCE
from benchmarks.report import table
from benchmarks.serving import Issuer
from benchmarks.timing import Effort, Measure, Timed, in_turn, timed
from keyturn import FixedKeys, TokenVerifier, Verifier
from keyturn.status_list import StatusReference
from keyturn.wire import base64url

TOKENS = 500
_NODE = shutil.which("node")
_NPM = Path(__file__).parent / "peers" / "verifiers"


def measures(issuer: str, jwks: Any, tokens: Sequence[str]) -> tuple[list[Measure], FixedKeys]:
    """The bare check, and ours over tokens never seen before."""
    keys = FixedKeys.of_jwks(jwks)
    key = keys.get(jwt.get_unverified_header(tokens[0])["kid"])
    if key is None or not isinstance(key.key, ec.EllipticCurvePublicKey):
        raise RuntimeError("the benchmark's installation signs with ES256")
    public, hashed, bare = key.key, ec.ECDSA(SHA256()), []
    for token in tokens:
        signed, _, signature = token.encode().rpartition(b".")
        raw = base64url(signature)
        r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
        bare.append((encode_dss_signature(r, s), signed))
    verifier = TokenVerifier(issuer=issuer, audience=AUDIENCE, keys=keys)
    return [
        Measure(
            "bare ES256 signature check",
            in_turn(lambda one: public.verify(one[0], one[1], hashed), bare),
        ),
        Measure("Keyturn TokenVerifier, cold", in_turn(verifier.verify, tokens)),
    ], keys


def verification(directory: Path, effort: Effort) -> None:
    """Print the table."""
    with Issuer.running(directory) as issuer:
        client, caller = issuer.client(), issuer.client(["keyturn:introspect"])
        tokens = [issuer.token(client) for _ in range(TOKENS)]
        jwks = issuer.http.get("/.well-known/jwks.json").json()
        first, keys = measures(issuer.url, jwks, tokens)
        verifier = Verifier(issuer.url, AUDIENCE, *caller, keys=keys)
        with closing(verifier):
            headers = [f"Bearer {token}" for token in tokens]
            key = f"Bearer {issuer.api_key()}"
            for header in (*headers, key):
                verifier.verify(header)
            place = StatusReference.read(jwt.decode(
                tokens[0], options={"verify_signature": False})["status"])  # fmt: skip
            statuses: Any = verifier._statuses
            ours = [
                Measure("Keyturn Verifier, warm token", in_turn(verifier.verify, headers)),
                Measure("Keyturn Verifier, key from cache", lambda: verifier.verify(key)),
                Measure(
                    "– the status check alone",
                    lambda: statuses.status(place, "x" * 30, time.time()),
                ),
            ]
            others = _python_peers(issuer, jwks, tokens)
            found = timed([*first, *ours, *others], effort)
        found += _npm_peers(directory, issuer, jwks, tokens, effort)
    heads = ["µs of CPU a call", "median", "lowest", "of the bare check"]
    lines = [
        [one.name, f"{one.median:.2f}", f"{one.lowest:.2f}", f"{one.share_of(found[0]):.2f}"]
        for one in found
    ]
    print(table(heads, lines))
    if missing := _missing():
        print(missing)


def _python_peers(issuer: Issuer, jwks: Any, tokens: Sequence[str]) -> list[Measure]:
    client = jwt.PyJWKClient(f"{issuer.url}/.well-known/jwks.json", lifespan=3600)

    def pyjwt(token: str) -> object:
        key = client.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=issuer.url)

    key_set = KeySet.import_key_set(jwks)
    registry = joserfc.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer.url}, aud={"essential": True, "value": AUDIENCE}
    )

    def by_joserfc(token: str) -> object:
        found = joserfc.decode(token, key_set, algorithms=["ES256"])
        registry.validate(found.claims)
        return found

    class Validator(JWTBearerTokenValidator):  # type: ignore[misc]
        """As Authlib's documentation has it for a ResourceProtector."""

        def get_jwks(self) -> Any:
            return key_set

    validator = Validator(issuer=issuer.url, resource_server=AUDIENCE)

    def authlib(token: str) -> object:
        found = validator.authenticate_token(token)
        validator.validate_token(found, None, None)
        return found

    return [
        Measure("PyJWT and PyJWKClient", in_turn(pyjwt, tokens)),
        Measure("joserfc", in_turn(by_joserfc, tokens)),
        Measure("Authlib's ResourceProtector", in_turn(authlib, tokens)),
    ]


def _npm_peers(
    directory: Path, issuer: Issuer, jwks: Any, tokens: Sequence[str], effort: Effort
) -> list[Timed]:
    if _missing() is not None:
        return []
    asked = directory / "verifiers.json"
    asked.write_text(
        json.dumps(
            {
                "issuer": issuer.url,
                "audience": AUDIENCE,
                "jwks": jwks,
                "tokens": tokens,
                "rounds": effort.rounds,
                "seconds": effort.seconds,
            }
        )
    )
    said = subprocess.run(
        [_NODE or "node", "verify.mjs", str(asked)],
        cwd=_NPM, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return [Timed(f"npm {name}", tuple(each)) for name, each in json.loads(said.stdout).items()]


def _missing() -> str | None:
    if _NODE is None:
        return "npm's jose and fast-jwt are not measured: no node"
    if not (_NPM / "node_modules" / "jose").is_dir():
        return "npm's jose and fast-jwt are not measured: not installed (`make bench` does)"
    return None
