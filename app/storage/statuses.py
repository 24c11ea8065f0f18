"""Places in the status lists: given to credentials, and always what their rows say (ADR 13)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    and_,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from app.records import ACTIVE, DISABLED, Change
from app.storage.models import (
    ApiKeyRow,
    ClientRow,
    ClientSecretRow,
    OrganizationRow,
    RevokedTokenRow,
    StatusEntryRow,
    StatusListRow,
)
from app.storage.upsert import upsert
from keyturn.status_list import INVALID, SUSPENDED, VALID, StatusReference

if TYPE_CHECKING:
    from app.storage.store import Store, Transaction

CLIENT, CLIENT_SECRET, API_KEY = "client", "client_secret", "api_key"
STATUS_LIST = "status_list"
"""The kind of change that says that a list has to be made anew."""

STATUS_LISTS = "/oauth/status-lists"

SIZE = 1 << 17
"""Places of a list: 32 KB at two bits each, before compression."""
CANDIDATES = 32
"""Places that are tried at once: a list is given up at nine tenths."""
KEPT = timedelta(days=8)
"""No token lives for longer (``KEYTURN_MAX_TOKEN_TTL``): nobody asks about the place any more."""
AT_ONCE = 500

_entry = StatusEntryRow
_FOLLOWING = select(func.coalesce(func.max(StatusListRow.number), 0) + 1).scalar_subquery()


@dataclass(frozen=True, slots=True)
class Contents:
    """What a list says: everything that is not in it is valid."""

    version: int
    stopped: Mapping[int, int]
    """Positions that are not valid, and what they are."""
    revoked: frozenset[str]
    """``jti`` of tokens revoked before their time (RFC 7009)."""


def status_list_uri(issuer: str, number: int) -> str:
    """Where a list is published."""
    return f"{issuer}{STATUS_LISTS}/{number}"


def place_of(status: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """The list and the position that a token of ours names by its ``status`` claim."""
    place = StatusReference.read(status)
    if place is None:
        return None
    _, found, number = place.uri.rpartition(f"{STATUS_LISTS}/")
    return (int(number), place.idx) if found else None


def allocate(
    work: Transaction,
    kind: str,
    subject_id: str,
    *,
    owner_id: str,
    organization_id: str,
    size: int = SIZE,
) -> None:
    """Give a credential its place. Two that draw the same one at once do not both get it."""
    while True:
        place = _free(work.session, size)
        if place is None:
            _open_list(work)
            continue
        taken = work.session.execute(
            upsert(work.session.connection(), _entry)
            .values(
                list_number=place[0],
                position=place[1],
                kind=kind,
                subject_id=subject_id,
                owner_id=owner_id,
                organization_id=organization_id,
                status=VALID,
            )
            .on_conflict_do_nothing()
            .returning(_entry.position)
        )
        if taken.scalar_one_or_none() is not None or _has_place(work.session, subject_id):
            return


def allocate_many(connection: Connection, entries: Sequence[Mapping[str, Any]]) -> None:
    """Give places to credentials that nobody else knows yet, in a new list of their own."""
    for begin in range(0, len(entries), SIZE * 9 // 10):
        some = entries[begin : begin + SIZE * 9 // 10]
        number = connection.scalar(
            insert(StatusListRow)
            .values(number=_FOLLOWING, version=1)
            .returning(StatusListRow.number)
        )
        positions = secrets.SystemRandom().sample(range(SIZE), len(some))
        connection.execute(
            insert(StatusEntryRow),
            [
                {**entry, "list_number": number, "position": position}
                for entry, position in zip(some, positions, strict=True)
            ],
        )


def _has_place(session: Session, subject_id: str) -> bool:
    statement = select(_entry.position).where(_entry.subject_id == subject_id)
    return session.execute(statement).first() is not None


def _free(session: Session, size: int) -> tuple[int, int] | None:
    """In the newest list, else in any: places come free when their tokens have expired."""
    newest = session.scalar(select(func.max(StatusListRow.number)))
    for number in (newest, 1 + secrets.randbelow(newest)) if newest else ():
        drawn = {secrets.randbelow(size) for _ in range(CANDIDATES)}
        occupied = session.scalars(
            select(_entry.position).where(
                _entry.list_number == number, _entry.position.in_(sorted(drawn))
            )
        )
        free = sorted(drawn.difference(occupied))
        if free:
            return number, secrets.choice(free)
    return None


def _open_list(work: Transaction) -> None:
    number = work.session.execute(
        upsert(work.session.connection(), StatusListRow)
        .values(number=_FOLLOWING, version=1)
        .on_conflict_do_nothing()  # whoever opens the same one at once has opened it for both
        .returning(StatusListRow.number)
    ).scalar_one_or_none()
    if number is not None:
        work.changed(STATUS_LIST, str(number))


def settle(session: Session, changes: Iterable[Change], now: datetime) -> list[Change]:
    """Let the lists say what the rows of what was changed say; answers which lists changed.

    Called for every transaction, so no use case can forget it. What is invalid stays so (§7.1).
    """
    by_kind: dict[str, list[str]] = {}
    for change in changes:
        by_kind.setdefault(change.kind, []).append(change.id)
    return [
        change
        for kind, concerned in _CONCERNED.items()
        for at in range(0, len(by_kind.get(kind, ())), AT_ONCE)
        for change in _settle(session, concerned(by_kind[kind][at : at + AT_ONCE]), now)
    ]


def _settle(session: Session, which: ColumnElement[bool], now: datetime) -> list[Change]:
    moved = session.execute(
        update(_entry)
        .where(which, _entry.status != INVALID, _entry.status != _STANDING)
        .values(status=_STANDING, ended_at=case((_STANDING == INVALID, now), else_=None))
        .returning(_entry.list_number)
        .execution_options(synchronize_session=False)
    )
    return raise_versions(session, set(moved.scalars()))


def raise_versions(session: Session, numbers: Iterable[int]) -> list[Change]:
    """These lists say something else from now on."""
    changes = []
    for number in sorted(numbers):  # in one order, or two could wait for each other
        session.execute(
            update(StatusListRow)
            .where(StatusListRow.number == number)
            .values(version=StatusListRow.version + 1)
            .execution_options(synchronize_session=False)
        )
        changes.append(Change(STATUS_LIST, str(number)))
    return changes


def _is(row: type[Any], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(1).select_from(row).where(*conditions))


_LIVES = or_(
    and_(_entry.kind == CLIENT, _is(ClientRow, ClientRow.client_id == _entry.subject_id)),
    and_(
        _entry.kind == CLIENT_SECRET,
        _is(
            ClientSecretRow,
            ClientSecretRow.id == _entry.subject_id,
            ClientSecretRow.revoked_at.is_(None),
        ),
    ),
    and_(
        _entry.kind == API_KEY,
        _is(
            ApiKeyRow,
            ApiKeyRow.id == _entry.subject_id,
            ApiKeyRow.status.in_((ACTIVE, DISABLED)),
        ),
    ),
)
_IS_STOPPED = or_(
    _is(ClientRow, ClientRow.client_id == _entry.owner_id, ClientRow.status != ACTIVE),
    _is(ApiKeyRow, ApiKeyRow.id == _entry.owner_id, ApiKeyRow.status != ACTIVE),
    _is(
        OrganizationRow,
        OrganizationRow.id == _entry.organization_id,
        OrganizationRow.status != ACTIVE,
    ),
)
_STANDING = case((~_LIVES, INVALID), (_IS_STOPPED, SUSPENDED), else_=VALID)


def _of_organizations(ids: Sequence[str]) -> ColumnElement[bool]:
    # Only what its standing can change: most changes of an organization are about something else.
    stopped = select(OrganizationRow.id).where(
        OrganizationRow.id.in_(ids), OrganizationRow.status != ACTIVE
    )
    return and_(
        _entry.organization_id.in_(ids),
        case((_entry.organization_id.in_(stopped), VALID), else_=SUSPENDED) == _entry.status,
    )


def _of_digests(digests: Sequence[str]) -> ColumnElement[bool]:
    keys = select(ApiKeyRow.id).where(ApiKeyRow.digest.in_(map(bytes.fromhex, digests)))
    return _entry.owner_id.in_(keys)


_CONCERNED = {
    "client": _entry.owner_id.in_,
    "api_key": _of_digests,
    "organization": _of_organizations,
}


def contents(store: Store, number: int, now: datetime) -> Contents | None:
    """What a list says; None where there is no such list. Raises Unavailable."""
    with store.connect() as connection:
        # The version first: what is newer than its version says is taken for newer later, too.
        version = connection.execute(
            select(StatusListRow.version).where(StatusListRow.number == number)
        ).scalar_one_or_none()
        if version is None:
            return None
        stopped = connection.execute(
            select(_entry.position, _entry.status).where(
                _entry.list_number == number, _entry.status != VALID
            )
        )
        revoked = connection.execute(
            select(RevokedTokenRow.jti).where(
                RevokedTokenRow.expires_at > now,
                or_(RevokedTokenRow.list_number == number, RevokedTokenRow.list_number.is_(None)),
            )
        )
        return Contents(
            version, {row.position: row.status for row in stopped}, frozenset(revoked.scalars())
        )


def numbers(store: Store) -> list[int]:
    """Every list there is. Raises Unavailable."""
    with store.connect() as connection:
        return list(
            connection.execute(
                select(StatusListRow.number).order_by(StatusListRow.number)
            ).scalars()
        )


def forget_ended(work: Transaction) -> None:
    """Free the places of credentials whose last token has long expired."""
    freed = work.session.execute(
        delete(_entry).where(_entry.ended_at < work.now - KEPT).returning(_entry.list_number)
    )
    work.changes += raise_versions(work.session, set(freed.scalars()))


def catch_up(work: Transaction) -> None:
    """Do what nodes of the version before leave undone: they give no places, and settle none."""
    for row in work.session.execute(_UNPLACED.limit(AT_ONCE)).all():
        allocate(
            work,
            row.kind,
            row.subject_id,
            owner_id=row.owner_id,
            organization_id=row.organization_id,
        )
        if row.digest is None:
            work.changed("client", row.owner_id)
        else:
            work.changed("api_key", bytes(row.digest).hex())
    work.changes += _settle(work.session, true(), work.now)


def _unplaced() -> Any:
    client, secret, key = ClientRow, ClientSecretRow, ApiKeyRow

    def placeless(subject_id: Any) -> ColumnElement[bool]:
        return ~_is(_entry, _entry.subject_id == subject_id)

    def living(kind: str, subject_id: Any, owner_id: Any, organization_id: Any, digest: Any) -> Any:
        return select(
            literal(kind).label("kind"),
            subject_id.label("subject_id"),
            owner_id.label("owner_id"),
            organization_id.label("organization_id"),
            digest.label("digest"),
        ).where(placeless(subject_id))

    no_digest = cast(null(), key.digest.type)
    return union_all(
        living(CLIENT, client.client_id, client.client_id, client.organization_id, no_digest),
        living(CLIENT_SECRET, secret.id, secret.client_id, client.organization_id, no_digest)
        .join(client, client.client_id == secret.client_id)
        .where(secret.revoked_at.is_(None)),
        living(API_KEY, key.id, key.id, key.organization_id, key.digest).where(
            key.status.in_((ACTIVE, DISABLED))
        ),
    )


_UNPLACED = _unplaced()
