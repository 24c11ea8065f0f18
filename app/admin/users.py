"""Users: people who administer an organization. They sign in by a one-time secret at first."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.admin import fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.desk import Desk
from app.admin.grants import require_grantable
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rights import reach, require
from app.admin.roles import ROLES
from app.builtin import USERS_READ, USERS_WRITE
from app.errors import Conflict, NotFound
from app.ids import new_id
from app.records import ACTIVE, DISABLED, Actor, Organization
from app.storage import audit, organizations, users
from app.storage.models import UserRow
from app.storage.store import Transaction

SIGN_IN_TTL = timedelta(hours=1)
STATUSES = (ACTIVE, DISABLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """What is said of a new user; ``name`` may come later."""

    email: str
    role: str
    name: str = ""
    organization_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanges:
    """What is changed of a user; whom an address belongs to is for life."""

    name: str | Unset = UNSET
    role: str | Unset = UNSET
    status: str | Unset = UNSET
    """``active`` or ``disabled``: whether they can sign in, and stay signed in."""


@dataclass(frozen=True, slots=True)
class UserView:
    """A user as administrators see them."""

    id: str
    organization_id: str
    email: str
    name: str
    role: str
    status: str
    last_sign_in_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user, and a secret that signs them in once: shown here and never again."""

    user: UserView
    secret: str = field(repr=False)
    expires_at: datetime


def create(desk: Desk, actor: Actor, new: NewUser) -> SignIn:
    """Invite a user. Raises Forbidden, Invalid, NotFound, Conflict.

    A role is a grant: nobody gives a role that can do more than they can themselves.
    """
    require(actor, USERS_WRITE)
    organization_id = reach(actor, new.organization_id, write=True)
    with desk.store.transaction(actor) as work:
        organization = rows.organization(work, organization_id)
        role = fields.one_of(new.role, tuple(ROLES), "role")
        require_grantable(actor, organization, ROLES[role])
        email = fields.email(new.email)
        if users.email_taken(work.session, email):
            raise Conflict("This e-mail address cannot be used", field="email")
        name = fields.name(new.name) if new.name else email.partition("@")[0]
        return new_user(desk, work, organization_id, email=email, name=name, role=role)


def new_user(desk: Desk, work: Transaction, organization_id: str, **values: Any) -> SignIn:
    """Write a user, checked before; also for the first one of all."""
    row = UserRow(
        id=new_id("usr"),
        organization_id=organization_id,
        status=ACTIVE,
        created_at=work.now,
        updated_at=work.now,
        **values,
    )
    work.session.add(row)
    signing_in = _sign_in(desk, work, row)
    _record(work, row, "user.created")
    return signing_in


def list_page(
    desk: Desk,
    actor: Actor,
    *,
    limit: int = DEFAULT_LIMIT,
    cursor: str | None = None,
    organization_id: str | None = None,
) -> Page[UserView]:
    """The organization's users, the youngest first. Raises Forbidden, Invalid, NotFound."""
    require(actor, USERS_READ)
    organization_id = reach(actor, organization_id, write=False)
    limit = read_limit(limit)
    with desk.store.reading() as session:
        organizations.existing(session, organization_id)
        found = users.page(session, organization_id, before=read_cursor(cursor), limit=limit + 1)
        return page_of(found, limit, lambda row: row.id, lambda row: rows.view_of(UserView, row))


def show(desk: Desk, actor: Actor, user_id: str, *, organization_id: str | None = None) -> UserView:
    """One user. Raises Forbidden, NotFound."""
    require(actor, USERS_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        row = users.get(session, organization_id, fields.object_id(user_id, "user"))
        if row is None:
            raise NotFound("user")
        return rows.view_of(UserView, row)


def update(
    desk: Desk,
    actor: Actor,
    user_id: str,
    changes: UserChanges,
    *,
    organization_id: str | None = None,
) -> UserView:
    """Change, disable or enable a user. Raises Forbidden, Invalid, NotFound.

    Whoever changes a user must be able to do what the user can, before and after.
    """
    require(actor, USERS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        row, organization = _writable(work, organization_id, user_id)
        values = named(changes)
        if "name" in values:
            values["name"] = fields.name(values["name"])
        if "role" in values:
            fields.one_of(values["role"], tuple(ROLES), "role")
            require_grantable(actor, organization, ROLES[values["role"]])
        if "status" in values:
            fields.one_of(values["status"], STATUSES, "status")
        changed = rows.put(row, values)
        if "status" in changed:
            # A session that was ended stays ended when the user is enabled again.
            row.sign_in_digest = row.sign_in_expires_at = None
        if changed:
            row.updated_at = work.now
            _record(work, row, "user.updated", changed=changed, status=row.status)
        return rows.view_of(UserView, row)


def remove(desk: Desk, actor: Actor, user_id: str, *, organization_id: str | None = None) -> None:
    """Remove a user, sessions included; what they did stays in the log. Idempotent.

    Raises Forbidden, NotFound.
    """
    require(actor, USERS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    user_id = fields.object_id(user_id, "user")
    with desk.store.transaction(actor) as work:
        if audit.happened(work.session, organization_id, "user.removed", user_id):
            return
        row, _ = _writable(work, organization_id, user_id)
        work.session.delete(row)
        _record(work, row, "user.removed")


def reset(desk: Desk, actor: Actor, user_id: str, *, organization_id: str | None = None) -> SignIn:
    """Forget the password and make a new one-time secret. Raises Forbidden, NotFound.

    Whoever has the secret is that user, so the actor must be able to do what the user can.
    """
    require(actor, USERS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        row, _ = _writable(work, organization_id, user_id)
        row.password_hash = None
        row.updated_at = work.now
        signing_in = _sign_in(desk, work, row)
        _record(work, row, "user.reset")
        return signing_in


def _writable(
    work: Transaction, organization_id: str, user_id: str
) -> tuple[UserRow, Organization]:
    """A user who can do nothing that the actor cannot, locked. Raises Forbidden, NotFound."""
    organization = rows.organization(work, organization_id)
    row = users.get(work.session, organization_id, fields.object_id(user_id, "user"), lock=True)
    if row is None:
        raise NotFound("user")
    require_grantable(work.actor, organization, ROLES[row.role])
    return row, organization


def _sign_in(desk: Desk, work: Transaction, row: UserRow) -> SignIn:
    secret = urlsafe_b64encode(desk.random_bytes(32)).rstrip(b"=").decode()
    row.sign_in_digest = hashlib.sha256(secret.encode()).digest()
    row.sign_in_expires_at = work.now + SIGN_IN_TTL
    work.session.flush()
    return SignIn(rows.view_of(UserView, row), secret, row.sign_in_expires_at)


def _record(work: Transaction, row: UserRow, event: str, **details: Any) -> None:
    details |= {"email": row.email, "role": row.role}
    work.record(event, "user", row.id, organization_id=row.organization_id, **details)
