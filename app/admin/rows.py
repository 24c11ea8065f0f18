"""Rows inside a transaction: found by id and organization together, shown as frozen views."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from app.admin.fields import object_id
from app.admin.rights import require_environment
from app.errors import NotFound
from app.records import Organization
from app.storage import clients, organizations
from app.storage.models import Base, ClientRow, OrganizationRow
from app.storage.organizations import Lock
from app.storage.store import Transaction

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

V = TypeVar("V", bound="DataclassInstance")


def organization_row(work: Transaction, organization_id: str, lock: Lock) -> OrganizationRow:
    """An organization, locked for the rest of the transaction. Raises NotFound."""
    row = organizations.get(work.session, object_id(organization_id, "organization"), lock)
    if row is None:
        raise NotFound("organization")
    return row


def organization(work: Transaction, organization_id: str, lock: Lock = "share") -> Organization:
    """An organization with its catalogue, as it stays until the transaction ends.

    Raises NotFound.
    """
    return organizations.record(work.session, organization_row(work, organization_id, lock))


def client_row(work: Transaction, organization_id: str, client_id: str) -> ClientRow:
    """A client that this actor may write, locked. Raises NotFound, Forbidden."""
    row = clients.get(work.session, organization_id, object_id(client_id, "client"), lock=True)
    if row is None:
        raise NotFound("client")
    require_environment(work.actor, row.environment)
    return row


def view_of(view: type[V], row: Base, **computed: Any) -> V:
    """A row as the view of it: fields by their names, lists as tuples, no tie to the session."""
    values = {one.name: getattr(row, one.name) for one in fields(view) if one.name not in computed}
    frozen = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return view(**frozen, **computed)


def put(row: Base, values: dict[str, Any]) -> list[str]:
    """Set what differs; the names of what was changed, sorted."""
    changed = sorted(name for name, value in values.items() if getattr(row, name) != value)
    for name in changed:
        setattr(row, name, values[name])
    return changed
