"""Users: people who administer an organization. They sign in by a one-time link at first."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.admin import codes, fields, rows
from app.admin.changes import UNSET, Unset, named
from app.admin.desk import Desk
from app.admin.grants import require_grantable
from app.admin.pages import DEFAULT_LIMIT, Page, page_of, read_cursor, read_limit
from app.admin.rights import reach, require
from app.admin.roles import OWNER, ROLES
from app.builtin import USERS_READ, USERS_WRITE
from app.errors import Conflict, NotFound
from app.ids import new_id
from app.records import ACTIVE, DISABLED, Actor, Organization
from app.storage import audit, organizations, sessions, users
from app.storage.models import UserRow
from app.storage.store import Transaction

INVITATION_TTL = timedelta(days=1)
RESET_TTL = timedelta(hours=1)
SIGN_IN = "/dashboard/sign-in"
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
    has_password: bool
    """False until they have chosen one: since they were invited, or since a reset."""
    has_second_factor: bool
    last_sign_in_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user, and a secret that signs them in once: shown here and never again."""

    user: UserView
    secret: str = field(repr=False)
    link: str = field(repr=False)
    """Where it is used."""
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
        if users.by_email(work.session, email) is not None:
            raise Conflict("This e-mail address cannot be used", field="email")
        name = fields.name(new.name) if new.name else email.partition("@")[0]
        values = {"email": email, "name": name, "role": role}
        return new_user(desk, work, organization_id, INVITATION_TTL, **values)


def new_user(
    desk: Desk, work: Transaction, organization_id: str, ttl: timedelta, **values: Any
) -> SignIn:
    """Write a user, checked before; also for the first one of all."""
    row = UserRow(
        id=new_id("usr"),
        organization_id=organization_id,
        status=ACTIVE,
        recovery_digests=[],
        created_at=work.now,
        updated_at=work.now,
        **values,
    )
    work.session.add(row)
    signing_in = _sign_in(desk, work, row, ttl)
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
        return page_of(found, limit, lambda row: row.id, view)


def show(desk: Desk, actor: Actor, user_id: str, *, organization_id: str | None = None) -> UserView:
    """One user. Raises Forbidden, NotFound."""
    require(actor, USERS_READ)
    organization_id = reach(actor, organization_id, write=False)
    with desk.store.reading() as session:
        row = users.get(session, organization_id, fields.object_id(user_id, "user"))
        if row is None:
            raise NotFound("user")
        return view(row)


def update(
    desk: Desk,
    actor: Actor,
    user_id: str,
    changes: UserChanges,
    *,
    organization_id: str | None = None,
) -> UserView:
    """Change, disable or enable a user. Raises Forbidden, Invalid, NotFound.

    Whoever changes a user must be able to do what the user can, before and after. Another role or
    status ends the user's sessions.
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
        if values.get("role", OWNER) != OWNER or values.get("status", ACTIVE) != ACTIVE:
            _require_another_owner(work, row)
        changed = rows.put(row, values)
        if "status" in changed:
            # A link that was not used stays without effect when the user is enabled again.
            row.sign_in_digest = row.sign_in_expires_at = None
        if {"status", "role"} & set(changed):
            sessions.end(work.session, row.id)
        if changed:
            row.updated_at = work.now
            _record(work, row, "user.updated", changed=changed, status=row.status)
        return view(row)


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
        _require_another_owner(work, row)
        work.session.delete(row)
        _record(work, row, "user.removed")


def reset(
    desk: Desk,
    actor: Actor,
    user_id: str,
    *,
    second_factor: bool = False,
    organization_id: str | None = None,
) -> SignIn:
    """Forget the password, end every session and make a new one-time secret; ``second_factor``:
    forget that, too, for whoever has lost it. Raises Forbidden, NotFound.

    Whoever has the secret is that user, so the actor must be able to do what the user can.
    """
    require(actor, USERS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        row, _ = _writable(work, organization_id, user_id)
        row.password_hash = None
        row.updated_at = work.now
        if second_factor:
            codes.forget(row)
        sessions.end(work.session, row.id)
        signing_in = _sign_in(desk, work, row, RESET_TTL)
        _record(work, row, "user.reset", second_factor=second_factor)
        return signing_in


def sign_out(desk: Desk, actor: Actor, user_id: str, *, organization_id: str | None = None) -> int:
    """End every session of a user; answers how many. Raises Forbidden, NotFound."""
    require(actor, USERS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    with desk.store.transaction(actor) as work:
        row, _ = _writable(work, organization_id, user_id)
        ended = sessions.end(work.session, row.id)
        if ended:
            _record(work, row, "user.signed_out", sessions=list(ended))
        return len(ended)


def view(row: UserRow) -> UserView:
    """A user's row as people see it."""
    return rows.view_of(
        UserView,
        row,
        has_password=row.password_hash is not None,
        has_second_factor=row.totp_confirmed_at is not None,
    )


def _writable(
    work: Transaction, organization_id: str, user_id: str
) -> tuple[UserRow, Organization]:
    """A user who can do nothing that the actor cannot, locked. Raises Forbidden, NotFound."""
    # Changes to its users come one after the other, so that one owner stays.
    organization = rows.organization(work, organization_id, "update")
    row = users.get(work.session, organization_id, fields.object_id(user_id, "user"), lock=True)
    if row is None:
        raise NotFound("user")
    require_grantable(work.actor, organization, ROLES[row.role])
    return row, organization


def _require_another_owner(work: Transaction, row: UserRow) -> None:
    """Raises Conflict where this is the last one: nobody could give anybody their rights again."""
    others = set(users.of_role(work.session, row.organization_id, OWNER, ACTIVE)) - {row.id}
    if row.role == OWNER and row.status == ACTIVE and not others:
        raise Conflict("This is the last owner: make somebody else an owner first", field="role")


def _sign_in(desk: Desk, work: Transaction, row: UserRow, ttl: timedelta) -> SignIn:
    secret = urlsafe_b64encode(desk.random_bytes(32)).rstrip(b"=").decode()
    row.sign_in_digest = hashlib.sha256(secret.encode()).digest()
    row.sign_in_expires_at = work.now + ttl
    work.session.flush()
    # Behind the `#`, so that it is sent to no server, written into no log and no Referer.
    link = f"{desk.settings.issuer}{SIGN_IN}#{secret}"
    return SignIn(view(row), secret, link, row.sign_in_expires_at)


def _record(work: Transaction, row: UserRow, event: str, **details: Any) -> None:
    details |= {"email": row.email, "role": row.role}
    work.record(event, "user", row.id, organization_id=row.organization_id, **details)
