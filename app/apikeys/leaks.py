"""A key was found in public: what its organization's policy asks for is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.admin import rows
from app.admin.desk import Desk
from app.admin.key_templates import secret_template
from app.apikeys.endings import end
from app.apikeys.keys import record
from app.apikeys.policies import GRACE, REVOKE, KeyPolicy
from app.apikeys.values import status_at
from app.records import ACTIVE, DISABLED, Actor, Origin
from app.storage import api_keys
from app.storage.models import ApiKeyRow
from app.storage.store import Transaction
from keyturn.apikey import key_digest
from keyturn.masking import Masker
from keyturn.scope import ScopeSet

BY = "github"
TIME_TO_REPLACE = timedelta(days=1)
"""What is left of a key's life under the policy ``grace``."""
MAX_PLACE = 500

_masker = Masker()


@dataclass(frozen=True, slots=True)
class Leak:
    """A text that looks like a key of ours, and where it was found."""

    token: str
    url: str
    source: str


def act(desk: Desk, leak: Leak, origin: Origin) -> bool | None:
    """Whether it is a key of ours, of any standing; None where that cannot be said.

    Repeated reports change nothing more. Raises Unavailable.
    """
    digest = key_digest(leak.token)
    with desk.store.reading() as session:
        found = api_keys.by_digest(session, digest)
        if found is None:
            # Secrets belong to their clients, by whose ids they are found.
            is_secret = secret_template(desk.settings, ()).recognizes(leak.token)
            return None if is_secret else False
        organization_id = found.organization_id
    with desk.store.transaction(_scanner(organization_id, origin)) as work:
        policy = KeyPolicy.of(rows.organization_row(work, organization_id, "share"))
        row = api_keys.by_digest(work.session, digest, lock=True)
        if row is not None and status_at(row, work.now) in (ACTIVE, DISABLED):
            _answer(work, row, policy.on_leak or REVOKE, leak)
    return True


def _answer(work: Transaction, row: ApiKeyRow, action: str, leak: Leak) -> None:
    if row.exposed_at is None:
        row.exposed_at, row.exposed_by = work.now, BY
    row.updated_at = work.now
    if action == GRACE:
        ends_at = work.now + TIME_TO_REPLACE
        row.expires_at = min(row.expires_at or ends_at, ends_at)
    place = {"url": _place(leak.url), "source": _place(leak.source)}
    record(work, row, "api_key.leaked", action=action, **place)
    if action == REVOKE:
        end(work, row, "found in public by GitHub")


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
