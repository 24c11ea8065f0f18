"""Whether the database has the schema that this code was written for."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from app.errors import StartRefused, Unavailable
from app.storage.store import Store

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def head() -> str | None:
    """The revision that this code was written for."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def revision(store: Store) -> str | None:
    """The revision that the database has; None where it has no tables. Raises StartRefused."""
    try:
        with store.connect() as connection:
            return revision_of(connection)
    except Unavailable as error:
        raise StartRefused(
            f"The database cannot be reached: {error.detail}; check KEYTURN_DATABASE_URL"
        ) from None


def revision_of(connection: Connection) -> str | None:
    """The same, as this connection sees it."""
    return MigrationContext.configure(connection).get_current_revision()


def knows(revision: str) -> bool:
    """Whether this code has a migration to that revision."""
    script = ScriptDirectory(str(MIGRATIONS))
    return revision in {one.revision for one in script.walk_revisions()}


def require_current(store: Store) -> None:
    """Raises StartRefused, saying what to do."""
    found = revision(store)
    if found == head():
        return
    if found is None:
        raise StartRefused("The database is empty: run `flask bootstrap` (or `make run`)")
    if knows(found):
        raise StartRefused("The database is of an older version: run `flask db upgrade`")
    raise StartRefused(
        "The database is of a newer version than this code: install that version again, or restore "
        "a backup from before the upgrade"
    )
