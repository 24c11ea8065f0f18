"""What is accepted as a second factor, as it stands in a user's row: each code works once."""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode

from app.admin.desk import Desk
from app.crypto import totp
from app.storage import users
from app.storage.models import UserRow
from app.storage.store import Transaction

RECOVERY_CODES = 10
"""Each of 80 random bits, so a fast hash is enough."""


def accept(desk: Desk, work: Transaction, user: UserRow, code: str) -> bool:
    """Use up a code of the app, or a recovery code; the row is locked."""
    if user.totp_confirmed_at is None:
        return False
    if accept_of_app(desk, work, user, code):
        return True
    digest = _digest(code)
    if digest not in user.recovery_digests:
        return False
    user.recovery_digests = [one for one in user.recovery_digests if one != digest]
    work.record("user.recovery_code_used", "user", user.id, left=len(user.recovery_digests))
    return True


def accept_of_app(desk: Desk, work: Transaction, user: UserRow, code: str) -> bool:
    """Use up a code of the app, whether or not it is asked for yet."""
    if user.totp_secret is None:
        return False
    secret = desk.sealing.open(user.totp_secret, user.id)
    step = totp.step_of(secret, re.sub(r"\s", "", code[:32]), work.now, user.totp_step)
    if step is None:
        return False
    user.totp_step = step
    return True


def new_recovery_codes(desk: Desk, user: UserRow) -> tuple[str, ...]:
    """Ten in place of those that were there; only their hashes are kept."""
    texts = [b32encode(desk.random_bytes(10)).decode() for _ in range(RECOVERY_CODES)]
    codes = tuple("-".join(re.findall("....", text)) for text in texts)
    user.recovery_digests = [_digest(code) for code in codes]
    return codes


def forget(user: UserRow) -> None:
    """As if there never was a second factor."""
    user.totp_secret = user.totp_confirmed_at = user.totp_step = None
    user.recovery_digests = []


def reseal(desk: Desk, work: Transaction) -> int:
    """Seal the secret of every app anew, under the first master key; answers how many."""
    found = users.with_second_factor(work.session)
    for user in found:
        secret = desk.sealing.open(user.totp_secret or b"", user.id)
        user.totp_secret = desk.sealing.seal(secret, user.id)
    return len(found)


def _digest(code: str) -> str:
    plain = re.sub(r"[^A-Z2-7]", "", code[:64].upper())
    return hashlib.sha256(plain.encode()).hexdigest()
