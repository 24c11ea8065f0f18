"""Scopes, presets and resources in the database: all of one organization."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Select, String, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.storage.models import ApiKeyRow, ClientRow, NamingRow, PresetRow, ResourceRow, ScopeRow

CLIENT, API_KEY, AUDIENCE = "client", "api_key", "audience"
"""What is kept in ``namings``: scopes of clients, scopes of keys, audiences of clients."""


def scope(session: Session, organization_id: str, name: str) -> ScopeRow | None:
    """One declared scope."""
    return session.get(ScopeRow, (organization_id, name))


def scopes(session: Session, organization_id: str) -> list[ScopeRow]:
    """Every declared scope."""
    return list(
        session.scalars(select(ScopeRow).where(ScopeRow.organization_id == organization_id))
    )


def count_scopes(session: Session, organization_id: str) -> int:
    """How many scopes are declared."""
    statement = select(func.count()).select_from(ScopeRow)
    return session.scalar(statement.where(ScopeRow.organization_id == organization_id)) or 0


def namings(
    session: Session, organization_id: str, name: str, most: int
) -> Iterator[tuple[str, str, str]]:
    """What names this very scope: kind, id and name, at most so many of a kind."""
    client, key, named = ClientRow.client_id, ApiKeyRow.id, (organization_id, name)
    for kind, columns, wanted in (
        ("client", (client, ClientRow.name), client.in_(_naming(*named, CLIENT, most))),
        ("API key", (key, ApiKeyRow.name), key.in_(_naming(*named, API_KEY, most))),
        ("preset", (PresetRow.name, PresetRow.name), _names(PresetRow.scopes, name)),
        ("resource", (ResourceRow.id, ResourceRow.name), _names(ResourceRow.scopes, name)),
        ("scope", (ScopeRow.name, ScopeRow.name), _names(ScopeRow.implies, name)),
    ):
        owner = columns[0].class_.organization_id == organization_id
        itself = (ScopeRow.name != name,) if kind == "scope" else ()
        for id, called in session.execute(
            select(*columns).where(owner, wanted, *itself).order_by(columns[0]).limit(most)
        ):
            yield kind, id, called


def _naming(organization_id: str, name: str, kind: str, most: int) -> Select[str]:
    """Ids of the clients or keys that name this, by the index that the database itself keeps."""
    row = NamingRow
    named = row.organization_id == organization_id, row.name == name, row.kind == kind
    return select(row.holder_id).where(*named).order_by(row.holder_id).limit(most)


def _names(column: InstrumentedAttribute[list[str]], text: str) -> ColumnElement[bool]:
    # The lists are JSON text; neither scopes nor URIs hold a quotation mark or a backslash.
    return cast(column, String).contains(f'"{text}"', autoescape=True)


def preset(session: Session, organization_id: str, name: str) -> PresetRow | None:
    """One preset."""
    return session.get(PresetRow, (organization_id, name))


def presets(session: Session, organization_id: str) -> list[PresetRow]:
    """Every preset."""
    return list(
        session.scalars(select(PresetRow).where(PresetRow.organization_id == organization_id))
    )


def resource(session: Session, organization_id: str, resource_id: str) -> ResourceRow | None:
    """One resource of this organization."""
    return session.scalar(
        select(ResourceRow).where(
            ResourceRow.id == resource_id, ResourceRow.organization_id == organization_id
        )
    )


def resource_by_identifier(
    session: Session, organization_id: str, identifier: str
) -> ResourceRow | None:
    """The resource that is this audience."""
    return session.scalar(
        select(ResourceRow).where(
            ResourceRow.organization_id == organization_id, ResourceRow.identifier == identifier
        )
    )


def count_resources(session: Session, organization_id: str) -> int:
    """How many resources there are."""
    statement = select(func.count()).select_from(ResourceRow)
    return session.scalar(statement.where(ResourceRow.organization_id == organization_id)) or 0


def resources_page(
    session: Session, organization_id: str, *, before: str | None, limit: int
) -> list[ResourceRow]:
    """The next ones of this organization, the youngest first."""
    statement = (
        select(ResourceRow)
        .where(ResourceRow.organization_id == organization_id)
        .order_by(ResourceRow.id.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(ResourceRow.id < before)
    return list(session.scalars(statement))


def audience_user(session: Session, organization_id: str, identifier: str) -> str | None:
    """A client that may name this audience and would lose it; None: it can go."""
    return session.scalar(_naming(organization_id, identifier, AUDIENCE, 1))
