"""Link tokens: what a link in an e-mail may do to one thing, until a certain time.

They are no API keys and no access tokens: nothing takes the one for the other. In a URL they may
stand because each is good for one act on one object, and not for long.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

from keyturn.errors import CredentialMissing, InvalidToken, Reason

MIN_SECRET = 32
_TOKEN = re.compile(r"lnk_([0-9]{1,12})_([A-Za-z0-9_-]{43})")


class LinkTokens:
    """Makes and checks them, by a secret of the API's own (32 bytes or more).

    >>> from datetime import timedelta
    >>> links = LinkTokens(b"k" * 32)
    >>> token = links.make("cancel", "bk_1", datetime.now(UTC) + timedelta(days=1))
    >>> links.check(token, "cancel", "bk_1")
    >>> links.check(token, "reschedule", "bk_1")
    Traceback (most recent call last):
    keyturn.errors.InvalidToken: The credential is not valid
    """

    def __init__(
        self, secret: bytes, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Raises ValueError for a secret that is too short."""
        if len(secret) < MIN_SECRET:
            raise ValueError(f"secret: at least {MIN_SECRET} bytes")
        self._secret = secret
        self._clock = clock

    def make(self, purpose: str, subject: str, expires_at: datetime) -> str:
        """A token for this purpose, on this object, until then."""
        end = int(expires_at.timestamp())
        return f"lnk_{end}_{self._mac(purpose, subject, end)}"

    def check(self, presented: str | None, purpose: str, subject: str) -> None:
        """Raises CredentialRefused for whatever is not such a token for that."""
        if not presented:
            raise CredentialMissing("The link has no token")
        found = _TOKEN.fullmatch(presented)
        if found is None:
            raise InvalidToken(Reason.MALFORMED, detail="no link token")
        end = int(found[1])
        if not hmac.compare_digest(found[2], self._mac(purpose, subject, end)):
            raise InvalidToken(Reason.BAD_SIGNATURE, detail=f"not to {purpose} {subject!a}")
        if self._clock().timestamp() >= end:
            raise InvalidToken(Reason.EXPIRED, detail=f"at {end}")

    def _mac(self, purpose: str, subject: str, end: int) -> str:
        said = json.dumps(["keyturn link", purpose, subject, end]).encode()
        return (
            base64.urlsafe_b64encode(hmac.digest(self._secret, said, "sha256")).decode().rstrip("=")
        )
