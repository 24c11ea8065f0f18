"""``/v1/users``: people who administer an organization."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import BaseModel, Field

from app.admin import fields, users
from app.admin.fields import MAX_EMAIL
from app.apikeys import leavers
from app.apikeys.endings import MAX_REASON
from app.builtin import (
    CLIENTS_READ,
    CLIENTS_WRITE,
    KEYS_READ,
    KEYS_WRITE,
    USERS_READ,
    USERS_WRITE,
)
from app.web.api.answers import answer, created, deleted, listed, shown
from app.web.api.api_keys import ApiKey
from app.web.api.caller import actor, desk
from app.web.api.documented import OBJECT, WRITES, collection, gives, needs
from app.web.api.values import (
    Answer,
    Body,
    Choice,
    Id,
    Instant,
    Name,
    OfOrganization,
    OrganizationListing,
    PageOf,
    PathId,
    example,
    unnamed,
)

blueprint = collection("users", "People who administer an organization")


FORGET = ("password", "everything")


class UserPath(BaseModel):
    """One user."""

    user_id: PathId


class NewUser(Body):
    """A user to be invited."""

    model_config = example(email="ada@example.com", role="auditor", name="Ada")

    email: Annotated[str, Field(min_length=3, max_length=MAX_EMAIL)]
    role: Choice = Field(description="`owner`, `admin`, `developer`, `auditor` or `member`.")
    name: Name = unnamed()
    organization_id: Id | None = None


class UserChanges(Body):
    """What is changed; ``status`` ``disabled`` signs them out and keeps them out."""

    model_config = example(name="Ada Lovelace")

    name: Name = unnamed()
    role: Choice = unnamed()
    status: Choice = unnamed()


class Resetting(OfOrganization):
    """What is forgotten."""

    forget: Choice = Field(
        FORGET[0],
        description="`password`, or `everything`: for somebody who has lost their second factor.",
    )


class User(Answer):
    """A user."""

    id: str
    organization_id: str
    email: str
    name: str
    role: str
    status: str
    has_password: bool
    has_second_factor: bool
    last_sign_in_at: Instant | None
    created_at: Instant
    updated_at: Instant


class SignIn(User):
    """A user who can sign in once by this secret: it is shown here and never again."""

    sign_in_secret: str
    sign_in_link: str
    sign_in_expires_at: Instant


class SessionsEnded(Answer):
    """Where they were signed in."""

    ended: int


class HeldSecret(Answer):
    """A client's secret that somebody has seen."""

    id: str
    client_id: str
    client_name: str
    prefix: str
    last_four: str
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None


class Credentials(Answer):
    """A page of what somebody made, and is still good for something: keys first, then secrets."""

    api_keys: list[ApiKey]
    client_secrets: list[HeldSecret]
    next_cursor: str | None


class RevokingCredentials(Body):
    """Why they end."""

    model_config = example(reason="employee_left")

    reason: Annotated[str, Field(max_length=MAX_REASON)] = "employee_left"


class RevokedCredentials(Answer):
    """Ids of what was ended."""

    api_keys: list[str]
    client_secrets: list[str]


class UserPage(PageOf[User]):
    """Users, the youngest first."""


@blueprint.get("", security=needs(USERS_READ), responses=gives(200, UserPage, OBJECT))
def list_users(query: OrganizationListing) -> Response:
    """List users"""
    page = users.list_page(
        desk(),
        actor(),
        limit=query.limit,
        cursor=query.cursor,
        organization_id=query.organization_id,
    )
    return listed(UserPage, page)


@blueprint.post("", security=needs(USERS_WRITE), responses=gives(201, SignIn, WRITES))
def create_user(body: NewUser) -> Response:
    """Invite a user"""
    made = users.create(desk(), actor(), users.NewUser(**body.named()))
    return created(_signing_in(made), "users", made.user.id)


@blueprint.get("/<user_id>", security=needs(USERS_READ), responses=gives(200, User, OBJECT))
def show_user(path: UserPath, query: OfOrganization) -> Response:
    """Show a user"""
    found = users.show(desk(), actor(), path.user_id, organization_id=query.organization_id)
    return answer(shown(User, found))


@blueprint.patch("/<user_id>", security=needs(USERS_WRITE), responses=gives(200, User, WRITES))
def update_user(path: UserPath, query: OfOrganization, body: UserChanges) -> Response:
    """Change, disable or enable a user"""
    found = users.update(
        desk(),
        actor(),
        path.user_id,
        users.UserChanges(**body.named()),
        organization_id=query.organization_id,
    )
    return answer(shown(User, found))


@blueprint.delete("/<user_id>", security=needs(USERS_WRITE), responses=gives(204, None, (404, 409)))
def remove_user(path: UserPath, query: OfOrganization) -> Response:
    """Remove a user"""
    users.remove(desk(), actor(), path.user_id, organization_id=query.organization_id)
    return deleted()


@blueprint.post(
    "/<user_id>/reset", security=needs(USERS_WRITE), responses=gives(200, SignIn, (404, 409))
)
def reset_user(path: UserPath, query: Resetting) -> Response:
    """Forget a user's password and make a new one-time link"""
    made = users.reset(
        desk(),
        actor(),
        path.user_id,
        second_factor=fields.one_of(query.forget, FORGET, "forget") == FORGET[1],
        organization_id=query.organization_id,
    )
    return answer(_signing_in(made))


@blueprint.delete(
    "/<user_id>/sessions",
    security=needs(USERS_WRITE),
    responses=gives(200, SessionsEnded, (404, 409)),
)
def end_user_sessions(path: UserPath, query: OfOrganization) -> Response:
    """Sign a user out everywhere"""
    ended = users.sign_out(desk(), actor(), path.user_id, organization_id=query.organization_id)
    return answer(SessionsEnded(ended=ended))


@blueprint.get(
    "/<user_id>/credentials",
    security=needs(KEYS_READ, CLIENTS_READ),
    responses=gives(200, Credentials, OBJECT),
)
def list_user_credentials(path: UserPath, query: OrganizationListing) -> Response:
    """List what a user has made, also when they were removed"""
    found = leavers.held(
        desk(),
        actor(),
        path.user_id,
        limit=query.limit,
        cursor=query.cursor,
        organization_id=query.organization_id,
    )
    return answer(
        Credentials(
            api_keys=[shown(ApiKey, one) for one in found.api_keys],
            client_secrets=[shown(HeldSecret, one) for one in found.client_secrets],
            next_cursor=found.next_cursor,
        )
    )


@blueprint.post(
    "/<user_id>/credentials/revoke",
    security=needs(KEYS_WRITE, CLIENTS_WRITE),
    responses=gives(200, RevokedCredentials, WRITES),
)
def revoke_user_credentials(
    path: UserPath, query: OfOrganization, body: RevokingCredentials
) -> Response:
    """Revoke every API key and client secret that a user has made"""
    ended = leavers.revoke_all(
        desk(), actor(), path.user_id, **body.named(), organization_id=query.organization_id
    )
    return answer(shown(RevokedCredentials, ended))


def _signing_in(made: users.SignIn) -> SignIn:
    return shown(
        SignIn,
        made.user,
        sign_in_secret=made.secret,
        sign_in_link=made.link,
        sign_in_expires_at=made.expires_at,
    )
