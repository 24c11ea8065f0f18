"""A key was seen where others can read it: its owner is told, once."""

from __future__ import annotations

from app.apikeys.keys import record
from app.records import Actor, ApiKey, Origin
from app.storage import api_keys
from app.storage.store import Store
from keyturn.scope import ScopeSet


def flag(store: Store, key: ApiKey, digest: bytes, how: str, origin: Origin) -> None:
    """Mark the key; the first time and way stand. Raises Unavailable.

    It is not ended by this: whoever knows a key could end it anyway, and its owner decides when.
    """
    if key.is_exposed:
        return
    actor = Actor(
        type="api_key",
        id=key.id,
        organization_id=key.organization_id,
        is_operator=False,
        scopes=ScopeSet(),
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
    )
    with store.transaction(actor) as work:
        row = api_keys.by_digest(work.session, digest, lock=True)
        if row is not None and row.exposed_at is None:
            row.exposed_at = row.updated_at = work.now
            row.exposed_by = how
            record(work, row, "api_key.exposed", how=how)
