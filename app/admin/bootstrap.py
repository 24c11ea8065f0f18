"""The first start: the operator organization, its first administrator and a client to try."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from app.admin import client_secrets, organizations, users
from app.admin.desk import SECRET_METHODS, Desk
from app.admin.operator import operator_actor
from app.admin.roles import OWNER
from app.builtin import administration
from app.errors import Conflict
from app.ids import new_id
from app.records import ACTIVE
from app.storage import organizations as stored
from app.storage.models import ClientRow
from app.storage.store import Transaction

NAME = "Operator"
ADMINISTRATOR = "admin@localhost"
READING = ":read"


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What the first start made; both secrets are shown here and never again."""

    organization_id: str
    user_id: str
    email: str
    sign_in_link: str = field(repr=False)
    sign_in_expires_at: datetime
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    """What the first client holds."""


def bootstrap(desk: Desk) -> Bootstrapped | None:
    """Make what the first start needs; None where it is there already.

    Safe when two processes start at once: there can be one operator organization only.
    """
    with desk.store.reading() as session:
        if stored.operator(session) is not None:
            return None
    try:
        return _first_start(desk)
    except Conflict:
        return None


def begin_signing(desk: Desk) -> None:
    """Make the first two signing keys, unless there are some; as safe as ``bootstrap``."""
    with suppress(Conflict), desk.store.transaction(operator_actor("", "first-start")) as work:
        desk.keyring.begin(work)


def _first_start(desk: Desk) -> Bootstrapped:
    organization_id = new_id("org")
    with desk.store.transaction(operator_actor(organization_id, "first-start")) as work:
        row = organizations.new_row(
            work,
            NAME,
            id=organization_id,
            is_operator=True,
            environments=list(organizations.ENVIRONMENTS),
            key_template={},
            profile=organizations.PROFILES[0],
        )
        work.record("organization.created", "organization", row.id, name=NAME)
        work.changed("organization", row.id)
        administrator = users.new_user(
            desk,
            work,
            row.id,
            users.RESET_TTL,
            email=ADMINISTRATOR,
            name="Administrator",
            role=OWNER,
        )
        client, secret = _first_client(desk, work, organization_id)
        return Bootstrapped(
            organization_id=row.id,
            user_id=administrator.user.id,
            email=ADMINISTRATOR,
            sign_in_link=administrator.link,
            sign_in_expires_at=administrator.expires_at,
            client_id=client.client_id,
            client_secret=secret,
            scope=" ".join(client.scopes),
        )


def _first_client(desk: Desk, work: Transaction, organization_id: str) -> tuple[ClientRow, str]:
    # Its secret goes to a terminal, and from there into somebody's scrollback or log: it may look
    # at everything, so that the first token is good for something, and change nothing.
    reading = sorted(name for name in administration(operator=True) if name.endswith(READING))
    row = ClientRow(
        client_id=new_id("client"),
        organization_id=organization_id,
        name="First client",
        description="Made by the first start: reads, and changes nothing.",
        environment=organizations.ENVIRONMENTS[0],
        scopes=reading,
        audiences=[],
        grant_types=["client_credentials"],
        token_endpoint_auth_method=SECRET_METHODS[0],
        status=ACTIVE,
        created_at=work.now,
        created_by=work.actor.id,
        updated_at=work.now,
    )
    work.session.add(row)
    work.session.flush()
    organization = stored.record(work.session, stored.existing(work.session, organization_id))
    secret = client_secrets.new_secret(desk, work, organization, row, None, note="first start")
    work.record("client.created", "client", row.client_id, name=row.name, scopes=reading)
    work.changed("client", row.client_id)
    return row, secret.client_secret
