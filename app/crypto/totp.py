"""Codes of an authenticator app: TOTP (RFC 6238), six digits of each half minute."""

from __future__ import annotations

import hmac
import re
from datetime import datetime

from pyotp import TOTP, random_base32

STEP = 30
"""Seconds."""
DRIFT = 1
"""Steps that a clock may be wrong, either way (RFC 6238 §5.2)."""

_CODE = re.compile(r"[0-9]{6}")


def new_secret() -> str:
    """160 random bits in base 32, as RFC 4226 §4 asks for."""
    return random_base32()


def uri(secret: str, account: str, issuer: str) -> str:
    """What the QR code says."""
    return TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def step_of(secret: str, code: str, now: datetime, after: int | None) -> int | None:
    """The step whose code this is, behind the last one that was used; None: of none."""
    if not _CODE.fullmatch(code):
        return None
    present = int(now.timestamp()) // STEP
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        is_code = hmac.compare_digest(TOTP(secret).generate_otp(step), code)
        if is_code and (after is None or step > after):
            found = step
    return found
