"""A status list: bits that say which tokens and keys still hold (draft-ietf-oauth-status-list).

The section numbers are those of draft 21. How lists are kept up to date is in `keyturn.statuses`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from keyturn import wire

TYPE: Final = "statuslist+jwt"
MEDIA_TYPE: Final = "application/statuslist+jwt"
VALID: Final = 0
INVALID: Final = 1
"""Revoked; it stays so (§7.1)."""
SUSPENDED: Final = 2
"""Invalid for the time being."""

# Claims of our own, which §5.1 allows ("The JWT MAY contain other claims").
REVOKED_TOKENS: Final = "revoked_jtis"
VERSION: Final = "version"

MAX_STATUSES = 4 * 1024 * 1024
"""Bytes that a list may have after decompression: 16 million places at two bits."""


class StatusReference(NamedTuple):
    """A place in a published list, as a token or an introspection names it (§6.2).

    >>> StatusReference.read({"status_list": {"idx": 7, "uri": "https://auth.example.com/s/1"}})
    StatusReference(uri='https://auth.example.com/s/1', idx=7)
    """

    uri: str
    idx: int

    @classmethod
    def read(cls, status: Mapping[str, Any] | None) -> StatusReference | None:
        """From a `status` claim; None where it names no status list. Raises Unreadable."""
        if status is None or "status_list" not in status:
            return None
        place = status["status_list"]
        if type(place) is not dict:
            raise wire.Unreadable(detail="status_list is not an object")
        idx = place.get("idx")
        if type(idx) is not int or idx < 0:
            raise wire.Unreadable(detail="idx is not a number of a place")
        return cls(wire.text(place, "uri"), idx)

    @property
    def claim(self) -> dict[str, Any]:
        """The `status` claim that names it."""
        return {"status_list": {"idx": self.idx, "uri": self.uri}}


@dataclass(frozen=True, slots=True)
class StatusList:
    """What a status list token says, once its signature is checked; instants as on the wire.

    >>> found = StatusList.read(
    ...     b'{"sub": "https://a.example/1", "iat": 1686920170, "exp": 2291720170, "ttl": 43200,'
    ...     b' "status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}}',
    ...     "https://a.example/1",
    ... )
    >>> [found.status_of(idx) for idx in (0, 1, 14, 15, 16)]  # the example of §4.1
    [1, 0, 0, 1, None]
    """

    bits: int
    statuses: bytes = field(repr=False)
    iat: int
    exp: int | None
    ttl: int | None
    version: int
    """Raised by our server with every change; 0 where there is none."""
    revoked: frozenset[str] = field(repr=False)
    """`jti` of tokens revoked one by one (RFC 7009)."""

    @classmethod
    def read(cls, payload: bytes, uri: str, issuer: str | None = None) -> StatusList:
        """The claims of the list at this URI (§5.1). Raises Unreadable."""
        members = wire.json_object(payload)
        # §8.3: "The subject claim of the Status List Token MUST be equal to the uri claim".
        if members.get("sub") != uri:
            raise wire.Unreadable(detail=f"is the list {members.get('sub')!a}, not {uri}")
        if issuer is not None and members.get("iss", issuer) != issuer:
            raise wire.Unreadable(detail=f"is of {members['iss']!a}")
        listed = wire.optional_object(members, "status_list") or {}
        bits = listed.get("bits")
        if type(bits) is not int or bits not in (1, 2, 4, 8):
            raise wire.Unreadable(detail="bits is none of 1, 2, 4 and 8")
        version, revoked = members.get(VERSION, 0), members.get(REVOKED_TOKENS, [])
        if type(version) is not int:
            raise wire.Unreadable(detail=f"{VERSION} is not a number")
        if type(revoked) is not list or not all(type(jti) is str for jti in revoked):
            raise wire.Unreadable(detail=f"{REVOKED_TOKENS} is not a list of strings")
        return cls(
            bits,
            _decompressed(wire.base64url(wire.text(listed, "lst").encode("utf-8"))),
            wire.instant(members, "iat"),
            wire.optional_instant(members, "exp"),
            wire.optional_instant(members, "ttl"),
            version,
            frozenset(revoked),
        )

    def status_of(self, idx: int) -> int | None:
        """The status at a place, counted from the least significant bit (§4.1); None beyond the
        end: "no statement about the status … can be made" (§8.3).
        """
        bits = self.bits
        at = idx * bits
        try:
            return self.statuses[at >> 3] >> (at & 7) & (1 << bits) - 1
        except IndexError:
            return None


def _decompressed(data: bytes) -> bytes:
    # By a bounded buffer: a few kilobytes of zeros become any number of them.
    inflating = zlib.decompressobj()
    try:
        statuses = inflating.decompress(data, MAX_STATUSES)
    except zlib.error:
        raise wire.Unreadable(detail="lst is not zlib") from None
    if not inflating.eof or inflating.unused_data:
        raise wire.Unreadable(detail="lst is too large, or not all there")
    return statuses
