"""A credential was found in public: what its organization's policy asks for is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.admin import client_secrets, rows
from app.admin.desk import Desk
from app.apikeys.endings import end
from app.apikeys.keys import record
from app.apikeys.policies import GRACE, REVOKE, KeyPolicy
from app.apikeys.values import status_at
from app.records import ACTIVE, DISABLED, Actor, Origin
from app.storage import api_keys, clients
from app.storage.models import ApiKeyRow, ClientRow, ClientSecretRow
from app.storage.revocations import revoke_token
from app.storage.store import Transaction
from keyturn.apikey import key_digest
from keyturn.claims import AccessTokenClaims
from keyturn.masking import Masker
from keyturn.scope import ScopeSet

BY = "github"
FOUND = "found in public by GitHub"
TIME_TO_REPLACE = timedelta(days=1)
"""What is left of its life under the policy ``grace``."""
MAX_PLACE = 500

_masker = Masker()


@dataclass(frozen=True, slots=True)
class Leak:
    """A text that looks like a credential of ours, and where it was found."""

    token: str
    url: str
    source: str


def act(desk: Desk, leak: Leak, origin: Origin) -> bool:
    """Whether it is a key or a client secret of ours, of any standing.

    Repeated reports change nothing more. Raises Unavailable.
    """
    digest = key_digest(leak.token)
    with desk.store.reading() as session:
        known = api_keys.by_digest(session, digest) or clients.by_secret(session, digest)
        if known is None:
            return False
        owner = (known if isinstance(known, ApiKeyRow) else known[0]).organization_id
    with desk.store.transaction(_scanner(owner, origin)) as work:
        action = _action(work, owner)
        row = api_keys.by_digest(work.session, digest, lock=True)
        secret = clients.by_secret(work.session, digest, lock=True)
        if row is not None and status_at(row, work.now) in (ACTIVE, DISABLED):
            _answer_key(work, row, action, leak)
        elif secret is not None and client_secrets.status(secret[1], work.now) == ACTIVE:
            _answer_secret(work, *secret, action, leak)
    return True


def act_on_token(
    desk: Desk, claims: AccessTokenClaims, organization_id: str, leak: Leak, origin: Origin
) -> None:
    """A token of ours that is good: it ends by itself within minutes, or by policy now.

    Raises Unavailable.
    """
    with desk.store.transaction(_scanner(organization_id, origin)) as work:
        action = _action(work, organization_id)
        work.record("token.leaked", "token", claims.jti, action=action, **_places(leak))
        if action == REVOKE:
            revoke_token(work, claims)


def _action(work: Transaction, organization_id: str) -> str:
    owner = rows.organization_row(work, organization_id, "share")
    return KeyPolicy.of(owner).on_leak or REVOKE


def _answer_key(work: Transaction, row: ApiKeyRow, action: str, leak: Leak) -> None:
    if row.exposed_at is None:
        row.exposed_at, row.exposed_by = work.now, BY
    row.updated_at = work.now
    if action == GRACE:
        row.expires_at = _last_day(row.expires_at, work.now)
    record(work, row, "api_key.leaked", action=action, **_places(leak))
    if action == REVOKE:
        end(work, row, FOUND)


def _answer_secret(
    work: Transaction, client: ClientRow, row: ClientSecretRow, action: str, leak: Leak
) -> None:
    if row.exposed_at is None:
        row.exposed_at, row.exposed_by = work.now, BY
    if action == GRACE:
        row.expires_at = _last_day(row.expires_at, work.now)
    client_secrets.record(
        work, client, "client_secret.leaked", row.id, action=action, **_places(leak)
    )
    if action == REVOKE:
        client_secrets.end(work, client, row, FOUND)


def _last_day(expires_at: datetime | None, now: datetime) -> datetime:
    return min(expires_at or now + TIME_TO_REPLACE, now + TIME_TO_REPLACE)


def _places(leak: Leak) -> dict[str, str]:
    return {"url": _place(leak.url), "source": _place(leak.source)}


def _place(text: str) -> str:
    return _masker.text("".join(one for one in text if one.isprintable()))[:MAX_PLACE]


def _scanner(organization_id: str, origin: Origin) -> Actor:
    return Actor(
        type="scanner",
        id=BY,
        organization_id=organization_id,
        is_operator=False,
        scopes=ScopeSet(),
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
    )
