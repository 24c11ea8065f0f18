"""Keys inside a transaction: found by id and organization together, written, told about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.admin.desk import Desk
from app.admin.fields import object_id
from app.admin.rights import require_environment
from app.errors import Conflict, NotFound
from app.ids import new_id
from app.key_templates import key_template
from app.records import ACTIVE
from app.storage import api_keys, statuses
from app.storage.models import ApiKeyRow, OrganizationRow
from app.storage.store import Transaction
from keyturn.apikey import key_digest, last_four, prefix_of


def new_key(
    desk: Desk, work: Transaction, owner: OrganizationRow, values: Mapping[str, Any]
) -> tuple[ApiKeyRow, str]:
    """Write a key, checked before: its hash, and what people may see of it."""
    template = key_template(desk.settings.key_prefix, owner.environments, owner.key_template)
    environment = values["environment"]
    if environment not in owner.environments:
        raise Conflict("The environment of this key is no longer the organization's")
    key = template.generate(environment if template.environments else None, desk.random_bytes)
    seen = Seen(key_digest(key), prefix_of(key), last_four(key))
    row = add(work, owner, seen, values)
    work.session.flush()
    return row, key


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of a key's text."""

    digest: bytes
    prefix: str
    last_four: str


def add(
    work: Transaction, owner: OrganizationRow, seen: Seen, values: Mapping[str, Any]
) -> ApiKeyRow:
    """Write a key whose text is known, or was once."""
    row = ApiKeyRow(
        id=new_id("key"),
        organization_id=owner.id,
        status=ACTIVE,
        digest=seen.digest,
        prefix=seen.prefix,
        last_four=seen.last_four,
        created_at=work.now,
        updated_at=work.now,
        **values,
    )
    work.session.add(row)
    statuses.allocate(
        work, statuses.API_KEY, row.id, owner_id=row.id, organization_id=row.organization_id
    )
    return row


def locked(work: Transaction, organization_id: str, key_id: str) -> ApiKeyRow:
    """A key that this actor may write, locked. Raises NotFound, Forbidden."""
    row = api_keys.get(work.session, organization_id, object_id(key_id, "API key"), lock=True)
    if row is None:
        raise NotFound("API key")
    require_environment(work.actor, row.environment)
    return row


def record(work: Transaction, row: ApiKeyRow, event: str, **details: Any) -> None:
    """Say what was done to a key, to the auditors and to whoever holds it in memory."""
    said = {name: value for name, value in details.items() if value is not None}
    work.record(event, "api_key", row.id, organization_id=row.organization_id, **said)
    work.changed("api_key", row.digest.hex())
