"""``/v1/users``: people who administer an organization."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import BaseModel, Field

from app.admin import users
from app.admin.fields import MAX_EMAIL
from app.builtin import USERS_READ, USERS_WRITE
from app.web.api.answers import answer, created, deleted, listed, shown
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


class UserPath(BaseModel):
    """One user."""

    user_id: PathId


class NewUser(Body):
    """A user to be invited."""

    model_config = example(email="ada@example.com", role="auditor", name="Ada")

    email: Annotated[str, Field(min_length=3, max_length=MAX_EMAIL)]
    role: Choice = Field(description="`owner`, `admin`, `developer` or `auditor`.")
    name: Name = unnamed()
    organization_id: Id | None = None


class UserChanges(Body):
    """What is changed; ``status`` ``disabled`` signs them out and keeps them out."""

    model_config = example(name="Ada Lovelace")

    name: Name = unnamed()
    role: Choice = unnamed()
    status: Choice = unnamed()


class User(Answer):
    """A user."""

    id: str
    organization_id: str
    email: str
    name: str
    role: str
    status: str
    last_sign_in_at: Instant | None
    created_at: Instant
    updated_at: Instant


class SignIn(User):
    """A user who can sign in once by this secret: it is shown here and never again."""

    sign_in_secret: str
    sign_in_expires_at: Instant


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
def reset_user(path: UserPath, query: OfOrganization) -> Response:
    """Forget a user's password and make a new one-time secret"""
    made = users.reset(desk(), actor(), path.user_id, organization_id=query.organization_id)
    return answer(_signing_in(made))


def _signing_in(made: users.SignIn) -> SignIn:
    return shown(SignIn, made.user, sign_in_secret=made.secret, sign_in_expires_at=made.expires_at)
