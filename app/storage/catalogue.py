"""Scopes, presets and resources in the database: all of one organization."""

from __future__ import annotations

from sqlalchemy import ColumnElement, String, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.records import ACTIVE, DISABLED
from app.storage.models import ApiKeyRow, ClientRow, PresetRow, ResourceRow, ScopeRow


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


def scope_user(session: Session, organization_id: str, name: str) -> str | None:
    """Something that names this very scope, in words; None: it can go."""
    clients = select(ClientRow.client_id).where(
        ClientRow.organization_id == organization_id, _names(ClientRow.scopes, name)
    )
    keys = select(ApiKeyRow.id).where(
        ApiKeyRow.organization_id == organization_id,
        ApiKeyRow.status.in_((ACTIVE, DISABLED)),
        _names(ApiKeyRow.scopes, name),
    )
    presets = select(PresetRow.name).where(
        PresetRow.organization_id == organization_id, _names(PresetRow.scopes, name)
    )
    resources = select(ResourceRow.id).where(
        ResourceRow.organization_id == organization_id, _names(ResourceRow.scopes, name)
    )
    implying = select(ScopeRow.name).where(
        ScopeRow.organization_id == organization_id,
        ScopeRow.name != name,
        _names(ScopeRow.implies, name),
    )
    for what, statement in (
        ("client", clients),
        ("API key", keys),
        ("preset", presets),
        ("resource", resources),
        ("scope", implying),
    ):
        found = session.scalar(statement.limit(1))
        if found is not None:
            return f"{what} {found}"
    return None


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
    return session.scalar(
        select(ClientRow.client_id)
        .where(
            ClientRow.organization_id == organization_id, _names(ClientRow.audiences, identifier)
        )
        .limit(1)
    )
