"""A credential was seen where others can read it: its owner is told, once."""

from __future__ import annotations

from app.admin import client_secrets
from app.apikeys.keys import record
from app.records import Actor, ApiKey, Origin
from app.storage import api_keys, clients
from app.storage.store import Store
from keyturn.apikey import key_digest
from keyturn.scope import ScopeSet


def flag(store: Store, key: ApiKey, digest: bytes, how: str, origin: Origin) -> None:
    """Mark the key; the first time and way stand. Raises Unavailable.

    It is not ended by this: whoever knows a key could end it anyway, and its owner decides when.
    """
    if key.is_exposed:
        return
    with store.transaction(_by("api_key", key.id, key.organization_id, origin)) as work:
        row = api_keys.by_digest(work.session, digest, lock=True)
        if row is not None and row.exposed_at is None:
            row.exposed_at = row.updated_at = work.now
            row.exposed_by = how
            record(work, row, "api_key.exposed", how=how)


def flag_secret(store: Store, secret: str, how: str, origin: Origin) -> bool:
    """The same for a client secret; whether it is one. Raises Unavailable."""
    digest = key_digest(secret)
    with store.reading() as session:
        found = clients.by_secret(session, digest)
        if found is None:
            return False
        client_id, owner = found[0].client_id, found[0].organization_id
        if found[1].exposed_at is not None:
            return True
    with store.transaction(_by("client", client_id, owner, origin)) as work:
        known = clients.by_secret(work.session, digest, lock=True)
        if known is not None and known[1].exposed_at is None:
            client, row = known
            row.exposed_at, row.exposed_by = work.now, how
            client_secrets.record(work, client, "client_secret.exposed", row.id, how=how)
    return True


def _by(type: str, id: str, organization_id: str, origin: Origin) -> Actor:
    """The credential itself: it told."""
    return Actor(
        type=type,
        id=id,
        organization_id=organization_id,
        is_operator=False,
        scopes=ScopeSet(),
        ip=origin.ip,
        user_agent=origin.user_agent,
        request_id=origin.request_id,
    )
