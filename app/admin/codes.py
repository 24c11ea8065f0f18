"""What is accepted as a second factor, as it stands in a user's row: each code works once."""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from collections.abc import Iterator

from app.admin.desk import Desk
from app.admin.findings import Finding, failed, passed, warned
from app.crypto import totp
from app.crypto.master_key import MasterKey
from app.errors import StartRefused
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
    found = users.with_second_factor(work.session, lock=True)
    for user in found:
        secret = desk.sealing.open(user.totp_secret or b"", user.id)
        user.totp_secret = desk.sealing.seal(secret, user.id)
    return len(found)


def examine(desk: Desk, key: MasterKey | None) -> Iterator[Finding]:
    """What the doctor says of them, where there are any."""
    with desk.store.reading() as session:
        found = users.with_second_factor(session)
    if not found or key is None:
        return
    if not all(_opens(key, user) for user in found):
        yield failed(
            "second factors",
            "some were sealed under another master key: these people cannot sign in",
            "restore that key, or `flask user reset USER --second-factor`",
        )
    elif not all(_opens(key.named(key.id) or key, user) for user in found):
        yield warned(
            "second factors",
            "an older master key is still needed",
            "run `flask signing-key reseal`, and then take the older one away",
        )
    else:
        yield passed("second factors", f"the master key opens all {len(found)}")


def _opens(key: MasterKey, user: UserRow) -> bool:
    try:
        key.decrypt(user.totp_secret or b"", user.id.encode())
    except StartRefused:
        return False
    return True


def _digest(code: str) -> str:
    plain = re.sub(r"[^A-Z2-7]", "", code[:64].upper())
    return hashlib.sha256(plain.encode()).hexdigest()
