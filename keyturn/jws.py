"""Compact JWS: what was signed, once the signature is checked (RFC 7515 §5.2)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from keyturn import wire
from keyturn.errors import InvalidToken, Reason
from keyturn.jwk import MAX_KID_LENGTH, VerificationKey, supported
from keyturn.jwks import KeySource

# Refused by their mere presence. crit: we implement no extension (RFC 7515 §4.1.11). b64: forbidden
# in a JWT (RFC 7797 §7). zip, enc: JWE. The others name or hold a key: ours is never chosen by the
# token.
_REFUSED = frozenset({"crit", "b64", "zip", "enc", "jwk", "jku", "x5c", "x5u"})
# Headers differ by key only. Those that a signature has confirmed need not be parsed again.
_MAX_HEADERS = 64


@dataclass(frozen=True, slots=True)
class _Header:
    alg: str
    kid: str


class SignatureCheck:
    """Checks signatures of one kind of JWT by the keys of one source."""

    def __init__(
        self, keys: KeySource, algorithms: Collection[str], types: Collection[str]
    ) -> None:
        """`types` are values of `typ`, in lower case."""
        self._keys = keys
        self._algorithms = frozenset(supported(algorithms))
        self._types = frozenset(types)
        self._headers: dict[bytes, _Header] = {}

    def payload(self, token: str) -> tuple[bytes, VerificationKey]:
        """What was signed, and by which key; the length of `token` must have been bounded before.

        Raises InvalidToken, or VerifierUnavailable when the keys cannot be had.
        """
        # The order matters: the form before any decoding, the header's claims about itself before a
        # key is asked for, the signature before the payload is given to anybody.
        try:
            signed, _, signature = token.encode("ascii").rpartition(b".")
            protected, dot, payload = signed.partition(b".")
            if not dot or b"." in payload:  # a JWE has five parts
                raise InvalidToken(Reason.MALFORMED, detail="not three parts")
            header = self._headers.get(protected) or self._read_header(protected)
            key = self._keys.get(header.kid)
            if key is None:
                raise InvalidToken(Reason.UNKNOWN_KEY, detail=f"kid {header.kid!a}")
            # The key decides, and the header must agree: alg of the header, of the key, and ours.
            if key.alg != header.alg:
                raise InvalidToken(Reason.UNSUPPORTED_ALGORITHM, detail=f"{header.alg!a} for {key}")
            if not key.verify(signed, wire.base64url(signature)):
                raise InvalidToken(Reason.BAD_SIGNATURE, detail=f"kid {header.kid!a}")
            if protected not in self._headers and len(self._headers) < _MAX_HEADERS:
                self._headers[protected] = header
            return wire.base64url(payload), key
        except (wire.Unreadable, UnicodeEncodeError) as error:
            detail = getattr(error, "detail", "not ASCII")
            raise InvalidToken(Reason.MALFORMED, detail=detail) from None

    def _read_header(self, protected: bytes) -> _Header:
        members = wire.json_object(wire.base64url(protected))
        if not _REFUSED.isdisjoint(members):
            names = sorted(_REFUSED & members.keys())
            raise InvalidToken(Reason.MALFORMED, detail=f"header names {', '.join(names)}")
        alg, typ, kid = (wire.text(members, name) for name in ("alg", "typ", "kid"))
        if alg not in self._algorithms:
            raise InvalidToken(Reason.UNSUPPORTED_ALGORITHM, detail=f"alg {alg!a}")
        # RFC 8725 §3.11: any other kind of JWT of this issuer is not the kind that is asked for.
        if typ.lower() not in self._types:
            raise InvalidToken(Reason.WRONG_TYPE, detail=f"typ {typ!a}")
        if len(kid) > MAX_KID_LENGTH:
            raise InvalidToken(Reason.MALFORMED, detail="kid is very long")
        return _Header(alg, kid)
